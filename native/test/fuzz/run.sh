#!/bin/sh
# Fuzzes the argument checks of the C ABI with Clang's libFuzzer, under AddressSanitizer and UndefinedBehaviorSanitizer.
#
#   native/test/fuzz/run.sh [RUNS [SECONDS]]      1,000,000 runs, at most 300 seconds
#
# The corpus, and what broke something, stay in target/fuzz/abi.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." && pwd)
command -v clang++ >/dev/null || { echo "needs clang and its sanitizers: apt-get install clang, with libclang-rt-N-dev of its version" >&2; exit 2; }
work=$root/target/fuzz/abi
mkdir -p "$work/corpus"
cd "$root/native"
# The portable kernels, on one thread: what is checked before a verb runs is the same for all.
clang++ -std=c++17 -g -O2 -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    -DEWC_INSTRUCTION_SET_NAMESPACE=portable -Wno-source-uses-openmp -Iinclude -Isrc -idirafter test/fuzz \
    src/*.cpp test/fuzz/abi_fuzz.cpp \
    -ldl -o "$work/abi_fuzz"
cd "$work"
exec ./abi_fuzz corpus -runs="${1:-1000000}" -max_total_time="${2:-300}" -max_len=1024 -len_control=0 -timeout=5 \
    -rss_limit_mb=2048 -print_final_stats=1
