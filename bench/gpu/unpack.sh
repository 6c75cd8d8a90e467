#!/usr/bin/env bash
# On the GPU host: takes the parts that a call carried, and unpacks once all are there.
#
#   bench/gpu/unpack.sh PARTS HOME
#
# PARTS is a folder of part-NN; HOME, outside the working tree so that it stays from call to call, keeps the parts until the
# last has come, then ewc4j (ewc4j.jar, lib, jre, libtorch, contract, data). Needs tar, sha256sum and python3, whose lzma stands in
# for xz. Exit code 0 where HOME is ready, 3 where parts are missing.
set -euo pipefail
[ $# = 2 ] || {
    echo "unpack.sh: expected PARTS and HOME" >&2
    exit 2
}
python3 -c 'import lzma, tarfile' || {
    echo "unpack.sh: needs a python3 with lzma" >&2
    exit 2
}
parts=$1 home=$2
mkdir -p -- "$home/parts"
for part in "$parts"/part-*; do
    [ -f "$part/sum" ] || continue
    read -r _ wanted <"$part/sum"
    came=$(sha256sum <"$part/bytes" | cut -d ' ' -f 1)
    [ "$came" = "$wanted" ] || {
        echo "unpack.sh: $part: sha256 $came, expected $wanted: carry it again" >&2
        exit 2
    }
    rm -rf -- "$home/parts/${part##*/}" "$home/ready"
    cp -r -- "$part" "$home/parts/"
done
[ ! -e "$home/ready" ] || exit 0
there=$(find "$home/parts" -mindepth 1 -maxdepth 1 -name 'part-*' | wc -l)
[ "$there" -gt 0 ] || {
    echo "unpack.sh: no part in $parts" >&2
    exit 3
}
read -r count _ <"$home/parts/part-00/sum" 2>/dev/null || count=unknown
if [ "$count" != "$there" ]; then
    echo "unpack.sh: $there of $count parts" >&2
    exit 3
fi
rm -rf -- "${home:?}"/{jre,lib,libtorch,data,contract}
cat -- "$home"/parts/part-*/bytes | tar -C "$home" -xf -
mkdir -- "$home/libtorch"
python3 -W ignore -m tarfile -e "$home/libtorch.tar.xz" "$home/libtorch" &
python3 -W ignore -m tarfile -e "$home/application.tar.xz" "$home"
wait $!
rm -rf -- "$home/parts" "$home/application.tar.xz" "$home/libtorch.tar.xz"
touch -- "$home/ready"
echo "unpacked into $home"
