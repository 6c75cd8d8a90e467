#!/usr/bin/env python3
"""What smaller state keeps: the experiment `facts` by EWC with the `sampled` Fisher, F and the anchor in each type.

    bench/experiments/state_types.py --budget reduced

Prints the table of docs/methods.md, "Smaller state": exact match at the end, and its difference to fp32, paired by seed. Every
run is kept in the working folder and not run again. λ is the one that run.py tuned for fp32; it needs no other, as λF is the same.
"""
import argparse
import dataclasses
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import data
import experiments
import page
from run import Runner

TYPES = [  # F, the anchor
    ("fp32", "fp32"),
    ("bf16", "fp32"),
    ("int8", "fp32"),
    ("fp32", "int16"),
    ("bf16", "int16"),
    ("int8", "int16"),
    ("fp32", "fp16"),
    ("bf16", "fp16"),
]
HEAD = "| F | θ* | train | retained | train − that of fp32 |\n|---|---|---|---|---|"


def method(fisher, anchor):
    settings = {"ewc.fisher": "sampled", "ewc.fisher_dtype": fisher, "ewc.anchor_dtype": anchor}
    return experiments.Method(f"{fisher}-{anchor}", f"F {fisher}, θ* {anchor}", settings, "ewc.lambda")


def row(types, scores, reference):
    """A line of the table, of the scores of each seed and those of fp32."""
    shown = [page.shown(getattr(score, key) for score in scores) for key in ("train", "retained")]
    mean, error = page.spread(one.train - other.train for one, other in zip(scores, reference))
    difference = "" if scores is reference else f"{mean:+.1f}" + ("" if error is None else f" ± {error:.1f}")
    return "| " + " | ".join([*types, *shown, difference]) + " |"


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", choices=experiments.BUDGETS, default="reduced")
    parser.add_argument("--strength", type=float, default=3200, help="lambda; default: %(default)g, docs/results.md")
    parser.add_argument("--seeds", help="separated by commas, in place of the budget's")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, of one thread each")
    parser.add_argument("--work", type=Path, default=Path("runs/experiments"), help="where runs are kept")
    parser.add_argument("--launcher", default=str(data.CLONE / "ewc4j"), help="command that is ewc4j")
    return parser.parse_args(arguments)


def main(given=None):
    arguments = parse(given)
    budget = experiments.BUDGETS[arguments.budget]
    if arguments.seeds:
        budget = dataclasses.replace(budget, seeds=tuple(int(seed) for seed in arguments.seeds.split(",")))
    arguments.work = (arguments.work / arguments.budget).resolve()
    data.make_facts(arguments.work, budget)
    runner = Runner(arguments)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        futures = {
            types: [pool.submit(runner.scores, "facts", method(*types), seed, arguments.strength) for seed in budget.seeds]
            for types in TYPES
        }
    rows = {types: [future.result() for future in of_seeds] for types, of_seeds in futures.items()}
    print("\n".join([HEAD, *(row(types, scores, rows[TYPES[0]]) for types, scores in rows.items())]))


if __name__ == "__main__":
    sys.exit(main())
