#!/usr/bin/env python3
"""Makes model/tokenizer.json again: a byte-level BPE of 1,000 tokens, trained on facts.jsonl and nothing else.

Not needed to run the example. Needs the Python package `tokenizers` (made with 0.23).
"""
import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

here = Path(__file__).parent
texts = []
for line in (here / "facts.jsonl").read_text(encoding="utf-8").splitlines():
    row = json.loads(line)
    for question in (row["question"], row["test_question"]):
        texts.append(f"Question: {question}\n Short Answer: {row['answer']}")

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
tokenizer.train_from_iterator(
    texts,
    trainers.BpeTrainer(
        vocab_size=1000,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    ),
)
tokenizer.save(str(here / "model" / "tokenizer.json"))
