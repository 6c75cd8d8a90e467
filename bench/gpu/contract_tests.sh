#!/usr/bin/env bash
# Builds the native library here and runs the contract's cases on the host, on the shim and on the GPU, then again under
# compute-sanitizer, in one call on a machine with a GPU. One table last; JSON and logs under --out.
#
#   bench/gpu/contract_tests.sh [--out FOLDER] [--build FOLDER] [--googletest FOLDER] [--seconds N]
#   bench/gpu/contract_tests.sh pack      where GoogleTest's sources are installed: copies them to carry/googletest, which
#                                         git ignores, for a machine that has none and reaches no registry
#
# Needs CMake 3.22, a C++17 compiler and nvcc. GoogleTest: --googletest, else carry/googletest, else an installed one.
# --seconds bounds each run (default 240). A sanitizer is probed first with a planted error: one that does not see it, or
# does not run on this machine, is reported as unavailable, not as passed.
set -u -o pipefail
root=$(cd -- "$(dirname -- "$0")/../.." && pwd)
out=${OUT:-$root/target/gpu-contract-results}
build=$root/target/gpu-contract
googletest=$root/carry/googletest
seconds=240

fail() { echo "contract_tests.sh: $*" >&2; exit 2; }

if [ "${1:-}" = pack ]; then
    [ -d /usr/src/googletest ] || fail "no /usr/src/googletest to pack: apt-get install googletest"
    mkdir -p -- "$googletest" && cp -r /usr/src/googletest/. "$googletest/"
    echo "packed $googletest"
    exit 0
fi
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || fail "$1 needs a value"
    case $1 in
    --out) out=$2 ;;
    --build) build=$2 ;;
    --googletest) googletest=$2 ;;
    --seconds) seconds=$2 ;;
    *) fail "unknown option $1: expected --out, --build, --googletest or --seconds" ;;
    esac
    shift 2
done
mkdir -p -- "$out" "$build" || fail "cannot write to $out and $build"

rows=()
worst=0
# row NAME RESULT SECONDS DETAIL: passed, failed, unavailable. The JSON is whole after each, in case time runs out.
row() {
    rows+=("$1|$2|$3|$4")
    [ "$2" != failed ] || worst=1
    write_json
}

# timed LOG COMMAND...: runs bounded, sets took and status
timed() {
    local log=$1 start=$SECONDS
    shift
    timeout "$seconds" "$@" >"$out/$log" 2>&1
    status=$?
    took=$((SECONDS - start))
}

build_all() {
    local options=(-DEWC_BUILD_TESTS=ON -DEWC_BUILD_BENCH=OFF)
    command -v make >/dev/null || options+=(-G Ninja)
    [ ! -d "$googletest" ] || options+=("-DEWC_GTEST_SOURCE=$googletest")
    seconds=540 timed configure.log cmake -S "$root/cmake" -B "$build" "${options[@]}"
    [ "$status" -eq 0 ] && seconds=540 timed build.log cmake --build "$build" --parallel "$(nproc)"
    if [ "$status" -ne 0 ]; then
        tail -n 20 "$out/configure.log" "$out/build.log" 2>/dev/null
        fail "the build failed; $out has the logs"
    fi
    row build passed "$took" "$(grep -h 'libewc_cuda.so' "$out/configure.log" | sed 's/^-- //; s/|/ /g' | head -n 1)"
}

# tests NAME PROGRAM: one row from GoogleTest's summary; a place that skipped everything is unavailable.
tests() {
    local name=$1 program=$2 passed skipped
    if [ ! -x "$build/$program" ]; then
        row "$name" unavailable 0 "$program was not built"
        return
    fi
    timed "$program.log" "$build/$program" --gtest_output="json:$out/$program.json"
    passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$out/$program.log" | tail -n 1)
    skipped=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$out/$program.log" | tail -n 1)
    if [ "$status" -ne 0 ]; then
        row "$name" failed "$took" "$(grep -c '^\[  FAILED  \].*(' "$out/$program.log") failed, exit $status: $program.log"
    elif [ "${passed:-0}" -eq 0 ]; then
        row "$name" unavailable "$took" "every case skipped (${skipped:-0}): $program.log says why"
    else
        row "$name" passed "$took" "$passed passed, ${skipped:-0} skipped"
    fi
}

