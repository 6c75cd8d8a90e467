"""docs/results.md: tables, paired differences and curves, of what was run and nothing else."""
import math
import os
import platform
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import chart
import experiments

HEAD = """# Does it work? Results of the experiments

<!-- Made by bench/experiments/run.py from the runs' results.json; bench/experiments/README.md says how. -->

{when}, {machine}; budget `{budget}`: seeds {seeds}, development seed {development} for tuning alone, {epochs} epochs a task, {grid}
value{plural} tried of each strength. A seed draws the start (but of a pretrained model), the order of the rows and what is replayed. Every model
has 0.9 million parameters. Exact match in %: *train* on the questions trained on, *test* on the same facts asked in other words, both
averaged over all tasks at the end; *learned* is train when each task had just been learned, *retained* train at the end over all tasks
but the last. ± is the standard error over the seeds.

Every method's strength (λ, or the learning rate) is tuned alike: {grid} value{plural} a factor of about 3 apart, more behind an end of them as
long as the best is there ({most} at most), the one taken that scores best on the development seed. A difference is *no difference
seen* where it is within twice its standard error.

All runs below, those that tune them too, took {minutes:.0f} minutes, added up; two at a time run on two cores.
"""


@dataclass(frozen=True)
class Experiment:
    name: str
    title: str
    methods: list
    tuned: dict  # method name -> (strength, [(strength, Scores)])
    rows: dict  # method name -> [Scores], a seed each
    grids: dict = field(default_factory=dict)  # (method name, strength) -> [Scores], a seed each


def minutes(experiment):
    """Of every run behind a table and its picture; a method without a strength has one run on the development seed."""
    tuning = [scores for _, curve in experiment.tuned.values() for _, scores in curve]
    tables = [scores for rows in experiment.rows.values() for scores in rows]
    grids = [scores for (name, value), rows in experiment.grids.items() if value != experiment.tuned[name][0]
             for scores in rows]  # those at the best are the tables'
    return sum(scores.minutes for scores in tuning + tables + grids)


def spread(values):
    """Mean and its standard error; the latter None of one value."""
    values = list(values)
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return statistics.fmean(values), error


def shown(values, digits=1):
    values = list(values)
    if any(value is None for value in values):
        return "–"
    mean, error = spread(values)
    return f"{mean:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")


def strength(method, tuned):
    value = tuned[method.name][0]
    if value is None:
        return ""
    tried = [strength for strength, _ in tuned[method.name][1]]
    middle = value not in (tried[0], tried[-1]) or len(tried) == 1
    return f"{value:g}" + ("" if middle else " (end of the grid)")


