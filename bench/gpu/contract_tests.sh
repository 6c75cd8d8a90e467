#!/usr/bin/env bash
# Runs the contract's cases on the GPU, again under compute-sanitizer, then on the host and on the shim, in one call on a
# machine with a GPU. One table last; JSON and logs under --out.
#
#   bench/gpu/contract_tests.sh [--out FOLDER] [--prebuilt FOLDER | --build FOLDER] [--seconds N] [--only ROW,…]
#   bench/gpu/contract_tests.sh prebuild FOLDER      makes the folder for --prebuilt: libraries, test programs and the
#                                                    sanitizers' probe, for a machine without CMake, compiler and nvcc
#   bench/gpu/contract_tests.sh unsanitized PROGRAM  lists which of the device's cases (ewc_cuda_tests) memcheck does not
#                                                    see, and of which suites the other tools see none
#
# Without --prebuilt it builds in --build first, which takes minutes: CMake 3.22, a C++17 compiler, nvcc and GoogleTest.
# --only takes some of the rows: cuda, racecheck, initcheck, synccheck, memcheck, load, host, shim. Together they take --seconds
# at most (default 540), the build not counted, and each of them 120, memcheck 300. A program that does not end by then has
# failed; a sanitizer that has found nothing by then is unavailable. So is one that does not run on this machine or does not
# see the error that is planted for it first.
set -u -o pipefail
command="" given=""
root=$(cd -- "$(dirname -- "$0")/../.." && pwd)
out=${OUT:-$root/target/gpu-contract-results}
build=$root/target/gpu-contract
prebuilt=""
seconds=540
all=cuda,racecheck,initcheck,synccheck,memcheck,load,host,shim
only=$all
# All that the program has runs on the device, so memcheck leaves out by name; the others, some ten times slower, take the
# cases of few sizes, of each suite some. A case must not fail to be seen for its name: ctest asks `unsanitized`.
every='-DeviceGraph.Beyond*'
some='Of/*:*Convert/*:*Merge/*:*FisherAccumulateLinear*:DeviceGraph.Replays*'
# What a sanitizer, or GoogleTest under it, has found, also where it was ended before its summary.
found='^========= .*\(Invalid __\|Uninitialized __\|Race reported\|Barrier error\)\|^\[  FAILED  \]'

fail() { echo "contract_tests.sh: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || fail "$1 needs a value"
    case $1 in
    --out) out=$2 ;;
    --build) build=$2 ;;
    --prebuilt) prebuilt=$2 ;;
    --seconds) seconds=$2 ;;
    --only) only=$2 ;;
    prebuild | unsanitized) command=$1 given=$2 ;;
    *) fail "unknown option $1: expected --out, --build, --prebuilt, --seconds or --only" ;;
    esac
    shift 2
