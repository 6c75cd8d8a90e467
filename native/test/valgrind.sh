#!/bin/sh
# The native tests under valgrind's memcheck: reads of memory that nobody wrote, which the sanitizers do not see.
#
#   native/test/valgrind.sh [--all] [BUILD]       a build with EWC_BUILD_TESTS=ON; target/cmake by default
#
# On the portable and the AVX2 kernels (valgrind knows no AVX-512), the contract's cases of the smaller lists, or all: memcheck is
# some thirty times slower, and those of the large ones take most of an hour.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
all=
[ "${1:-}" != --all ] || { all='*' && shift; }
build=${1:-$root/target/cmake}
command -v valgrind >/dev/null || { echo "needs valgrind: apt-get install valgrind" >&2; exit 2; }
check() {
    echo "valgrind: $*"
    OMP_WAIT_POLICY=PASSIVE EWC_INSTRUCTION_SET=portable valgrind --quiet --error-exitcode=1 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite "$@"
}
large='At/Contract.AdamWStep/*:At/Contract.FisherMerge/*:At/Contract.Convert*:At/Contract.PenaltyAndNorms/*'
large="$large:At/Contract.FisherAccumulate/*:At/Contract.FisherAccumulateLinear/*:At/Contract.FisherAccumulateLinearOfABias/*"
large="$large:Of/Properties.SameBitsForAnyThreadCount/*:Of/Properties.SkippedStep/*:At/Consolidation.AnchorMerge/*"
large="$large:At/Consolidation.FiveTasks*:At/Consolidation.DisplaceAndRestore/*:At/Consolidation.FisherMax/*"
small="Arguments.*:Chunks*:*/portable:*/avx2_misaligned:Of/AdamWPrepare*-$large"
check "$build/ewc_tests" --gtest_brief=1 --gtest_filter="${all:-$small}"
check "$build/ewc_abi_fuzz" 20000
