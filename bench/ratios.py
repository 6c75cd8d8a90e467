"""The last step of compare.sh: ratios of ewc4j to PyTorch, round by round, as a table and as JSON."""
import json
import statistics
import sys

# What is compared: a name, ewc4j's figure, PyTorch's.
COMPARED = [
    ("forward + backward", "forward_backward", "forward_backward"),
    ("plain step, PyTorch AdamW", "plain", "plain"),
    ("plain step, PyTorch fused AdamW", "plain", "plain_fused"),
    ("EWC step, PyTorch AdamW", "ewc", "ewc"),
    ("EWC step, PyTorch fused AdamW", "ewc", "ewc_fused"),
    ("Fisher pass, batch", "batch", "fisher"),
]


def spread(values):
    return dict(median=statistics.median(values), min=min(values), max=max(values))


def figure(result, name):
    return (result["step"] | result.get("fisher", {}))[name]


def compared(ours, theirs, suffix):
    """By name: milliseconds of both and their ratio, each over the rounds; a round's own figure is a median."""
    table = {}
    for label, own, other in COMPARED:
        a = [figure(result, own + suffix) for result in ours]
        b = [figure(result, other + suffix) for result in theirs]
        table[label] = dict(ewc4j=spread(a), pytorch=spread(b), ratio=spread([x / y for x, y in zip(a, b)]))
    return table


def main():
    folder, rounds, command, target = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    ours = [json.load(open(f"{folder}/ewc4j-{i}.json")) for i in range(1, rounds + 1)]
    theirs = [json.load(open(f"{folder}/pytorch-{i}.json")) for i in range(1, rounds + 1)]
    first = ours[0]
    print(f"{first['shape']}, {first['batch']} rows of {first['rows']} ids, {first['length']} columns, {first['threads']} threads, "
          f"{first['device']}, {first['precision']}; torch {theirs[0]['torch']}, transformers {theirs[0]['transformers']}; median (min - max) of {rounds} rounds\n")
    wall, processor = compared(ours, theirs, "_ms"), compared(ours, theirs, "_cpu_ms")
    print("| | ewc4j ms | PyTorch ms | ewc4j / PyTorch | the same in CPU time |\n|---|---|---|---|---|")
    for label, row in wall.items():
        ratios = [f"{r['median']:.2f} ({r['min']:.2f} - {r['max']:.2f})" for r in (row["ratio"], processor[label]["ratio"])]
        print(f"| {label} | {row['ewc4j']['median']:.0f} | {row['pytorch']['median']:.0f} | {ratios[0]} | {ratios[1]} |")
    own = {
        "EWC step / plain step": spread([r["step"]["ewc_over_plain"] for r in ours]),
        "EWC step, F nowhere 0 / plain step": spread([r["step"]["ewc_dense_over_plain"] for r in ours]),
        "Fisher pass / forward + backward": spread([r["fisher"]["batch_over_forward_backward"] for r in ours]),
    }
    print("\n| ewc4j alone | |\n|---|---|")
    for label, r in own.items():
        print(f"| {label} | {r['median']:.3f} ({r['min']:.3f} - {r['max']:.3f}) |")
    kernels = {}
    for i, kernel in enumerate(first["kernels"]):
        shares = spread([r["kernels"][i]["share_of_copy"] for r in ours])
        speed = spread([r["kernels"][i]["gigabytes_per_second"] for r in ours])
        kernels[kernel["name"]] = dict(share_of_copy=shares, gigabytes_per_second=speed)
        print(f"| {kernel['name']}, GB/s and share of copy_ | {speed['median']:.1f}, "
              f"{shares['median']:.2f} ({shares['min']:.2f} - {shares['max']:.2f}) |")
    if target:
        with open(target, "w") as file:
            json.dump(dict(command=command, machine=first["machine"], ratios=wall, cpu_time_ratios=processor, ewc4j=own,
                           kernels=kernels, rounds=dict(ewc4j=ours, pytorch=theirs)), file, indent=1)


if __name__ == "__main__":
    main()