done
for each in ${only//,/ }; do
    [[ ,$all, = *,$each,* ]] || fail "--only $each: expected some of $all"
done

# cases PROGRAM FILTER: the names of what it would run, one a line, sorted.
cases() {
    "$1" --gtest_list_tests --gtest_filter="$2" |
        awk '/^[^ ].*\.$/ { suite = $1 } /^ / { print suite $1 }' | LC_ALL=C sort
}

if [ "$command" = unsanitized ]; then
    LC_ALL=C comm -23 <(cases "$given" '*') <(cases "$given" "$every")
    LC_ALL=C comm -23 <(cases "$given" '*' | sed 's/\..*//' | uniq) <(cases "$given" "$some" | sed 's/\..*//' | uniq)
    exit
fi
[ "$command" != prebuild ] || out=$build
[ -z "$prebuilt" ] || build=$prebuilt
mkdir -p -- "$out" "$build" || fail "cannot write to $out and $build"

rows=()
worst=0
# row NAME RESULT SECONDS DETAIL: passed, failed, unavailable. The JSON is whole after each, in case time runs out.
row() {
    rows+=("$1|$2|$3|$4")
    [ "$2" != failed ] || worst=1
    write_json
}

# timed LIMIT LOG COMMAND...: runs for LIMIT seconds at most, and until all is to end; sets limit, took and status, which is
# 124 where it was ended.
timed() {
    local log=$2 start=$SECONDS
    limit=$(($1 < end - SECONDS ? $1 : end - SECONDS))
    shift 2
    timeout --kill-after=5 "$limit" "$@" >"$out/$log" 2>&1
    status=$?
    [ "$status" -ne 137 ] || status=124
    took=$((SECONDS - start))
}

# wanted NAME: whether --only has it, and time is left for it.
wanted() {
    [[ ,$only, = *,$1,* ]] || return 1
    [ $((end - SECONDS)) -lt 2 ] || return 0
    row "$1" unavailable 0 "the $seconds s were over"
    return 1
}

build_all() {
    local end=$((SECONDS + 1080)) options=(-DEWC_BUILD_TESTS=ON -DEWC_BUILD_BENCH=OFF)
    command -v make >/dev/null || options+=(-G Ninja)
    # What is carried finds its libraries beside itself, whatever C++ library that machine has.
    # shellcheck disable=SC2016 # the loader's variable, not the shell's
    options+=('-DCMAKE_BUILD_RPATH=$ORIGIN' -DCMAKE_BUILD_RPATH_USE_ORIGIN=ON
        '-DCMAKE_EXE_LINKER_FLAGS=-static-libstdc++ -static-libgcc')
    timed 540 configure.log cmake -S "$root/cmake" -B "$build" "${options[@]}"
    [ "$status" -eq 0 ] && timed 540 build.log cmake --build "$build" --parallel "$(nproc)"
    if [ "$status" -ne 0 ]; then
        tail -n 20 "$out/configure.log" "$out/build.log" 2>/dev/null
        fail "the build failed; $out has the logs"
    fi
    build_probe || true # without nvcc there is none, and the sanitizers' row says so
}

# tests NAME PROGRAM: one row from GoogleTest's summary; a place that skipped everything is unavailable.
tests() {
    local name=$1 program=$2 passed skipped
    wanted "$name" || return 0
    if [ ! -x "$build/$program" ]; then
        row "$name" unavailable 0 "$program was not built"
        return
    fi
    timed 120 "$program.log" "$build/$program" --gtest_output="json:$out/$program.json"
    passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$out/$program.log" | tail -n 1)
    skipped=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$out/$program.log" | tail -n 1)
    if [ "$status" -eq 124 ]; then
        row "$name" failed "$took" "did not end within $limit s: $program.log"
    elif [ "$status" -ne 0 ]; then
        row "$name" failed "$took" "$(grep -c '^\[  FAILED  \].*(' "$out/$program.log") failed, exit $status: $program.log"
    elif [ "${passed:-0}" -eq 0 ]; then
        row "$name" unavailable "$took" "every case skipped (${skipped:-0}): $program.log says why"
    else
        row "$name" passed "$took" "$passed passed, ${skipped:-0} skipped"
    fi
}

# A program with one planted error for each tool, and beside it which nvcc has made the libraries.
build_probe() {
    local nvcc sm code=()
    cat >"$build/sanitizer_probe.cu" <<'PROBE'
#include <cstring>
__global__ void memcheck(int* p) { p[threadIdx.x + 1024] = 1; }
__global__ void racecheck(int* p) {
    __shared__ int s[64];
    s[threadIdx.x] = static_cast<int>(threadIdx.x);
    p[threadIdx.x] = s[63 - threadIdx.x];
}
__global__ void initcheck(int* p) { p[threadIdx.x] = p[threadIdx.x + 64] + 1; }
__global__ void synccheck(int* p) {
    if (threadIdx.x < 48) __syncthreads();
    p[threadIdx.x] = 1;
}
int main(int, char** argv) {
    int* p = nullptr;
    if (cudaMalloc(&p, 512) != cudaSuccess) return 3;
    if (std::strcmp(argv[1], "memcheck") == 0) memcheck<<<1, 64>>>(p);
    if (std::strcmp(argv[1], "racecheck") == 0) racecheck<<<1, 64>>>(p);
    if (std::strcmp(argv[1], "initcheck") == 0) initcheck<<<1, 64>>>(p);
    if (std::strcmp(argv[1], "synccheck") == 0) synccheck<<<1, 64>>>(p);
    // A kernel that was not launched is no planted error. The two codes are what a launched one may have left by now.
    const cudaError_t launch = cudaGetLastError();
    if (launch != cudaSuccess && launch != cudaErrorIllegalAddress && launch != cudaErrorLaunchFailure) return 4;
    cudaDeviceSynchronize();
    return 0;
}
PROBE
    # CMake's nvcc: the one that built the library.
    nvcc=$(sed -n 's/^CMAKE_CUDA_COMPILER:[A-Z]*=//p; s/^EWC_WORKING_NVCC:[A-Z]*=//p' "$build/CMakeCache.txt" | head -n 1)
    [ -n "$nvcc" ] || return 1
    "$nvcc" --version | sed -n 's/.*release \([^,]*\).*/nvcc \1/p' >"$build/nvcc"
    # As the library's: a driver older than nvcc takes no PTX of it.
    for sm in 80 90 100; do code+=("-gencode=arch=compute_$sm,code=sm_$sm"); done
    "$nvcc" "${code[@]}" -o "$build/sanitizer_probe" "$build/sanitizer_probe.cu" >"$out/probe-build.log" 2>&1
}

# What the programs need of the build, and the libraries that a bare machine may lack.
prebuild() {
    local target=$1 file
    build_all
    mkdir -p -- "$target" || fail "cannot write to $target"
    for file in ewc_tests ewc_shim_tests ewc_cuda_load_test ewc_cuda_tests sanitizer_probe libewc.so libewc_cuda.so nvcc; do
        [ ! -e "$build/$file" ] || cp -- "$build/$file" "$target/"
    done
    cp -L -- "$(c++ -print-file-name=libgomp.so.1)" "$target/"
    [ -e "$target/libewc_cuda.so" ] || fail "no nvcc here, so $target has nothing for a device"
}

find_sanitizer() {
    sanitizer=$(command -v compute-sanitizer) ||
        sanitizer=$(find /usr/local/cuda*/bin /opt/nvidia -maxdepth 3 -name compute-sanitizer 2>/dev/null | head -n 1)
    [ -n "$sanitizer" ]
}

# sanitize LIMIT TOOL FILTER OPTION...: the cuda cases that FILTER names, under TOOL, if it sees what was planted for it.
sanitize() {
    local most=$1 tool=$2 filter=$3 summary
    shift 3
    wanted "$tool" || return 0
    if ! find_sanitizer; then
        row "$tool" unavailable 0 "no compute-sanitizer on this machine"
        return
    elif [ ! -x "$build/sanitizer_probe" ]; then
        row "$tool" unavailable 0 "the probe was not built: probe-build.log"
        return
    fi
    # 9 only where the program itself ended with 0.
    timed 60 "probe-$tool.log" "$sanitizer" --tool "$tool" --error-exitcode 9 "$@" "$build/sanitizer_probe" "$tool"
    if [ "$status" -ne 9 ]; then
        row "$tool" unavailable "$took" "did not see a planted error (exit $status): probe-$tool.log"
        return
    fi
    wanted "$tool" || return 0
    timed "$most" "$tool.log" "$sanitizer" --tool "$tool" --error-exitcode 9 "$@" "$build/ewc_cuda_tests" \
        "--gtest_filter=$filter"
    summary=$(grep -h 'SUMMARY' "$out/$tool.log" | tail -n 1 | tr -d '=' | tr '|' ' ')
    if [ "$status" -eq 0 ] && grep -q '^\[  PASSED  \] [1-9]' "$out/$tool.log"; then
        row "$tool" passed "$took" "$summary, cases $filter"
    elif [ "$status" -eq 124 ] && ! grep -q "$found" "$out/$tool.log"; then
        row "$tool" unavailable "$took" "did not end within $limit s, nothing found by then: $tool.log"
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
if [ "$command" = prebuild ]; then
    prebuild "$given"
    exit
fi
rm -f -- "$out/contract_tests.json"
if [ -z "$prebuilt" ]; then
    for tool in cmake c++; do
        command -v "$tool" >/dev/null && continue
        row build unavailable 0 "no $tool on the path"
        print_table
        exit 0
    done
    build_all
    row build passed "$took" "$(grep -h 'libewc_cuda.so' "$out/configure.log" | sed 's/^-- //; s/|/ /g' | head -n 1)"
fi
[ ! -s "$build/nvcc" ] || nvcc_version=$(cat -- "$build/nvcc")
end=$((SECONDS + seconds))
# What only a device can show comes first, in case time runs out; of the sanitizers those that take the fewest cases.
tests cuda ewc_cuda_tests
sanitize 120 racecheck "$some"
sanitize 120 initcheck "$some"
sanitize 120 synccheck "$some"
# The cases take device memory some 100,000 times. What the runtime asks a driver for in vain is no error of theirs: all that
# they call themselves is checked.
sanitize 300 memcheck "$every" --report-api-errors no
tests load ewc_cuda_load_test
tests host ewc_tests
tests shim ewc_shim_tests
print_table
exit $worst
