"""A run against the reference trajectories: every step's loss and penalty, the final weights, the merged Fisher.

Standard library only. The tolerances are those of GoldenTrajectoryTest.
"""
import array
import json
import math
import os
import struct

ARCHITECTURES = ("gpt_neox", "gpt2", "llama")
# Folder of the files, weight decay, lambda.
VARIANTS = (("", 5e-4, 5000), ("strong", 0.1, 5e6))


def settings(golden, architecture, weight_decay, strength):
    """The configuration of a reference run, as YAML, which JSON is."""
    return json.dumps(dict(
        model=os.path.join(golden, architecture, "model"),
        tasks=dict(file=os.path.join(golden, "tasks.jsonl"), task_field="task", question_field="q_train",
                   answer_field="answer"),
        prompt="Question: {question}\n Short Answer:",
        training=dict(epochs=2, batch_size=5, learning_rate=1e-3, weight_decay=weight_decay, max_length=32, shuffle=False),
        ewc={"lambda": strength},
        evaluation=dict(max_new_tokens=10, splits=["train"], every_task=False)))


def floats(path):
    """The F32 tensors of a safetensors file by the reference's names: transformers' in memory, where files keep embed_out."""
    with open(path, "rb") as file:
        data = file.read()
    (size,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            tensors[name.replace("embed_out.", "lm_head.")] = array.array("f", data[8 + size + start:8 + size + end])
    return tensors


def share(difference, tolerance):
    """Of a tolerance; what is not finite is beyond any: max() would pass over a NaN."""
    return difference / tolerance if math.isfinite(difference) else math.inf


def pairs(wanted, given):
    """By name: what was wanted and what came; None where a tensor is missing or of another size."""
    for name, values in wanted.items():
        if len(given.get(name, ())) != len(values):
            return None
    return [(values, given[name]) for name, values in wanted.items()]


def compare_steps(expected, run, strength):
    """The largest share of its tolerance that a step takes; above 1 is a miss."""
    with open(expected) as file:
        wanted = json.load(file)
    with open(os.path.join(run, "steps.jsonl")) as file:
        came = [json.loads(line) for line in file]
    if len(wanted) != len(came):
        return math.inf
    worst = 0.0
    for ours, theirs in zip(came, wanted):
        loss, penalty = float(ours["lm_loss"]), float(ours["penalty"])
        worst = max(worst, share(abs(loss / theirs["lm_loss"] - 1), 1e-5))
        if strength * theirs["penalty"] > 1e-3:
            worst = max(worst, share(abs(penalty / theirs["penalty"] - 1), 1e-4))
        else:
            worst = max(worst, share(strength * penalty, 1.1e-3))
    return worst


def compare_weights(expected, came):
    compared = pairs(floats(expected), floats(came))
    if compared is None:
        return math.inf
    entries = beyond = 0
    worst = 0.0
    for wanted, given in compared:
        for a, b in zip(wanted, given):
            worst = max(worst, share(abs(a - b), 2e-3))
            beyond += abs(a - b) > 1e-4
        entries += len(wanted)
    return max(worst, beyond / entries / 1e-3)


def compare_fisher(expected, came):
    compared = pairs(floats(expected), floats(came))
    if compared is None:
        return math.inf
    worst = 0.0
    for wanted, given in compared:
        norm = math.sqrt(sum(a * a for a in wanted))
        difference = math.sqrt(sum((a - b) ** 2 for a, b in zip(wanted, given)))
        if norm == 0.0:
            worst = max(worst, 0.0 if difference == 0.0 else math.inf)
        else:
            worst = max(worst, share(difference / norm, 1e-3))
    return worst


def compare(reference, run, strength):
    """By what was compared: the share of its tolerance that was used."""
    consolidations = sorted(name for name in os.listdir(run) if name.startswith("task-"))
    fisher = os.path.join(run, consolidations[-1], "consolidation", "fisher.safetensors")
    return dict(
        steps=compare_steps(os.path.join(reference, "steps.json"), run, strength),
        weights=compare_weights(os.path.join(reference, "weights.safetensors"),
                                os.path.join(run, "model", "model.safetensors")),
        fisher=compare_fisher(os.path.join(reference, "fisher.safetensors"), fisher))
