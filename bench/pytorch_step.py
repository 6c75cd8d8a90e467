#!/usr/bin/env python3
"""Times PyTorch doing what `ewc4j bench` times: the same shape, the same batches, the same threads, in turn.

    python bench/pytorch_step.py --shape pythia-70m --rows ROWS --threads 2 --json OUT [--device cuda:0] [--precision bf16]

ROWS is what `ewc4j bench --rows ROWS` wrote. The model is transformers', eager, with its default attention; rows are
left-padded to max_length as a data collator does, and the labels of prompt and padding are -100. Parameters are fp32; with
bf16 the forward pass runs under autocast, with tf32 matrix products round their operands (CUDA only). On a device each
operation is timed until the device has done it. --fused leaves out what steps with AdamW as it is without fused=True.

    forward_backward  zero_grad, forward, backward
    plain             the same and torch.optim.AdamW
    plain_fused       the same with AdamW(fused=True)
    ewc, ewc_fused    the loss plus lambda times the penalty, summed over the parameters through autograd, as public EWC
                      code writes it, then AdamW
    fisher            forward_backward, then F += n * grad ** 2 for each parameter
"""
import argparse
import contextlib
import json
import os
import platform
import resource
import statistics
import time

import torch
import transformers

SHAPES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../src/main/resources/org/ewc4j/bench/shapes.json")
LAMBDA = 5000


def spread(values):
    return statistics.median(values), min(values), max(values)


def batches(rows, padding, device):
    """Each round's input ids, mask, labels and positions, all (batch, max_length), on the device."""
    width = rows["max_length"]
    for batch in rows["batches"]:
        ids = torch.full((len(batch), width), padding)
        labels = torch.full((len(batch), width), -100)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        for i, row in enumerate(batch):
            given = torch.tensor(row["ids"])
            start = width - len(given)
            ids[i, start:] = given
            mask[i, start:] = 1
            labels[i, start + row["prompt"]:] = given[row["prompt"]:]
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        batch = dict(input_ids=ids, attention_mask=mask, labels=labels, position_ids=positions)
        yield {name: tensor.to(device) for name, tensor in batch.items()}


def open_model(shape, device):
    with open(SHAPES) as file:
        config = json.load(file)[shape]
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(**config)
    model = transformers.AutoModelForCausalLM.from_config(config).float().to(device)
    model.eval()  # dropout off, as in the shape; nothing else of these models depends on it
    return model, config


def operations(model, data, precision, fused_only):
    device = next(model.parameters()).device.type

    def loss_of(round):
        low = torch.autocast(device, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
        with low:
            return model(**data[round]).loss

    options = dict(lr=1e-5, weight_decay=5e-4)
    plain = torch.optim.AdamW(model.parameters(), **options)
    fused = torch.optim.AdamW(model.parameters(), fused=True, **options)
    fisher = {name: torch.rand_like(p) * 1e-6 for name, p in model.named_parameters()}
    anchor = {name: p.detach().clone() for name, p in model.named_parameters()}
    new_fisher = {name: torch.zeros_like(p) for name, p in model.named_parameters()}

    def forward_backward(round):
        model.zero_grad()
        loss_of(round).backward()

    def plain_step(optimizer):
        def run(round):
            optimizer.zero_grad()
            loss_of(round).backward()
            optimizer.step()
        return run

    def ewc_step(optimizer):
        def run(round):
            optimizer.zero_grad()
            loss = loss_of(round)
            penalty = 0
            for name, parameter in model.named_parameters():
                penalty = penalty + torch.sum(fisher[name] * (anchor[name] - parameter).pow(2)) / 2
            (loss + LAMBDA * penalty).backward()
            optimizer.step()
        return run

    def fisher_pass(round):
        forward_backward(round)
        examples = len(data[round]["input_ids"])
        for name, parameter in model.named_parameters():
            new_fisher[name] += examples * parameter.grad.data.pow(2)

    all_operations = {
        "forward_backward": forward_backward,
        "plain": plain_step(plain),
        "plain_fused": plain_step(fused),
        "ewc": ewc_step(plain),
        "ewc_fused": ewc_step(fused),
        "fisher": fisher_pass,
    }
    return {name: run for name, run in all_operations.items() if not (fused_only and name in ("plain", "ewc"))}


def main():
    parser = argparse.ArgumentParser(description="Times PyTorch's training step; see the head of this file.")
    parser.add_argument("--shape", default="pythia-70m")
    parser.add_argument("--rows", required=True, help="what `ewc4j bench --rows` wrote")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "tf32", "bf16"))
    parser.add_argument("--fused", action="store_true", help="only with the fused AdamW")
    parser.add_argument("--json", required=True)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with open(given.rows) as file:
        rows = json.load(file)
    on_device = given.device != "cpu"
    torch.set_float32_matmul_precision("high" if given.precision == "tf32" else "highest")
    model, config = open_model(given.shape, given.device)
    padding = config.pad_token_id if config.pad_token_id is not None else config.eos_token_id
    data = list(batches(rows, padding, given.device))
    wall, processor = {}, {}
    order = list(operations(model, data, given.precision, given.fused).items())
    for round in range(len(data)):
        for name, operation in order:
            started, computed = time.perf_counter(), time.process_time()
            operation(round)
            if on_device:
                torch.cuda.synchronize(given.device)
            if round >= rows["warm_up"]:
                wall.setdefault(name, []).append(1e3 * (time.perf_counter() - started))
                processor.setdefault(name, []).append(1e3 * (time.process_time() - computed))
        order.reverse()
    result = dict(
        python=platform.python_version(), torch=torch.__version__, transformers=transformers.__version__,
        parameters=sum(p.numel() for p in model.parameters()), threads=torch.get_num_threads(),
        device=torch.cuda.get_device_name(given.device) if on_device else "cpu", precision=given.precision,
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, step={})
    for name in wall:
        for suffix, values in (("_ms", wall[name]), ("_cpu_ms", processor[name])):
            key = name + suffix
            result["step"][key], result["step"][key + "_min"], result["step"][key + "_max"] = spread(values)
    with open(given.json, "w") as file:
        json.dump(result, file, indent=2)


if __name__ == "__main__":
    main()
