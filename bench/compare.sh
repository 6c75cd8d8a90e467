#!/usr/bin/env bash
# Sets ewc4j against PyTorch on this machine: the same shape, batches and threads, a round of one after a round of the
# other, and prints the ratios.
#
#   bench/compare.sh [--shape pythia-70m] [--batch 4] [--length 32] [--questions CONFIG] [--threads 2] [--repeat 8]
#                    [--rounds 3] [--device cpu] [--precision fp32] [--json FILE]
#
# --repeat is the measured steps of each quantity in a round. Needs torch and transformers in the Python that PYTHON
# names, or in bench/venv; EWC4J (default: ./ewc4j of this clone) is the launcher of ewc4j, which runs with --gpu on a device.
set -euo pipefail

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
fail() {
    printf 'compare: %s\n' "$*" >&2
    exit 2
}

rounds=3 shape=pythia-70m threads=2 repeat=8 device=cpu precision=fp32 json=
arguments=()
command=("$(basename "$0")" "$@")
while [ $# -gt 0 ]; do
    case $1 in
        --shape | --batch | --length | --questions | --threads | --repeat | --rounds | --device | --precision | \
            --json) ;;
        -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" && exit 0 ;;
        *) fail "unknown option $1; see bench/compare.sh --help" ;;
    esac
    [ $# -ge 2 ] || fail "$1 needs a value"
    case $1 in
        --shape) shape=$2 ;;
        --threads) threads=$2 ;;
        --repeat) repeat=$2 ;;
        --rounds) rounds=$2 ;;
        --device) device=$2 ;;
        --precision) precision=$2 ;;
        --json) json=$2 ;;
        *) arguments+=("$1" "$2") ;;
    esac
    shift 2
done

python=${PYTHON:-}
if [ -z "$python" ]; then
    python=$here/venv/bin/python
    [ -x "$python" ] || python=python3
fi
"$python" -c 'import torch, transformers' 2>/dev/null || fail "$python has no torch and transformers; make a Python that has: \
python3 -m venv $here/venv && $here/venv/bin/pip install 'torch==2.13.0+cpu' transformers (or torch without +cpu)"

ewc4j=("${EWC4J:-$here/../ewc4j}")
[ "$device" = cpu ] || ewc4j+=(--gpu)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
for ((round = 1; round <= rounds; round++)); do
    echo "round $round of $rounds: ewc4j" >&2
    "${ewc4j[@]}" bench --shape "$shape" --threads "$threads" --repeat "$repeat" --device "$device" \
        --precision "$precision" "${arguments[@]}" \
        --rows "$work/rows.json" --json "$work/ewc4j-$round.json" >/dev/null
    echo "round $round of $rounds: PyTorch" >&2
    "$python" "$here/pytorch_step.py" --shape "$shape" --rows "$work/rows.json" --threads "$threads" \
        --device "$device" --precision "$precision" --json "$work/pytorch-$round.json"
done
"$python" "$here/ratios.py" "$work" "$rounds" "${command[*]}" "$json"
