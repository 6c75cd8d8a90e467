#!/usr/bin/env python3
"""What transformers makes of a checkpoint, for TransformersParityTest; not needed to build or test.

fixtures OUT    makes the small checkpoints of src/test/resources/org/ewc4j/train/parity, with their expectations
expect DIR...   writes expected.json and expected.safetensors into checkpoint folders, as of make_checkpoints.py
reload DIR...   loads what the test saved (saved/ and trained/ in each folder) and says whether every key matched, every untouched
                weight has its bits, and the trained model has the logits of the one that was trained here

Made with torch 2.13.0, transformers 5.18.0, safetensors 0.8.0; expected.json notes what it was made with.
"""
import argparse, json, os, random, shutil, sys
import safetensors, torch, transformers
from safetensors.torch import load_file, save_file
from transformers import (AutoModelForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config,
                          Qwen3ForCausalLM)

# AdamW's usual ε of 1e-8 makes whole steps of gradients that are rounding noise; transformers then differs from itself, eager from sdpa.
STEPS, RATE, DECAY, EPSILON, NEW_TOKENS = 4, 2e-3, 0.1, 1e-5, 12


def batches(vocabulary, padding, seed):
    """Two batches of left-padded rows, about half of each row scored; the first has a row without padding."""
    r = random.Random(seed)
    made = []
    for lengths in ([9, 6, 3], [5, 9]):
        columns = max(lengths)
        ids = [[padding] * (columns - n) + [r.randrange(vocabulary) for _ in range(n)] for n in lengths]
        labels = [[-100] * (columns - n // 2 - 1) + row[columns - n // 2 - 1:] for row, n in zip(ids, lengths)]
        made.append(dict(input_ids=ids, labels=labels, lengths=lengths))
    return made


def forward(model, batch):
    columns = len(batch["input_ids"][0])
    mask = torch.tensor([[0] * (columns - n) + [1] * n for n in batch["lengths"]])
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    logits = model(input_ids=torch.tensor(batch["input_ids"]), attention_mask=mask, position_ids=positions).logits
    labels = torch.tensor(batch["labels"])
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1))
    return logits, loss


def greedy(model, prompts, eos, padding):
    longest = max(len(p) for p in prompts)
    ids = torch.tensor([[padding] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    rows = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=NEW_TOKENS, pad_token_id=padding)
    made = []
    for row in rows[:, longest:].tolist():
        ends = [i for i, token in enumerate(row) if token in eos]
        made.append(row[:ends[0] + 1] if ends else row)
    return made


def load(folder, dtype=torch.float32):
    model, info = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa", output_loading_info=True)
    return model.eval(), info


def expect(folder, seed=0):
    config = json.load(open(os.path.join(folder, "config.json")))
    model, _ = load(folder)
    eos = config["eos_token_id"] if isinstance(config["eos_token_id"], list) else [config["eos_token_id"]]
    vocabulary = model.config.vocab_size
    pad = config.get("pad_token_id")
    padding = pad if pad is not None else eos[0]
    made = batches(vocabulary, padding, seed)
    prompts = [row[len(row) - n:] for row, n in zip(made[0]["input_ids"], made[0]["lengths"])]
    with torch.no_grad():
        tensors = {"logits": forward(model, made[0])[0]}
        continuations = greedy(model, prompts, eos, padding)
    losses, norms = [], {}
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY, eps=EPSILON)
    for step in range(STEPS):
        optimizer.zero_grad()
        _, loss = forward(model, made[step % 2])
        loss.backward()
        if step == 0:
            norms = {n: p.grad.norm().item() for n, p in model.named_parameters()}
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        tensors["trained_logits"] = forward(model, made[0])[0]
    save_file({n: t.float().contiguous() for n, t in tensors.items()}, os.path.join(folder, "expected.safetensors"))
    versions = {m.__name__: m.__version__ for m in (torch, transformers, safetensors)}
    lines = dict(versions=versions, learning_rate=RATE, weight_decay=DECAY, epsilon=EPSILON, batches=made, prompts=prompts, greedy=continuations,
                 losses=losses, gradient_norms=norms)
    with open(os.path.join(folder, "expected.json"), "w") as out:
        out.write("{\n" + ",\n".join(f" {json.dumps(k)}: {json.dumps(v)}" for k, v in lines.items()) + "\n}\n")


