"""What is compared: three experiments, their methods, and how each method is tuned.

A method is a set of configuration keys. Where it has a strength, that is tuned over its grid on the development seed, by the
experiment's one score for all, and the same value is then used with every seed of the tables. A grid whose best value is at
an end goes on there by its own factor, at most so many times.
"""
import math
from dataclasses import dataclass, field

DEVELOPMENT_SEED = 100
MOST_EXTENSIONS = 4


@dataclass(frozen=True)
class Method:
    name: str
    label: str
    settings: dict = field(default_factory=dict)
    tuned: str = ""  # the key that is tuned; none: nothing is
    grid: tuple = ()
    limit: float = math.inf  # no strength above it is tried
    joint: bool = False  # all tasks at once


@dataclass(frozen=True)
class Budget:
    """How much is run: a smoke test, what fits beside other work, or the whole."""

    seeds: tuple
    tasks: int  # of the WordNet sequences
    rows: int  # of a task
    epochs: int
    grid: int  # values tried of each grid, from its middle
    gloss_characters: int
    pretraining_epochs: int
    whole: bool  # whether the `batch` Fisher and merge schedules are compared too


BUDGETS = {
    "small": Budget((1,), 2, 8, 2, 1, 20_000, 1, False),
    "reduced": Budget((1, 2, 3), 10, 32, 30, 3, 400_000, 2, True),
    "full": Budget((1, 2, 3), 10, 48, 40, 5, 800_000, 4, True),
}


def around(middle, count):
    """Values a factor of about 3 apart, the middle one in the middle."""
    return tuple(float(f"{middle * 10 ** ((i - count // 2) / 2):.1e}") for i in range(count))


def ewc(fisher, middle, count, **more):
    return {"ewc.fisher": fisher, **more}, "ewc.lambda", around(middle, count)


def methods(budget, rate, middles, replay):
    """The methods of the tables. ``middles`` has the middle of each kind's grid of lambda."""
    count = budget.grid
    plain = {"ewc.lambda": 0}
    shuffled = {"ewc.fisher_shuffle": "true"}
    both = {"training.replay": replay}
    listed = [
        Method("plain", "plain fine-tuning", plain),
        Method("plain-rate", "plain, smaller learning rate", plain, "training.learning_rate", around(rate / 4, count), rate),
        Method("joint", "all tasks at once (upper bound)", plain, joint=True),
        Method("uniform", "L2 towards the last task (F = 1)", *ewc("uniform", middles["uniform"], count)),
        Method("shuffled", "EWC, `sampled` Fisher shuffled", *ewc("sampled", middles["sampled"], count, **shuffled)),
        Method("example", "EWC, `example` Fisher", *ewc("example", middles["example"], count)),
        Method("sampled", "EWC, `sampled` Fisher", *ewc("sampled", middles["sampled"], count)),
        Method("replay", f"replay, {replay} rows a task", {**plain, **both}),
        Method("replay-ewc", f"replay, {replay} rows, and EWC (`sampled`)", *ewc("sampled", middles["sampled"], count, **both)),
    ]
    if budget.whole:
        listed.append(Method("batch", "EWC, `batch` Fisher", *ewc("batch", middles["batch"], count)))
        for merge, more in (("sum", {}), ("max", {}), ("online", {"ewc.gamma": 0.9}), ("ema", {"ewc.alpha": 0.5})):
            label = f"EWC, `example`, merge `{merge}`" + "".join(f", {key.split('.')[1]} {value}" for key, value in more.items())
            settings = ewc("example", middles["example"], count, **{"ewc.merge": merge, **more})
            listed.append(Method(f"example-{merge}", label, *settings))
    return listed


FACTS = {"uniform": 0.1, "batch": 3e6, "example": 1e6, "sampled": 1e3}
FACTS_RATE, WORDS_RATE, KNOWN_RATE = 1e-3, 1e-3, 5e-4


def facts_methods(budget):
    return methods(budget, FACTS_RATE, FACTS, 8)


def words_methods(budget):
    kept = {"plain", "plain-rate", "joint", "uniform", "shuffled", "sampled", "replay", "replay-ewc"}
    return [method for method in methods(budget, WORDS_RATE, FACTS, 4) if method.name in kept]


def known_methods(budget):
    """From a pretrained model: with and without the protection of what it knows."""
    count = budget.grid
    protect, none = {"ewc.protect.weight": 3}, {"ewc.protect.weight": 0}
    plain = {"ewc.lambda": 0}
    return [
        Method("plain", "plain fine-tuning", plain),
        Method("plain-rate", "plain, smaller learning rate", plain, "training.learning_rate", around(KNOWN_RATE / 4, count), KNOWN_RATE),
        Method("joint", "all tasks at once (upper bound)", plain, joint=True),
        Method("uniform-protect", "L2, the start protected", *ewc("uniform", 0.1, count, **protect)),
        Method(
            "shuffled-protect",
            "EWC, the start protected, Fisher shuffled",
            *ewc("sampled", 1e2, count, **protect, **{"ewc.fisher_shuffle": "true"}),
        ),
        Method("sampled", "EWC, nothing protected", *ewc("sampled", 1e2, count, **none)),
        Method("sampled-protect", "EWC, the start protected", *ewc("sampled", 1e2, count, **protect)),
        Method("replay", "replay, 4 rows a task", {**plain, "training.replay": 4}),
        Method(
            "replay-protect",
            "replay, 4 rows, and EWC, the start protected",
            *ewc("sampled", 1e2, count, **protect, **{"training.replay": 4}),
        ),
    ]
