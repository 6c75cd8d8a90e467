"""Trains a byte-level BPE and writes it as tokenizer.json. Only Python's standard library; a thousand tokens take seconds."""
import json
import re
from collections import Counter, defaultdict

# GPT-2's pieces for ASCII text, which is all that the experiments have.
PIECES = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")
END = "<|endoftext|>"


def byte_characters():
    """What stands for each byte in the vocabulary: itself where it can be seen, else the next unused character."""
    characters, moved = {}, 256
    for byte in range(256):
        shown = 32 < byte < 127 or 160 < byte != 173
        characters[byte] = chr(byte if shown else moved)
        moved += not shown
    return characters


def train(texts, size):
    """The vocabulary (token -> id, END is 0) and the merges, most frequent pair first, ties by the pair."""
    characters = byte_characters()
    counts = Counter(piece for text in texts for piece in PIECES.findall(text))
    words = [[characters[byte] for byte in piece.encode()] for piece in counts]
    weights = list(counts.values())
    pairs, places = Counter(), defaultdict(set)
    for index, word in enumerate(words):
        for pair in zip(word, word[1:]):
            pairs[pair] += weights[index]
            places[pair].add(index)
    vocabulary = {END: 0}
    for byte in range(256):
        vocabulary[characters[byte]] = len(vocabulary)
    merges = []
    while len(vocabulary) < size and pairs:
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        if pairs[best] < 2:
            break
        merges.append(list(best))
        vocabulary["".join(best)] = len(vocabulary)
        for index in sorted(places.pop(best)):
            replace(words, weights, index, best, pairs, places)
        del pairs[best]
    return vocabulary, merges


def replace(words, weights, index, pair, pairs, places):
    """Joins a pair in one word, and keeps the counts of the pairs around it."""
    word = words[index]
    for old in zip(word, word[1:]):
        pairs[old] -= weights[index]
    joined, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            joined.append(word[i] + word[i + 1])
            i += 2
        else:
            joined.append(word[i])
            i += 1
    words[index] = joined
    for new in zip(joined, joined[1:]):
        pairs[new] += weights[index]
        places[new].add(index)


def write(path, texts, size):
    vocabulary, merges = train(texts, size)
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    added = {"id": 0, "content": END, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
             "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary, "merges": merges}
    content = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [added], "normalizer": None,
               "pre_tokenizer": level, "post_processor": None, "decoder": level, "model": model}
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return len(vocabulary)