def table(experiment):
    general = experiment.name == "known"
    lines = ["| method | strength | train | test | learned | retained |" + (" perplexity of general text |" if general else "") + " minutes |",
             "|---|---|---|---|---|---|" + ("---|" if general else "") + "---|"]
    for method in experiment.methods:
        rows = experiment.rows[method.name]
        cells = [method.label, strength(method, experiment.tuned)]
        cells += [shown(getattr(row, key) for row in rows) for key in ("train", "test", "learned", "retained")]
        if general:
            cells.append(shown((row.general for row in rows), 2))
        cells.append(f"{statistics.fmean(row.minutes for row in rows):.1f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def paired(one, other, digits=1):
    """Cells of the mean difference of two lists, of its standard error, and of what is seen."""
    mean, error = spread(a - b for a, b in zip(one, other))
    if error is None:
        return f"{mean:+.{digits}f} | – | one seed, no error known"
    verdict = "no difference seen" if abs(mean) <= 2 * error else "higher" if mean > 0 else "lower"
    return f"{mean:+.{digits}f} | {error:.{digits}f} | {verdict}"


def compare(experiment, better, worse, key, unit, digits=1):
    """A row of the paired differences; None where a method was not run."""
    if better not in experiment.rows or worse not in experiment.rows:
        return None
    one, other = ([getattr(scores, key) for scores in experiment.rows[name]] for name in (better, worse))
    labels = {method.name: method.label for method in experiment.methods}
    return f"| {labels[better]} − {labels[worse]} | {unit} | {paired(one, other, digits)} |"


PAIRS = {
    "facts": [("plain-rate", "plain"), ("uniform", "plain"), ("sampled", "plain"), ("sampled", "plain-rate"), ("sampled", "uniform"),
              ("sampled", "shuffled"), ("sampled", "example"), ("sampled", "batch"), ("example", "shuffled"), ("example-sum", "example"), ("example-max", "example"),
              ("example-online", "example"), ("example-ema", "example"),
              ("sampled", "replay"), ("example", "replay"), ("batch", "replay"), ("replay-ewc", "replay")],
    "words": [("uniform", "plain"), ("sampled", "plain"), ("sampled", "plain-rate"), ("sampled", "uniform"), ("sampled", "shuffled"),
              ("sampled", "replay"), ("replay-ewc", "replay")],
    "known": [("sampled", "plain"), ("sampled-protect", "sampled"), ("sampled-protect", "uniform-protect"),
              ("sampled-protect", "shuffled-protect"), ("sampled-protect", "plain-rate"), ("replay-protect", "replay")],
}


AT_EACH_STRENGTH = {"facts": ("sampled", "shuffled")}  # two methods of one grid, run at each of its strengths with every seed


def differences(experiment):
    rows = []
    for better, worse in PAIRS[experiment.name]:
        rows.append(compare(experiment, better, worse, "train", "train, points"))
        if experiment.name == "known":
            rows.append(compare(experiment, better, worse, "general", "perplexity of general text", 2))
    head = "| paired by seed | of | mean difference | standard error | |\n|---|---|---|---|---|"
    return "\n".join([head, *(row for row in rows if row)])


def at_each_strength(experiment):
    """Whether a difference hangs on the strengths that one seed chose: two methods at every strength of the grid that they share."""
    pair = AT_EACH_STRENGTH[experiment.name]
    labels = {method.name: method.label for method in experiment.methods}
    lines = [f"| λ | {labels[pair[0]]}, train | {labels[pair[1]]}, train | mean difference | standard error | |", "|---|---|---|---|---|---|"]
    for value in (value for name, value in experiment.grids if name == pair[0]):
        one, other = ([scores.train for scores in experiment.grids[name, value]] for name in pair)
        lines.append(f"| {value:g} | {shown(one)} | {shown(other)} | {paired(one, other)} |")
    return "\n".join(lines)


def curves(experiment, folder):
    """Learned against kept over the strengths, on the development seed."""
    known = experiment.name == "known"
    lines = []
    for method in experiment.methods:
        line = []
        for value, scores in experiment.tuned[method.name][1]:
            kept = scores.general if known else scores.retained
            if kept is not None:
                line.append((scores.learned, kept, f"{method.label}: {value:g}" if value is not None else method.label))
        if line:
            lines.append((method.name, line))
    file = f"results-{experiment.name}.svg"
    what = "perplexity of general text at the end" if known else "retained: train at the end, tasks before the last, %"
    chart.draw(folder / file, experiment.title, "learned: train when just learned, %", what, lines)
    return f"![{experiment.title}: learned against kept]({file})"


def section(experiment, folder, pretrained):
    parts = [f"## {experiment.title}\n"]
    if pretrained and experiment.name == "known":
        start = experiment.rows["plain"][0].general_start
        parts.append(f"The model was pretrained by `ewc4j train` on WordNet's glosses, a task of plain text; of glosses that it never saw its "
                     f"perplexity is {start:.2f}. *Protected* is: its Fisher on 256 rows of other glosses, of weight 3. Strengths are tuned by "
                     "the sum of the token losses of all tasks' training answers and of the general text.\n")
    parts += [table(experiment), "", differences(experiment), ""]
    if experiment.grids:
        parts += [at_each_strength(experiment), ""]
    parts += [curves(experiment, folder), "",
              "The picture has the development seed, a point for each strength; its points name themselves when pointed at.\n"]
    return "\n".join(parts)


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        return next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.machine())


def write(folder, found, budget_name, budget, pretrained):
    folder.mkdir(parents=True, exist_ok=True)
    head = HEAD.format(
        when=time.strftime("%d %B %Y").lstrip("0"), machine=f"{processor()}, {os.cpu_count()} cores, a thread a run", budget=budget_name,
        seeds=", ".join(map(str, budget.seeds)), development=experiments.DEVELOPMENT_SEED, epochs=budget.epochs, grid=budget.grid, most=experiments.MOST_EXTENSIONS,
        plural="" if budget.grid == 1 else "s", minutes=sum(map(minutes, found)))
    comment = Path(__file__).with_name("findings.md")
    parts = [head, *(section(experiment, folder, pretrained) for experiment in found)]
    if comment.exists():
        parts.insert(1, comment.read_text(encoding="utf-8").strip() + "\n")
    (folder / "results.md").write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")