def fixture_configs():
    """Every flag of the family at both of its values, in both spellings of config.json."""
    common = dict(vocab_size=19, hidden_size=12, intermediate_size=20, num_hidden_layers=2, max_position_embeddings=64,
                  bos_token_id=1, eos_token_id=0, rms_norm_eps=1e-5)
    rope = dict(rope_type="default", rope_theta=1000.0)
    heads = dict(num_attention_heads=4, num_key_value_heads=2)
    yield "mistral-window", MistralForCausalLM, MistralConfig(**dict(common, hidden_size=16), **heads, sliding_window=4, rope_parameters=rope), False
    yield "mistral-whole", MistralForCausalLM, MistralConfig(**common, **heads, head_dim=4, sliding_window=None, pad_token_id=2,
                                                             rope_parameters=rope), True
    yield "qwen2-tied", Qwen2ForCausalLM, Qwen2Config(**common, num_attention_heads=3, num_key_value_heads=1, rope_parameters=rope,
                                                      tie_word_embeddings=True), False
    yield "qwen2-linear", Qwen2ForCausalLM, Qwen2Config(**common, num_attention_heads=2, num_key_value_heads=2, pad_token_id=0,
                                                        rope_parameters=dict(rope, rope_type="linear", factor=2.0)), True
    yield "qwen3-tied", Qwen3ForCausalLM, Qwen3Config(**common, **heads, head_dim=6, rope_parameters=rope,
                                                      tie_word_embeddings=True), True
    yield "qwen3-bias", Qwen3ForCausalLM, Qwen3Config(**common, **heads, head_dim=4, rope_parameters=rope, attention_bias=True,
                                                      hidden_act="gelu_pytorch_tanh"), False


def fixtures(out):
    from make_checkpoints import randomize, version4
    for seed, (name, cls, config, old) in enumerate(fixture_configs()):
        folder = os.path.join(out, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        model = cls(config)
        randomize(model, 0.5, seed)
        tied = config.tie_word_embeddings
        tensors = {n: p.detach().to(torch.bfloat16).contiguous() for n, p in model.named_parameters() if not (tied and "lm_head" in n)}
        save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
        d = version4(config, random.Random(seed)) if old else config.to_dict()
        d["torch_dtype" if old else "dtype"] = "bfloat16"
        d["architectures"] = [cls.__name__]
        with open(os.path.join(folder, "config.json"), "w") as file:
            file.write(json.dumps(d, indent=1) + "\n")
        expect(folder, seed)
        print(name, sum(t.numel() for t in tensors.values()), "parameters")


def stored(folder):
    index = os.path.join(folder, "model.safetensors.index.json")
    files = sorted(set(json.load(open(index))["weight_map"].values())) if os.path.exists(index) else ["model.safetensors"]
    return {n: t for file in files for n, t in load_file(os.path.join(folder, file)).items()}


def reload(folder):
    faults = []
    expected = load_file(os.path.join(folder, "expected.safetensors"))
    batch = json.load(open(os.path.join(folder, "expected.json")))["batches"][0]
    for kind, key in (("saved", "logits"), ("trained", "trained_logits")):
        at = os.path.join(folder, kind)
        model, info = load(at)
        faults += [f"{kind}: {what} {sorted(found)[:3]}" for what, found in info.items() if found]
        before, _ = load(folder)
        if kind == "saved":
            after = dict(model.named_parameters())
            faults += [f"saved: {n} differs" for n, p in before.named_parameters() if not torch.equal(p, after[n])]
            dtypes = {t.dtype for n, t in stored(folder).items() if n.endswith("weight")}
            faults += [] if dtypes == {t.dtype for t in stored(at).values()} else [f"saved: dtypes {dtypes} became others"]
        with torch.no_grad():
            logits = forward(model, batch)[0]
        real = torch.tensor([[c >= len(r) - n for c in range(len(r))] for r, n in zip(batch["input_ids"], batch["lengths"])])
        worst = ((logits - expected[key])[real].abs().max() / expected[key].abs().max()).item()
        if worst > (1e-5 if kind == "saved" else 1e-3):
            faults.append(f"{kind}: logits differ by {worst:.1e} of the largest")
    print(os.path.basename(folder.rstrip("/")), "ok" if not faults else faults)
    return not faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["fixtures", "expect", "reload"])
    parser.add_argument("folders", nargs="+")
    a = parser.parse_args()
    transformers.logging.set_verbosity_error()
    if a.command == "fixtures":
        fixtures(a.folders[0])
    elif a.command == "expect":
        for folder in a.folders:
            expect(folder)
    elif not all([reload(folder) for folder in a.folders]):
        sys.exit(1)


if __name__ == "__main__":
    main()
