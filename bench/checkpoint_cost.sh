#!/usr/bin/env bash
# What a checkpoint costs: `ewc4j train` of a few steps from random weights of a public model's shape, with a checkpoint behind
# every step and with none, one after the other, the order changing from round to round. Prints, of each round, the seconds of
# the processor and of the clock that a checkpoint adds, and their share of a step's time where one is written every five minutes. Of
# the clock it is the worst case: checkpoints one behind the other, so that training waits for each.
#
#   bench/checkpoint_cost.sh [SHAPE [STEPS [ROUNDS]]]      (default pythia-70m 9 2; shapes as `ewc4j bench --shape` has them)
#
# EWC4J (default: ./ewc4j of this clone) is how ewc4j is started; TMPDIR is where the checkpoints are written.
set -euo pipefail
clone=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
shape=${1:-pythia-70m}
steps=${2:-9}
rounds=${3:-2}
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

mkdir "$work/model"
python3 -c 'import json, sys; json.dump(json.load(open(sys.argv[1]))[sys.argv[2]], open(sys.argv[3], "w"))' \
    "$clone/src/main/resources/org/ewc4j/bench/shapes.json" "$shape" "$work/model/config.json"
cp -- "$clone/examples/quickstart/model/tokenizer.json" "$work/model"
grep -F "$(head -n 1 "$clone/examples/quickstart/facts.jsonl" | grep -o '"task": *"[^"]*"')" \
    "$clone/examples/quickstart/facts.jsonl" >"$work/one.jsonl"

train() { # checkpoint.every_steps; prints seconds of the clock, of the processor for the user, and for the system
    TIMEFORMAT='%R %U %S'
    { time "${EWC4J:-$clone/ewc4j}" train "$clone/examples/quickstart.yaml" --output "$work/run" --overwrite \
        --set "model.path=$work/model" --set "tasks.file=$work/one.jsonl" --set "training.max_steps=$steps" \
        --set training.batch_size=4 --set training.warmup_steps=0 --set ewc.lambda=0 --set evaluation.every_task=false \
        --set evaluation.max_new_tokens=1 --set checkpoint.every_minutes=0 --set checkpoint.keep=1 \
        --set "checkpoint.every_steps=$1" >"$work/log" 2>&1; } 2>&1 || {
        cat "$work/log" >&2
        return 1
    }
}

for ((round = 1; round <= rounds; round++)); do
    if ((round % 2)); then
        none=$(train $((steps + 1)))
        each=$(train 1)
    else
        each=$(train 1)
        none=$(train $((steps + 1)))
    fi
    awk -v round="$round" -v steps="$steps" -v none="$none" -v each="$each" 'BEGIN {
        split(none, n); split(each, e)
        processor = (e[2] + e[3] - n[2] - n[3]) / steps
        clock = (e[1] - n[1]) / steps
        printf "round %d: a checkpoint: processor %.2f s, %.1f %% of 300 s; clock at worst %.2f s, %.1f %%\n",
            round, processor, processor / 3, clock, clock / 3
    }'
done
