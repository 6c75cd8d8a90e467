#!/bin/sh
# The native tests under valgrind's memcheck: reads of memory that nobody wrote, which the sanitizers do not see.
#
#   native/test/valgrind.sh [BUILD]       a build with EWC_BUILD_TESTS=ON; target/cmake by default
#
# On the portable kernels (valgrind knows no AVX-512), with the smaller lists: memcheck is some thirty times slower.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=${1:-$root/target/cmake}
command -v valgrind >/dev/null || { echo "needs valgrind: apt-get install valgrind" >&2; exit 2; }
check() {
    echo "valgrind: $*"
    EWC_INSTRUCTION_SET=portable valgrind --quiet --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite "$@"
}
check "$build/ewc_tests" --gtest_brief=1 --gtest_filter='Arguments.*:Chunks*:Of/Products.*/portable*'
check "$build/ewc_abi_fuzz" 20000
