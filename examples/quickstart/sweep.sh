#!/usr/bin/env bash
# The sweep behind the quick start's lambda and its control, as README states it: a run for each strength and seed, half a
# minute each, and a line of scores for each. Run from anywhere; runs go to runs/sweep in the working directory.
set -euo pipefail
clone=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)

run() { # fisher lambda seed
    local out=runs/sweep/$1-$2-seed$3
    "$clone/ewc4j" train "$clone/examples/quickstart.yaml" --output "$out" --overwrite \
        --set "ewc.fisher=$1" --set "ewc.lambda=$2" --set "training.seed=$3" --set "model.seed=$3" >/dev/null 2>&1
    printf '%-8s lambda %-6s seed %s ' "$1" "$2" "$3"
    awk '/"metrics"/ { m = 1 } m && /"(train|test)" :/ { split_name = $1 } m && /"average" :/ { printf " %s average %s", split_name, $3 }' \
        "$out/results.json"
    printf '\n'
}

for seed in 1 2; do
    run batch 0 "$seed"
    for lambda in 1e7 3e7 1e8; do run batch "$lambda" "$seed"; done
    for lambda in 0.03 0.1 0.3; do run uniform "$lambda" "$seed"; done
done
