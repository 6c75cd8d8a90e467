#!/usr/bin/env bash
# Makes everything that a run on a GPU host without a registry needs, in parts that fit what one call may carry.
#
#   bench/gpu/pack.sh [--sm 90] [--part-mib 56] [--out FOLDER]
#
# Leaves FOLDER/part-NN/bytes and FOLDER/part-NN/sum (default carry/parts, which git ignores): a JRE made by jlink, ewc4j with
# the jars it needs, our native libraries, libtorch's CUDA build for one architecture, the contract's test programs, and the
# golden files and data beside the checkout where they are there. bench/gpu/README.md says how they are carried and unpacked.
# Needs what ./ewc4j --gpu build needs, nvcc, GoogleTest, xz, readelf and python3. The reduced libtorch is kept in carry/ and
# made again only where its jar is newer: it takes minutes.
set -euo pipefail
root=$(cd -- "$(dirname -- "$0")/../.." && pwd)
sm=90 part_mib=56 out=$root/carry/parts

fail() {
    echo "pack.sh: $*" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || fail "$1 needs a value"
    case $1 in
        --sm) sm=$2 ;;
        --part-mib) part_mib=$2 ;;
        --out) out=$2 ;;
        *) fail "unknown option $1: expected --sm, --part-mib or --out" ;;
    esac
    shift 2
done
for tool in xz readelf python3 split sha256sum; do
    command -v "$tool" >/dev/null || fail "no $tool on the path"
done

"$root/ewc4j" --gpu build
launch=$root/target/launch/gpu
torch_jar=$(find "$launch/lib" -name 'pytorch-*-linux-x86_64-gpu.jar')
[ -n "$torch_jar" ] || fail "$launch/lib has no libtorch for CUDA"

mkdir -p -- "$root/carry"
libtorch=$root/carry/libtorch-sm$sm.tar.xz
if [ ! -f "$libtorch" ] || [ "$torch_jar" -nt "$libtorch" ]; then
    python3 "$root/bench/gpu/pack_libtorch.py" "$torch_jar" "$libtorch" --sm "$sm"
fi

stage=$(mktemp -d "$root/carry/stage.XXXXXX")
trap 'rm -rf -- "$stage"' EXIT
home=$stage/home
mkdir -p -- "$home/lib" "$home/data"
javac=$(readlink -f -- "${JAVA_HOME:+$JAVA_HOME/bin/javac}" || true)
[ -n "$javac" ] || javac=$(readlink -f -- "$(command -v javac)") || fail "no JDK: set JAVA_HOME"
"${javac%/javac}/jlink" --add-modules java.base,java.logging,java.management,java.naming,java.xml,jdk.unsupported \
    --strip-debug --no-header-files --no-man-pages --output "$home/jre"
cp -- "$launch"/ewc4j-*.jar "$home/ewc4j.jar"
# CUDA's own libraries are that host's; libtorch comes as a folder.
find "$launch/lib" -name '*.jar' ! -name 'pytorch-*-linux-x86_64-gpu.jar' ! -name 'cuda-redist-*' \
    -exec cp -t "$home/lib" -- {} +
"$root/bench/gpu/contract_tests.sh" prebuild "$home/contract"
for item in golden data/concept1k.jsonl models/pythia-70m-shape; do
    if [ -e "$root/../shared/$item" ]; then
        mkdir -p -- "$home/data/$(dirname -- "$item")"
        cp -rL --no-preserve=mode -- "$root/../shared/$item" "$home/data/$item"
    else
        echo "pack.sh: no ../shared/$item: what needs it will be unavailable there" >&2
    fi
done
git -C "$root" rev-parse --short HEAD >"$home/commit" 2>/dev/null || echo unknown >"$home/commit"
tar -C "$home" -cf - . | xz -T0 -6 >"$stage/application.tar.xz"
ln -s -- "$libtorch" "$stage/libtorch.tar.xz"

rm -rf -- "$out"
mkdir -p -- "$out"
tar -C "$stage" -hcf - application.tar.xz libtorch.tar.xz |
    split --bytes="${part_mib}M" --numeric-suffixes --suffix-length=2 - "$out/bytes-"
count=$(find "$out" -name 'bytes-*' | wc -l)
for file in "$out"/bytes-*; do
    part=$out/part-${file##*-}
    mkdir -- "$part"
    mv -- "$file" "$part/bytes"
    printf '%s %s\n' "$count" "$(sha256sum <"$part/bytes" | cut -d ' ' -f 1)" >"$part/sum"
done
du -m -- "$stage/application.tar.xz" "$libtorch" "$out"/part-*
echo "$count parts in $out"
