"""The scripts without the training: a small made-up WordNet, and a command that leaves what a run would leave.

    python3 -m unittest discover -s bench/experiments
"""
import contextlib
import io
import json
import math
import sys
import tempfile
import unittest
from pathlib import Path

import chart
import data
import experiments
import page
import run
import state_types
import tokenizer
import wordnet
from scores import Scores

# Stands for ewc4j: exact match and losses are functions of the settings, so that what the page says can be foretold.
PRETENDER = """
import json, sys
from pathlib import Path
words = sys.argv[1:]
settings = dict(words[i + 1].split("=", 1) for i, word in enumerate(words) if word == "--set")
configuration = json.loads(Path(words[1]).read_text())
output = Path(words[words.index("--output") + 1])
tasks = 1 if "joint" in settings.get("tasks.file", "") else 2
strength = float(settings.get("ewc.lambda", 0))
seed = int(settings["training.seed"])
final = 50 + (10 if strength else 0) + seed - (seed * 2 if settings.get("ewc.fisher_dtype") == "int8" else 0)
matrix = [[90.0 if i == j else final if j < i else None for j in range(tasks)] for i in range(tasks)]
split = lambda value: {"train": value, "test": value}
results = {"matrix": split(matrix), "metrics": split({"average": final}), "loss_metrics": split({"average": 1.0}),
           "seconds": {"train": 30.0, "fisher": 15.0, "evaluate": 15.0}}
if "protect" in configuration.get("ewc", {}):
    results["protected"] = {"loss": [1.0, 2.0], "perplexity": [2.7, 7.4]}
(output / "model").mkdir(parents=True)
(output / "task-00").mkdir()
(output / "results.json").write_text(json.dumps(results))
with open(output.parent.parent.parent / "started", "a") as log:
    log.write(str(output) + "\\n")
"""


