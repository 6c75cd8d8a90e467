#!/usr/bin/env python3
"""Makes test checkpoints; not needed to build or test.

A zoo of small GPT-NeoX, GPT-2, LLaMA, Mistral, Qwen2 and Qwen3 directories with random settings: shapes, activations, rope kinds, both spellings of
config.json, dtypes, shards, names without the base prefix, old buffers, duplicates of tied tensors, tokenizers with and
without a leading special token. Needs torch, transformers, tokenizers and safetensors.

usage: make_checkpoints.py OUT TEXT.jsonl [--seeds N] [--first N]      TEXT: rows with q_train and answer, to train tokenizers on
"""
import argparse, json, os, random, shutil
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig,
                          MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

ACTIVATIONS = ["gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python", "gelu_python_tanh", "gelu_accurate",
               "quick_gelu", "relu", "silu", "swish"]


def byte_level(text, bos):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<s>", "<pad>"]
    tok.train_from_iterator(text, trainers.BpeTrainer(vocab_size=500, special_tokens=special, show_progress=False,
                            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if bos:
        tok.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return tok, dict(bos=1, eos=0, pad=2)


def byte_fallback(text, bos):
    """As the tokenizer.json of LLaMA: BPE with byte fallback, spaces as U+2581, no pre-tokenizer."""
    words = [" " + t for t in text]
    learned = Tokenizer(models.BPE(unk_token="<unk>"))
    learned.normalizer = normalizers.Replace(" ", "\u2581")
    learned.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="never")
    learned.train_from_iterator(words, trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>"], show_progress=False))
    model = json.loads(learned.to_str())["model"]
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2}
    for byte in range(256):
        vocab[f"<0x{byte:02X}>"] = len(vocab)
    for token in sorted(model["vocab"], key=model["vocab"].get):
        vocab.setdefault(token, len(vocab))
    merges = [tuple(m) for m in model["merges"]]
    tok = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tok.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tok.add_special_tokens(["<unk>", "<s>", "</s>"])
    if bos:
        tok.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return tok, dict(bos=1, eos=2, pad=0)


def gpt_neox(r, common):
    heads = r.choice([1, 2, 3, 4, 5]); size = r.choice([6, 8, 12, 14, 16, 20])
    fraction = r.choice([0.25, 0.25, 0.5, 1.0, 0.4, 0.75])
    if int(size * fraction) < 1 or int(size * fraction) + int(size * fraction) % 2 > size:
        fraction = 1.0
    rope = dict(rope_type="default", rope_theta=r.choice([10000.0, 500.0, 500000.0]), partial_rotary_factor=fraction)
    if r.random() < 0.2:
        rope.update(rope_type="linear", factor=r.choice([2.0, 4.0]))
    config = GPTNeoXConfig(
        hidden_size=heads * size, num_attention_heads=heads, num_hidden_layers=r.choice([1, 2, 3, 4]),
        intermediate_size=r.choice([4 * heads * size, 37, 96]), hidden_act=r.choice(ACTIVATIONS), rope_parameters=rope,
        use_parallel_residual=r.random() < 0.6, attention_bias=r.random() < 0.7, tie_word_embeddings=r.random() < 0.3,
        layer_norm_eps=r.choice([1e-5, 1e-6, 1e-3]), attention_dropout=0.0, hidden_dropout=0.0, **common)
    return config, GPTNeoXForCausalLM


def gpt2(r, common):
    heads = r.choice([1, 2, 3, 5, 7]); size = r.choice([4, 7, 8, 9, 16])
    positions = common.pop("max_position_embeddings")
    config = GPT2Config(
        n_embd=heads * size, n_head=heads, n_layer=r.choice([1, 2, 3, 4]), n_inner=r.choice([None, 50, 101]), n_positions=positions,
        activation_function=r.choice(ACTIVATIONS), scale_attn_weights=r.random() < 0.7,
        scale_attn_by_inverse_layer_idx=r.random() < 0.4, reorder_and_upcast_attn=r.random() < 0.4,
        tie_word_embeddings=r.random() < 0.6, layer_norm_epsilon=r.choice([1e-5, 1e-6, 1e-3]),
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **common)
    return config, GPT2LMHeadModel


def llama_rope(r):
    rope = dict(rope_type="default", rope_theta=r.choice([10000.0, 500000.0, 100.0]))
    kind = r.random()
    if kind < 0.35:
        rope.update(rope_type="llama3", factor=r.choice([8.0, 32.0, 2.5]), low_freq_factor=1.0, high_freq_factor=4.0,
                    original_max_position_embeddings=r.choice([64, 32, 8192]))
    elif kind < 0.5:
        rope.update(rope_type="linear", factor=r.choice([2.0, 3.0]))
    return rope


def llama(r, common):
    heads = r.choice([1, 2, 4, 6, 8]); size = r.choice([6, 8, 10, 16])
    rope = llama_rope(r)
    config = LlamaConfig(
        hidden_size=heads * r.choice([size, size, 6, 8]), num_attention_heads=heads, head_dim=size,
        num_key_value_heads=r.choice([d for d in range(1, heads + 1) if heads % d == 0]), num_hidden_layers=r.choice([1, 2, 3, 4]),
        intermediate_size=r.choice([40, 97, 128]), hidden_act=r.choice(["silu"] * 4 + ACTIVATIONS), rope_parameters=rope,
        attention_bias=r.random() < 0.3, mlp_bias=r.random() < 0.3, tie_word_embeddings=r.random() < 0.5,
        rms_norm_eps=r.choice([1e-5, 1e-6, 1e-3]), attention_dropout=0.0, **common)
    return config, LlamaForCausalLM


def skeleton(r):
    """What the rest of LLaMA's family shares with it."""
    heads = r.choice([1, 2, 4, 6, 8])
    return dict(
        num_attention_heads=heads, num_key_value_heads=r.choice([d for d in range(1, heads + 1) if heads % d == 0]),
        num_hidden_layers=r.choice([1, 2, 3, 4]), intermediate_size=r.choice([40, 97, 128]), hidden_act=r.choice(["silu"] * 4 + ACTIVATIONS),
        rope_parameters=llama_rope(r), tie_word_embeddings=r.random() < 0.5, rms_norm_eps=r.choice([1e-5, 1e-6, 1e-3]),
        attention_dropout=0.0)


def mistral(r, common):
    shape = skeleton(r); size = r.choice([6, 8, 10, 16])
    # No window of 1: transformers 5.18 generates by it with its cache what it does not generate without.
    config = MistralConfig(
        hidden_size=shape["num_attention_heads"] * r.choice([size, 6, 8]), head_dim=size,
        sliding_window=r.choice([None, 2, 3, 4, 5, 16, 4096]), **shape, **common)
    return config, MistralForCausalLM


def qwen2(r, common):
    shape = skeleton(r)
    config = Qwen2Config(
        hidden_size=shape["num_attention_heads"] * r.choice([6, 8, 10, 16]), use_sliding_window=r.random() < 0.3, sliding_window=5,
        **shape, **common)
    return config, Qwen2ForCausalLM


def qwen3(r, common):
    shape = skeleton(r)
    config = Qwen3Config(
        hidden_size=r.choice([24, 40, 48]), head_dim=r.choice([6, 8, 10, 16]), attention_bias=r.random() < 0.4, **shape, **common)
    return config, Qwen3ForCausalLM


def randomize(model, deviation, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() == 1:
                norm = name.endswith("weight") and ("norm" in name or "ln_" in name)
                parameter.copy_(norm + 0.1 * noise)
            else:
                parameter.copy_(deviation * noise)


def version4(config, r):
    """config.json as transformers 4 wrote it."""
    d = config.to_dict()
    rope = d.pop("rope_parameters", None)
    d.pop("dtype", None)
    if rope is not None:
        neox = config.model_type == "gpt_neox"
        d["rotary_emb_base" if neox else "rope_theta"] = rope.pop("rope_theta")
        if neox:
            d["rotary_pct"] = rope.pop("partial_rotary_factor")
        scaling = None
        if rope["rope_type"] != "default":
            scaling = rope
            if r.random() < 0.5 and rope["rope_type"] == "linear":
                scaling["type"] = scaling.pop("rope_type")
        d["rope_scaling"] = scaling
    d["transformers_version"] = "4.40.0"
    return d


def stored(model, config, r, notes):
    """The tensors as a checkpoint may hold them."""
    tensors = {n: p.detach().clone() for n, p in model.named_parameters()}
    base = {"gpt_neox": "gpt_neox.", "gpt2": "transformer."}.get(config.model_type, "model.")
    head = "embed_out.weight" if config.model_type == "gpt_neox" else "lm_head.weight"
    if "lm_head.weight" in tensors:
        if head != "lm_head.weight" and r.random() < 0.75:
            tensors[head] = tensors.pop("lm_head.weight")
    elif config.tie_word_embeddings and r.random() < 0.5:
        tensors[head] = model.get_input_embeddings().weight.detach().clone()
        notes.append("duplicate")
    if r.random() < 0.3:
        tensors = {n[len(base):] if n.startswith(base) else n: t for n, t in tensors.items()}
        notes.append("no-prefix")
        base = ""
    if r.random() < 0.4:
        notes.append("buffers")
        for layer in range(config.num_hidden_layers):
            causal = torch.ones(1, 1, 16, 16).tril()
            if config.model_type not in ("gpt2", "gpt_neox"):
                tensors[f"{base}layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.rand(4)
            else:
                at = f"{base}h.{layer}.attn." if config.model_type == "gpt2" else f"{base}layers.{layer}.attention."
                tensors[at + "bias"] = causal.to(r.choice([torch.uint8, torch.bool, torch.float32]))
                tensors[at + "masked_bias"] = torch.tensor(-1e4)
                if config.model_type == "gpt_neox":
                    tensors[at + "rotary_emb.inv_freq"] = torch.rand(4)
    return tensors


def write_weights(folder, tensors, dtype, shards):
    buffers = ("bias", "masked_bias", "inv_freq")
    def keep(name):
        return name.rsplit(".", 1)[1] in buffers and (".attn." + name.rsplit(".", 1)[1] in name or "inv_freq" in name
                                                       or ".attention." + name.rsplit(".", 1)[1] in name or name.endswith("masked_bias"))
    tensors = {n: t.contiguous() if keep(n) else t.to(dtype).contiguous() for n, t in tensors.items()}
    if shards == 1:
        save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
        return
    names = list(tensors)
    index = {"metadata": {"total_size": sum(t.numel() * t.element_size() for t in tensors.values())}, "weight_map": {}}
    for i in range(shards):
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        part = {n: tensors[n] for n in names[i::shards]}
        save_file(part, os.path.join(folder, file), metadata={"format": "pt"})
        index["weight_map"].update({n: file for n in part})
    json.dump(index, open(os.path.join(folder, "model.safetensors.index.json"), "w"))


def make(out, family, seed, text):
    r = random.Random(f"{family.__name__}{seed}")
    kind, bos = r.choice([byte_level, byte_fallback]), r.random() < 0.5
    tok, ids = kind(text, bos)
    vocabulary = tok.get_vocab_size() + r.choice([0, 0, 7, 30])
    pad = r.choice([ids["eos"], ids["pad"], None, tok.encode(" the", add_special_tokens=False).ids[-1]])
    eos = ids["eos"] if r.random() < 0.8 else [ids["eos"], ids["bos"]]
    common = dict(vocab_size=vocabulary, max_position_embeddings=r.choice([64, 256, 2048]), bos_token_id=ids["bos"], eos_token_id=eos,
                  pad_token_id=pad, initializer_range=r.choice([0.02, 0.05]))
    config, cls = family(r, common)
    model = cls(config).eval()
    deviation = r.choice([0.02, 0.05, 0.1, 0.2, 0.3])
    randomize(model, deviation, seed)
    dtype = r.choice([torch.float32, torch.float32, torch.float16, torch.bfloat16])
    notes = [f"std={deviation}", str(dtype)[6:], kind.__name__ + ("+bos" if bos else ""), f"pad={pad}"]
    name = f"{config.model_type}-{seed:02d}"
    folder = os.path.join(out, name)
    shutil.rmtree(folder, ignore_errors=True); os.makedirs(folder)
    old = r.random() < 0.5
    d = version4(config, r) if old else config.to_dict()
    d["torch_dtype" if old else "dtype"] = str(dtype)[6:]
    d["architectures"] = [cls.__name__]
    notes.append("v4" if old else "v5")
    if r.random() < 0.15:
        d.pop("architectures"); notes.append("no-architectures")
    shards = r.choice([1, 1, 1, 2, 3])
    tensors = stored(model, config, r, notes)
    if "no-prefix" in notes and "architectures" in d and "lm_head.weight" not in tensors and "embed_out.weight" not in tensors:
        d["architectures"] = [cls.__name__.replace("LMHeadModel", "Model").replace("ForCausalLM", "Model")]
    json.dump(d, open(os.path.join(folder, "config.json"), "w"), indent=1)
    write_weights(folder, tensors, dtype, shards)
    tok.save(os.path.join(folder, "tokenizer.json"))
    names = {i: t for t, i in tok.get_vocab().items()}
    json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": names[ids["bos"]], "eos_token": names[ids["eos"]]},
              open(os.path.join(folder, "tokenizer_config.json"), "w"))
    if r.random() < 0.5:
        json.dump({"bos_token_id": ids["bos"], "eos_token_id": eos, "pad_token_id": pad, "transformers_version": "5.18.0"},
                  open(os.path.join(folder, "generation_config.json"), "w"))
        notes.append("generation_config")
    if shards > 1:
        notes.append(f"shards={shards}")
    json.dump(dict(name=name, notes=notes), open(os.path.join(folder, "zoo.json"), "w"))
    print(name, *notes)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out"); parser.add_argument("text"); parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    a = parser.parse_args()
    rows = [json.loads(line) for line in open(a.text)]
    text = [f"Question: {r['q_train']}\n Short Answer: {r['answer']}" for r in rows]
    for family in (gpt_neox, gpt2, llama, mistral, qwen2, qwen3):
        for seed in range(a.first, a.first + a.seeds):
            make(a.out, family, seed, text)


if __name__ == "__main__":
    main()
