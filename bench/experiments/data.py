"""Makes the data, the tokenizer and the configurations of the experiments in a working folder."""
import json
from pathlib import Path

import tokenizer
import wordnet
from experiments import FACTS_RATE, KNOWN_RATE, WORDS_RATE

CLONE = Path(__file__).resolve().parents[2]
QUICKSTART = CLONE / "examples" / "quickstart"
VOCABULARY = 1000
LENGTH = 48  # tokens of a row; the longest question takes fewer


def read_json_lines(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def joint(rows):
    """The same rows as one task."""
    return [{**row, "task": "all"} for row in rows]


def make_facts(folder, budget):
    """The quick start's domains of facts, each cut to the budget's rows, and the configurations."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = read_json_lines(QUICKSTART / "facts.jsonl")
    by_task = {}
    for row in facts:
        by_task.setdefault(row["task"], []).append(row)
    facts = [row for rows in by_task.values() for row in rows[: budget.rows]]
    write_tasks(folder, "facts", facts)
    write_configurations(folder, budget)


def make(folder, wordnet_folder, budget):
    """Everything but the pretrained model; what is there is left as it is."""
    make_facts(folder, budget)
    if not (folder / "words.jsonl").exists():
        found = wordnet.synsets(wordnet_folder)
        rows = wordnet.tasks(found, budget.tasks, budget.rows, seed=1)
        texts = wordnet.glosses(found, budget.gloss_characters, seed=1)
        held = max(2, len(texts) // 20)
        write_texts(folder / "glosses.jsonl", texts[2 * held :])
        write_texts(folder / "general.jsonl", texts[held : 2 * held])
        write_texts(folder / "general-test.jsonl", texts[:held])
        model = folder / "model"
        model.mkdir(exist_ok=True)
        asked = [f"Question: {row['question']}\n Short Answer: {row['answer']}" for row in rows]
        size = tokenizer.write(model / "tokenizer.json", texts[:4000] + asked, VOCABULARY)
        config = json.loads((QUICKSTART / "model" / "config.json").read_text())
        (model / "config.json").write_text(json.dumps({**config, "vocab_size": size}, indent=1))
        write_tasks(folder, "words", rows)


def write_tasks(folder, name, rows):
    wordnet.write_json_lines(folder / f"{name}.jsonl", rows)
    wordnet.write_json_lines(folder / f"{name}-joint.jsonl", joint(rows))


def write_texts(path, texts):
    wordnet.write_json_lines(path, [{"text": text} for text in texts])


def write_configurations(folder, budget):
    training = {"epochs": budget.epochs, "batch_size": 16, "max_length": LENGTH, "threads": 1}
    asking = {"test_question_field": "test_question"}
    evaluation = {"max_new_tokens": 8}
    start = {"path": "model", "init": "random"}
    configurations = {
        "facts": {
            "model": {**start, "path": str(QUICKSTART / "model")},
            "tasks": {"file": "facts.jsonl", **asking},
            "training": {**training, "learning_rate": FACTS_RATE, "warmup_steps": 24},
            "evaluation": evaluation,
        },
        "words": {
            "model": start,
            "tasks": {"file": "words.jsonl", **asking},
            "training": {**training, "learning_rate": WORDS_RATE, "warmup_steps": 16},
            "evaluation": evaluation,
        },
        "pretraining": {
            "model": start,
            "tasks": [{"name": "glosses", "text": "glosses.jsonl", "test_text": "general-test.jsonl"}],
            "training": {
                **training,
                "epochs": budget.pretraining_epochs,
                "learning_rate": 2e-3,
                "schedule": "cosine",
                "warmup_steps": 50,
            },
            "ewc": {"lambda": 0},
            "evaluation": {"splits": ["test"]},
        },
        "known": {
            "model": {"path": "pretrained/model"},
            "tasks": {"file": "words.jsonl", **asking},
            "training": {**training, "learning_rate": KNOWN_RATE, "warmup_steps": 16},
            "ewc": {"protect": {"data": "general.jsonl", "test": "general-test.jsonl", "max_examples": 256, "weight": 0}},
            "evaluation": evaluation,
        },
    }
    for name, configuration in configurations.items():
        # JSON is YAML.
        (folder / f"{name}.yaml").write_text(json.dumps(configuration, indent=1), encoding="utf-8")
