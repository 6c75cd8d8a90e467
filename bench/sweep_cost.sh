#!/usr/bin/env bash
# What a sweep of five λ costs: the clock of `ewc4j sweep`, against that of `ewc4j train`, both on the first two of the quick start's
# domains with the same evaluation (training questions, after each task), one after the other, the order changing from
# round to round. Prints seconds and the ratio of each round; those of the processor for a machine that has other work.
#
#   bench/sweep_cost.sh [ROUNDS]      (default 2)
#
# EWC4J (default: ./ewc4j of this clone) is how ewc4j is started.
set -euo pipefail
clone=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
rounds=${1:-2}
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

# The first two tasks in the order of the file.
awk -F'"task":' '{ split($2, parts, "\""); name = parts[2] } !(name in seen) { seen[name] = ++count } seen[name] <= 2' \
    "$clone/examples/quickstart/facts.jsonl" >"$work/two.jsonl"
common=("$clone/examples/quickstart.yaml" --set "tasks.file=$work/two.jsonl" --set 'evaluation.splits=[train]'
    --set training.threads=1)

seconds() { # command: seconds of the clock, of the processor for the user, and for the system
    TIMEFORMAT='%R %U %S'
    { time "${EWC4J:-$clone/ewc4j}" "$@" >"$work/log" 2>&1; } 2>&1 || {
        cat "$work/log" >&2
        return 1
    }
}
train() { seconds train "${common[@]}" --output "$work/train" --overwrite; }
sweep() { seconds sweep "${common[@]}" --lambda 1e6,3e6,1e7,3e7,1e8 --output "$work/sweep" --overwrite; }

for ((round = 1; round <= rounds; round++)); do
    if ((round % 2)); then
        one=$(train)
        several=$(sweep)
    else
        several=$(sweep)
        one=$(train)
    fi
    awk -v round="$round" -v one="$one" -v several="$several" 'BEGIN {
        split(one, t); split(several, s)
        printf "round %d: clock: train %.1f s, sweep %.1f s, ratio %.2f; ", round, t[1], s[1], s[1] / t[1]
        printf "processor: train %.1f s, sweep %.1f s, ratio %.2f\n", t[2] + t[3], s[2] + s[3], (s[2] + s[3]) / (t[2] + t[3])
    }'
done