# A program with one planted error for each tool.
write_probe() {
    cat >"$build/sanitizer_probe.cu" <<'PROBE'
#include <cstring>
__global__ void memcheck(int* p) { p[threadIdx.x + 1024] = 1; }
__global__ void racecheck(int* p) {
    __shared__ int s[64];
    s[threadIdx.x] = static_cast<int>(threadIdx.x);
    p[threadIdx.x] = s[63 - threadIdx.x];
}
__global__ void initcheck(int* p) { p[threadIdx.x] = p[threadIdx.x + 64] + 1; }
int main(int, char** argv) {
    int* p = nullptr;
    if (cudaMalloc(&p, 512) != cudaSuccess) return 3;
    if (std::strcmp(argv[1], "memcheck") == 0) memcheck<<<1, 64>>>(p);
    if (std::strcmp(argv[1], "racecheck") == 0) racecheck<<<1, 64>>>(p);
    if (std::strcmp(argv[1], "initcheck") == 0) initcheck<<<1, 64>>>(p);
    cudaDeviceSynchronize();
    return 0;
}
PROBE
    # CMake's nvcc: the one that built the library.
    nvcc=$(sed -n 's/^CMAKE_CUDA_COMPILER:[A-Z]*=//p; s/^EWC_WORKING_NVCC:[A-Z]*=//p' "$build/CMakeCache.txt" | head -n 1)
    [ -n "$nvcc" ] && "$nvcc" -arch=native -o "$build/sanitizer_probe" "$build/sanitizer_probe.cu" >"$out/probe-build.log" 2>&1
}

find_sanitizer() {
    sanitizer=$(command -v compute-sanitizer) ||
        sanitizer=$(find /usr/local/cuda*/bin /opt/nvidia -maxdepth 3 -name compute-sanitizer 2>/dev/null | head -n 1)
    [ -n "$sanitizer" ]
}

# sanitize TOOL FILTER: the cuda cases that FILTER names, under TOOL, if it sees what was planted for it.
sanitize() {
    local tool=$1 filter=$2
    timed "probe-$tool.log" "$sanitizer" --tool "$tool" --error-exitcode 9 "$build/sanitizer_probe" "$tool"
    if [ "$status" -ne 9 ]; then
        row "$tool" unavailable "$took" "did not see a planted error (exit $status): probe-$tool.log"
        return
    fi
    timed "$tool.log" "$sanitizer" --tool "$tool" --error-exitcode 9 "$build/ewc_cuda_tests" "--gtest_filter=$filter"
    local summary
    summary=$(grep -h 'SUMMARY' "$out/$tool.log" | tail -n 1 | tr -d '=' | tr '|' ' ')
    if [ "$status" -eq 0 ] && grep -q '^\[  PASSED  \] [1-9]' "$out/$tool.log"; then
        row "$tool" passed "$took" "$summary, cases $filter"
    elif [ "$status" -eq 124 ]; then
        row "$tool" failed "$took" "did not end within $seconds s: $tool.log"
    else
        row "$tool" failed "$took" "exit $status, $summary: $tool.log"
    fi
}

json_string() { printf '"%s"' "$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g' | tr '\n\t' '  ')"; }

write_json() {
    local separator="" name result took detail
    {
        printf '{"date": %s, "gpu": %s, "nvcc": %s, "commit": %s, "rows": [' "$(json_string "$(date -u +%FT%TZ)")" \
            "$(json_string "$gpu")" "$(json_string "$nvcc_version")" "$(json_string "$commit")"
        for each in "${rows[@]}"; do
            IFS='|' read -r name result took detail <<<"$each"
            printf '%s\n  {"name": %s, "result": %s, "seconds": %s, "detail": %s}' "$separator" "$(json_string "$name")" \
                "$(json_string "$result")" "$took" "$(json_string "$detail")"
            separator=,
        done
        printf '\n]}\n'
    } >"$out/contract_tests.json"
}

print_table() {
    local name result took detail
    echo "GPU: $gpu; $nvcc_version; commit $commit"
    printf '%-12s %-12s %6s  %s\n' what result s detail
    for each in "${rows[@]}"; do
        IFS='|' read -r name result took detail <<<"$each"
        printf '%-12s %-12s %6s  %s\n' "$name" "$result" "$took" "$detail"
    done
}

export OMP_WAIT_POLICY=PASSIVE
gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1)
gpu=${gpu:-none}
commit=$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)
nvcc_version="no nvcc"
rm -f -- "$out/contract_tests.json"
for tool in cmake c++; do
    command -v "$tool" >/dev/null && continue
    row build unavailable 0 "no $tool on the path"
    print_table
    exit 0
done
build_all
nvcc=""
write_probe
probe=$?
nvcc_version=$(${nvcc:-nvcc} --version 2>/dev/null | sed -n 's/.*release \([^,]*\).*/nvcc \1/p')
nvcc_version=${nvcc_version:-no nvcc}
tests host ewc_tests
tests shim ewc_shim_tests
tests load ewc_cuda_load_test
tests cuda ewc_cuda_tests
if ! find_sanitizer; then
    row sanitizer unavailable 0 "no compute-sanitizer on this machine"
elif [ "$probe" -ne 0 ]; then
    row sanitizer unavailable 0 "the probe was not built: probe-build.log"
else
    sanitize memcheck '*/cuda*:DeviceGraph.Replays*'
    sanitize racecheck 'Of/*/cuda*:*Convert/cuda*'
    sanitize initcheck 'Of/*/cuda*:*Convert/cuda*:*Merge/cuda*'
fi
write_json # with nvcc's version, where no row came after it
print_table
exit $worst