def word(number):
    """A word of letters alone for a number."""
    return "".join("abcdefghijklmnopqrstuvwxyz"[number // 26**place % 26] for place in range(4)) + "et"


def made_up_wordnet(folder, nouns=120):
    """Each noun has one pointer of each relation, to the noun before it."""
    lines = ["  1 a licence"]
    for number in range(nouns):
        pointers = [f"{symbol} {max(0, number - 1):08d} n 0000" for symbol in wordnet.RELATIONS]
        lines.append(f"{number:08d} 03 n 01 {word(number)} 0 {len(pointers):03d} {' '.join(pointers)} "
                     f"| a thing that is known as number {number}; \"it is number {number}\"  ")
    (folder / "data.noun").write_text("\n".join(lines) + "\n", encoding="latin-1")
    for other in ("adj", "verb"):
        (folder / f"data.{other}").write_text("  1 a licence\n", encoding="latin-1")


class ExperimentsTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.folder = Path(self.scratch.name)
        (self.folder / "wordnet").mkdir()
        made_up_wordnet(self.folder / "wordnet")

    def test_tasks_have_words_of_their_own_and_are_drawn_by_the_seed(self):
        found = wordnet.synsets(self.folder / "wordnet")
        rows = wordnet.tasks(found, 3, 12, seed=5)
        self.assertEqual(rows, wordnet.tasks(found, 3, 12, seed=5))
        self.assertNotEqual(rows, wordnet.tasks(found, 3, 12, seed=6))
        self.assertEqual([row["task"] for row in rows], [f"part-{i // 12}" for i in range(36)])
        self.assertEqual(len({row["question"] for row in rows}), 36)
        number = {word(i): i for i in range(120)}
        kind = next(row for row in rows if row["question"].startswith("What kind of thing is"))
        subject = kind["question"].removeprefix("What kind of thing is ").removesuffix("?")
        self.assertEqual(number[kind["answer"]], number[subject] - 1)

    def test_a_noun_of_two_meanings_is_not_asked_for(self):
        path = self.folder / "wordnet" / "data.noun"
        again = path.read_text().splitlines()[5].split(" ", 1)
        path.write_text(path.read_text() + "99999999 " + again[1] + "\n")
        subjects = {subject for pool in wordnet.facts(wordnet.synsets(path.parent)).values() for subject, _ in pool}
        self.assertNotIn(word(4), subjects)
        self.assertIn(word(5), subjects)

    def test_a_trained_tokenizer_joins_the_most_frequent_pair_first(self):
        vocabulary, merges = tokenizer.train(["aab aab aab xy"], 260)
        self.assertEqual(merges[0], ["a", "b"])  # of "aab" once and " aab" twice; of a tie the later pair
        self.assertEqual(merges[1], ["a", "ab"])
        self.assertEqual(vocabulary["<|endoftext|>"], 0)
        self.assertEqual(sorted(vocabulary.values()), list(range(260)))

    def test_differences_are_paired_and_those_within_their_error_are_none(self):
        def experiment(one, other):
            def scores(values):
                return [Scores(value, 0, 0, 0, 0, None, None, None, 0) for value in values]
            methods = [experiments.Method("a", "A"), experiments.Method("b", "B")]
            return page.Experiment("facts", "", methods, {}, {"a": scores(one), "b": scores(other)})

        line = page.compare(experiment((10, 20, 30), (8, 17, 29)), "a", "b", "train", "points")
        self.assertIn("| +2.0 | 0.6 | higher |", line)  # differences 2, 3, 1
        line = page.compare(experiment((10, 20, 30), (11, 17, 31)), "a", "b", "train", "points")
        self.assertIn("| no difference seen |", line)
        line = page.compare(experiment((10,), (8,)), "a", "b", "train", "points")
        self.assertIn("one seed, no error known", line)
        self.assertIsNone(page.compare(experiment((1,), (2,)), "a", "c", "train", "points"))

    def test_two_methods_are_compared_at_every_strength(self):
        def scores(*values):
            return [Scores(value, 0, 0, 0, 0, None, None, None, 1) for value in values]
        methods = [experiments.Method("shuffled", "S"), experiments.Method("sampled", "E")]
        grids = {("shuffled", 1.0): scores(1, 2, 3), ("shuffled", 3.2): scores(4, 4, 4),
                 ("sampled", 1.0): scores(3, 5, 6), ("sampled", 3.2): scores(4, 5, 3)}
        tuned = {"shuffled": (1.0, []), "sampled": (3.2, [])}
        experiment = page.Experiment("facts", "", methods, tuned, {}, grids)
        self.assertEqual(page.at_each_strength(experiment).splitlines()[2:], [
            "| 1 | 4.7 ± 0.9 | 2.0 ± 0.6 | +2.7 | 0.3 | higher |",
            "| 3.2 | 4.0 ± 0.6 | 4.0 ± 0.0 | +0.0 | 0.6 | no difference seen |"])
        self.assertEqual(page.minutes(experiment), 6, "runs at the best strength are the table's")

    def test_a_grid_has_its_middle_in_the_middle(self):
        self.assertEqual(experiments.around(10, 3), (3.2, 10, 32))
        self.assertEqual(experiments.around(10, 1), (10,))

    def test_a_grid_goes_on_where_its_best_is_at_an_end(self):
        self.assertEqual(run.extension([1.0, 10.0, 100.0], 100.0), 1000)
        self.assertEqual(run.extension([1.0, 10.0, 100.0], 1.0), 0.1)
        self.assertIsNone(run.extension([1.0, 10.0, 100.0], 10.0))
        self.assertIsNone(run.extension([1.0], 1.0))

    def test_tuning_stops_at_the_peak_or_the_limit(self):
        class Fixed:
            @staticmethod
            def scores(experiment, method, seed, strength):
                return Scores(100 - abs(strength - 900), 0, 0, 0, 0, None, None, None, 0)

        free = experiments.Method("m", "M", {}, "ewc.lambda", (1, 10))
        best, curve = run.tune(Fixed, "facts", free)
        self.assertEqual((best, [strength for strength, _ in curve]), (1000, [1, 10, 100, 1000, 10000]))
        limited = experiments.Method("m", "M", {}, "ewc.lambda", (1, 10), 500)
        self.assertEqual(run.tune(Fixed, "facts", limited)[0], 100)

    def test_ticks_hold_the_values(self):
        for low, high in ((0, 100), (3.2, 3.3), (5, 5)):
            values = chart.ticks(low, high)
            self.assertTrue(values[0] <= low and values[-1] >= high and 2 <= len(values) <= 8, values)

    def test_the_whole_runs_once_and_says_what_came_of_it(self):
        pretender = self.folder / "pretender.py"
        pretender.write_text(PRETENDER)
        work, docs = self.folder / "work", self.folder / "docs"
        sys.argv = ["run.py", "--wordnet", str(self.folder / "wordnet"), "--budget", "small", "--work", str(work),
                    "--launcher", f"{sys.executable} {pretender}", "--output", str(docs)]
        run.say = lambda text: None
        run.main()

        text = (docs / "results.md").read_text()
        self.assertIn("| plain fine-tuning |  | 51.0 | 51.0 | 90.0 | 51.0 | 1.0 |", text)
        self.assertIn("| EWC, `sampled` Fisher | 1000 | 61.0 |", text)
        self.assertIn("| EWC, the start protected − EWC, nothing protected | train, points | +0.0 | – | one seed", text)
        self.assertIn("| 1000 | 61.0 | 61.0 | +0.0 | – | one seed", text)
        self.assertTrue(all((docs / f"results-{name}.svg").exists() for name in ("facts", "words", "known")))
        started = [line for log in work.rglob("started") for line in log.read_text().splitlines()]
        self.assertEqual(len(started), len(set(started)))
        self.assertFalse(list((work / "small" / "runs").rglob("task-00")), "what is large is not kept")
        run.main()
        again = [line for log in work.rglob("started") for line in log.read_text().splitlines()]
        self.assertEqual(again, started, "what was run is not run again")

    def test_types_of_state_are_compared_to_fp32_by_seed(self):
        pretender = self.folder / "pretender.py"
        pretender.write_text(PRETENDER)
        run.say = lambda text: None
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            state_types.main(["--budget", "small", "--seeds", "1,3", "--work", str(self.folder / "work"),
                              "--launcher", f"{sys.executable} {pretender}"])
        self.assertIn("| fp32 | fp32 | 62.0 ± 1.0 | 62.0 ± 1.0 |  |", printed.getvalue())
        self.assertIn("| int8 | fp32 | 58.0 ± 1.0 | 58.0 ± 1.0 | -4.0 ± 2.0 |", printed.getvalue())
        self.assertIn("| bf16 | int16 | 62.0 ± 1.0 | 62.0 ± 1.0 | +0.0 ± 0.0 |", printed.getvalue())

    def test_scores_of_a_joint_run_have_nothing_retained(self):
        results = {"matrix": {"train": [[80.0]]}, "metrics": {"train": {"average": 80.0}, "test": {"average": 40.0}},
                   "loss_metrics": {"train": {"average": 0.5}}, "seconds": {"train": 60.0, "fisher": 0.0, "evaluate": 0.0}}
        scores = Scores.of(results)
        self.assertIsNone(scores.retained)
        self.assertEqual(scores.tuning(), 80)
        protected = Scores.of({**results, "protected": {"loss": [1.0, 2.0], "perplexity": [math.e, math.e**2]}})
        self.assertEqual(protected.tuning(), -2.5)


if __name__ == "__main__":
    unittest.main()
