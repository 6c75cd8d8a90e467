#!/usr/bin/env python3
"""Runs everything that wants a GPU, on a GPU host, from what pack.sh made and unpack.sh laid out.

    bench/gpu/run.py HOME [--out FOLDER] [--work FOLDER] [--device cuda:0] [--stages a,b,…] [--seconds N]

Stages: doctor, contract (the native contract on the device), golden (the reference trajectories in fp32), bench
(kernels, steps, against PyTorch on the same GPU), quickstart, memory (device memory over 2,000 steps), bench-fp32 (the Fisher
pass), sanitizer (the contract under compute-sanitizer). Prints one table last. Exit code 1 where something failed; what this
host does not have is unavailable, and not passed.

FOLDER (default $OUT, else target/gpu-run) gets two files, whole again after each stage: gpu_run.json, with the rows and all
figures, and logs.tar.gz, with the logs and the small files of the runs. The runs themselves lie in --work, or in a folder that
is removed. The stages together take --seconds at most, so that the table is printed before a host ends the call, and each has
a limit of its own: a command that runs at that time fails, and what would come behind it is unavailable.

--device cpu runs the same on the CPU, where memory and bench say nothing of a GPU: to try the scripts. Needs Python 3.8 and,
for bench, PyTorch with CUDA and transformers in the Python that PYTHON names (default: this one).
"""
import argparse
import datetime
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
import golden  # noqa: E402

MEMORY_TASKS, MEMORY_STEPS_A_TASK = 6, 500
SHAPE = "pythia-410m"
BENCH = ["--shape", SHAPE, "--batch", "32", "--length", "128"]
# A round is 7 steps and passes, then 4 times 2 steps and 2 passes, each three times over; three rounds of each come first. An
# H100 is guessed to take 45 ms for one in bf16 and 205 in fp32 (8.7 TFLOP at 220 and 45 TFLOP/s, and the optimizer), 200 and
# 260 for the two per-example Fishers. So a round takes 4.0 or 14.4 s, the first ones 7 or 21, the kernels and the start 20:
# 107 s in bf16, 99 in fp32.
ROUNDS = {"bf16": "20", "fp32": "4"}
# What comes back of the folder that is worked in: the small ones first, together at most so many bytes.
LOGS = (".json", ".jsonl", ".log", ".yaml")
LOGS_BYTES = 15 << 20


def cuda_folders():
    """As the launcher finds them: those named, the library path, toolkits, the wheels beside this Python's packages."""
    folders = os.environ.get("EWC4J_CUDA_LIBS", "").split(":") + os.environ.get("LD_LIBRARY_PATH", "").split(":")
    named = [os.environ.get(name, "") for name in ("CUDA_HOME", "CUDA_PATH")]
    for toolkit in named + ["/usr/local/cuda"] + sorted(glob.glob("/usr/local/cuda-13*")) + ["/opt/cuda"]:
        if toolkit and os.path.exists(os.path.join(toolkit, "lib64", "libcudart.so.13")):
            folders.append(os.path.join(toolkit, "lib64"))
    for path in sys.path:
        if os.path.exists(os.path.join(path, "nvidia", "cu13", "lib", "libcublas.so.13")):
            folders += sorted(glob.glob(os.path.join(path, "nvidia", "*", "lib")))
    return ":".join(folder for folder in folders if folder)


def end_session(session):
    """Ends a command with all that it started, in whatever process groups: the device is for the next one."""
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(stat) as file:
                if int(file.read().rpartition(")")[2].split()[3]) == session:
                    os.kill(int(stat.split("/")[2]), signal.SIGKILL)
        except (OSError, ValueError):
            continue  # it has ended


class OutOfTime(Exception):
    """A command was to start when its stage's time was over."""


class Run:
    def __init__(self, given, work):
        self.home = os.path.abspath(given.home)
        self.out = os.path.abspath(given.out)
        self.work = work
        self.device = given.device
        self.index = given.device.partition(":")[2] or "0"  # of the GPU
        self.end = time.monotonic() + given.seconds
        self.deadline = self.end  # of the stage
        self.rows = []
        self.results = {}  # what gpu_run.json has beside the rows, by key
        self.environment = dict(
            os.environ, LD_LIBRARY_PATH=cuda_folders(), OMP_WAIT_POLICY="PASSIVE", OPENBLAS_THREAD_TIMEOUT="4",
            GLIBC_TUNABLES="glibc.malloc.hugetlb=1", CUBLAS_WORKSPACE_CONFIG=":4096:8", LC_ALL="C.UTF-8")
        os.makedirs(self.out, exist_ok=True)

    def row(self, name, result, seconds, detail):
        """result: passed, failed, measured or unavailable."""
        self.rows.append(dict(name=name, result=result, seconds=round(seconds, 1), detail=detail))
        print(f"{name}: {result} ({detail})", flush=True)

    def stage(self, name):
        function, most = STAGES[name]
        started = time.monotonic()
        self.deadline = min(self.end, started + most)
        try:
            if started >= self.end:
                raise OutOfTime
            function(self)
        except OutOfTime:
            self.row(name, "unavailable", 0, "no time was left for it, or for the rest of it")
        except Exception as error:  # the other stages still have something to say
            log = f"{name}-traceback.log"
            with open(os.path.join(self.work, log), "w") as file:
                traceback.print_exc(file=file)
            self.row(name, "failed", time.monotonic() - started, f"{type(error).__name__}: {error}: {log}")
        self.write()

    def write(self):
        """Leaves in out what is known by now; what was there stays whole until then."""
        logs, results = os.path.join(self.out, "logs.tar.gz"), os.path.join(self.out, "gpu_run.json")
        with tarfile.open(logs + ".new", "w:gz") as archive:
            left_out = self.add_logs(archive)
        with open(results + ".new", "w") as file:
            json.dump(dict(self.results, rows=self.rows, logs_left_out=left_out), file, indent=1)
        for path in (logs, results):
            os.replace(path + ".new", path)

    def add_logs(self, archive):
        """Those of the stages and of their folders, not what lies deeper: checkpoints. Returns what did not fit."""
        paths = [path for depth in ("*", "*/*") for path in glob.glob(os.path.join(self.work, depth))
                 if path.endswith(LOGS) and os.path.isfile(path)]
        left, left_out = LOGS_BYTES, []
        for path in sorted(paths, key=os.path.getsize):
            name = os.path.relpath(path, self.work)
            if os.path.getsize(path) <= left:
                left -= os.path.getsize(path)
                archive.add(path, name)
            else:
                left_out.append(name)
        return left_out

    def run(self, log, command, environment=None):
        """Exit code, seconds taken and output of a command, whose output is also left in the log; 124 where time ran out."""
        started = time.monotonic()
        if started >= self.deadline:
            raise OutOfTime
        path = os.path.join(self.work, log)
        with open(path, "w") as file:
            try:
                process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                           env=environment or self.environment, start_new_session=True)
            except OSError as missing:
                return 127, 0.0, str(missing)
            try:
                code = process.wait(self.deadline - started)
            except subprocess.TimeoutExpired:
                code = 124
            finally:
                end_session(process.pid)
                process.wait()
        with open(path, errors="replace") as file:
            return code, time.monotonic() - started, file.read()

    def ewc4j(self, log, *arguments):
        home = self.home
        libraries = [os.path.join(home, "ewc4j.jar"), os.path.join(home, "lib", "*"), os.path.join(home, "libtorch")]
        return self.run(log, [
            os.path.join(home, "jre", "bin", "java"), "-XX:+UseSerialGC", "-XX:MaxRAMPercentage=25", "-Xlog:disable",
            "--enable-native-access=ALL-UNNAMED", f"-Duser.home={home}", "-Djava.awt.headless=true",
            "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0", "-DRUST_FLAVOR=cpu", "-Dai.djl.offline=true", "-cp",
            ":".join(libraries), "org.ewc4j.cli.Main", *arguments])

    def train(self, name, configuration, *arguments):
        folder = os.path.join(self.work, name)
        code, took, output = self.ewc4j(f"{name}.log", "train", configuration, "--output", folder, "--overwrite", "--set",
                                        f"device={self.device}", *arguments)
        return code, took, output, folder


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no output"


def why(code, took, output):
    """Of a command that failed."""
    return f"did not end within {took:.0f} s" if code == 124 else f"exit {code}: {last_line(output)}"


def doctor(run):
    code, took, output = run.ewc4j("doctor.log", "doctor")
    wanted = [line for line in output.splitlines() if line.startswith(("CUDA libraries", "libtorch", "GPU"))]
    detail = "; ".join(" ".join(line.split()) for line in wanted) or last_line(output)
    on_device = run.device == "cpu" or any(line.startswith("libtorch") and f", {run.device}: " in line for line in wanted)
    run.row("doctor", "passed" if code == 0 and on_device else "failed", took, detail)


def contract(run):
    contract_rows(run, "contract", "cuda,load")


def sanitizer(run):
    contract_rows(run, "sanitizer", "racecheck,initcheck,synccheck,memcheck")


def contract_rows(run, name, rows):
    folder = os.path.join(run.work, name)
    seconds = max(0, int(run.deadline - time.monotonic()) - 10)  # for it to end by itself
    code, took, output = run.run(f"{name}.log", [
        os.path.join(HERE, "contract_tests.sh"), "--out", folder, "--prebuilt", os.path.join(run.home, "contract"),
        "--seconds", str(seconds), "--only", rows])
    try:
        with open(os.path.join(folder, "contract_tests.json")) as file:
            for each in json.load(file)["rows"]:
                run.row(f"{name}: {each['name']}", each["result"], each["seconds"], each["detail"])
        whole = code in (0, 1)  # 1: one of the rows failed
    except OSError:
        whole = False
    if not whole:
        run.row(name, "failed", took, f"not all of it ran: {why(code, took, output)}")


def golden_parity(run):
    reference = os.path.join(run.home, "data", "golden")
    if not os.path.isdir(reference):
        run.row("golden", "unavailable", 0, "the golden files were not beside the checkout that was packed")
        return
    for architecture in golden.ARCHITECTURES:
        for variant, weight_decay, strength in golden.VARIANTS:
            name = "golden " + "-".join(filter(None, (architecture, variant)))
            configuration = os.path.join(run.work, name.replace(" ", "-") + ".yaml")
            with open(configuration, "w") as file:
                file.write(golden.settings(reference, architecture, weight_decay, strength))
            code, took, output, folder = run.train(name.replace(" ", "-"), configuration, "--set", "precision=fp32")
            if code:
                run.row(name, "failed", took, why(code, took, output))
                continue
            used = golden.compare(os.path.join(reference, architecture, variant), folder, strength)
            detail = ", ".join(f"{what} {share:.2f}" for what, share in used.items()) + " of the tolerance"
            run.row(name, "passed" if max(used.values()) <= 1 else "failed", took, detail)


def quickstart(run):
    code, took, output, folder = run.train("quickstart", os.path.join(ROOT, "examples", "quickstart.yaml"))
    if code:
        run.row("quickstart", "failed", took, why(code, took, output))
        return
    with open(os.path.join(folder, "results.json")) as file:
        scores = json.load(file)["matrix"]["train"][-1]
    average = sum(scores) / len(scores)
    run.row("quickstart", "passed" if average >= 60 else "failed", took,
            f"exact match on the training questions of all tasks at the end {average:.1f} % (60 or more expected)")


class MemoryWatch(threading.Thread):
    """Device memory in use, in MiB, with the number of steps written by then."""

    def __init__(self, steps, index):
        super().__init__(daemon=True)
        self.steps = steps
        self.index = index
        self.samples = []
        self.ended = threading.Event()

    def run(self):
        query = ["nvidia-smi", "-i", self.index, "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while not self.ended.wait(0.2):
            try:
                used = int(subprocess.check_output(query, text=True, timeout=10).split()[0])
                with open(self.steps, "rb") as file:
                    self.samples.append((sum(1 for _ in file), used))
            except (OSError, ValueError, IndexError, subprocess.SubprocessError):
                continue  # not yet there


def repeated_task(path):
    """The quick start's first task under several names: the same rows again, so that only a leak can take more memory."""
    with open(os.path.join(ROOT, "examples", "quickstart", "facts.jsonl")) as file:
        rows = [json.loads(line) for line in file]
    with open(path, "w") as file:
        for number in range(MEMORY_TASKS):
            for row in rows:
                if row["task"] == rows[0]["task"]:
                    file.write(json.dumps(dict(row, task=f"task {number}")) + "\n")


def memory(run):
    tasks = os.path.join(run.work, "memory-tasks.jsonl")
    repeated_task(tasks)
    watch = MemoryWatch(os.path.join(run.work, "memory", "steps.jsonl"), run.index)
    watch.start()
    try:
        code, took, output, _ = run.train(
            "memory", os.path.join(ROOT, "examples", "quickstart.yaml"), "--set", f"tasks.file={tasks}",
            "--set", "training.epochs=1000", "--set", f"training.max_steps={MEMORY_STEPS_A_TASK}",
            "--set", "evaluation.every_task=false")
    finally:
        watch.ended.set()
        watch.join()
    run.results["memory"] = [dict(steps=step, mib=used) for step, used in watch.samples]
    if code:
        run.row("memory", "failed", took, why(code, took, output))
        return
    # steps.jsonl appears, and grows, at the end of a task. The second task is the first under a penalty, and has the first
    # task's Fisher pass behind it; the last one's samples may be of the evaluation at the end.
    second, third, last = (number * MEMORY_STEPS_A_TASK for number in (1, 2, MEMORY_TASKS - 1))
    early = [used for step, used in watch.samples if second <= step < third]
    late = [used for step, used in watch.samples if third <= step < last]
    if not early or not late:
        run.row("memory", "unavailable", took, f"{len(early)} and {len(late)} samples before and after step {third}")
        return
    growth = max(late) - max(early)
    run.row("memory", "passed" if growth <= 0 else "failed", took,
            f"{max(early)} MiB in steps {second} to {third}, {max(late)} MiB up to step {last}")


def bench(run):
    rows = os.path.join(run.work, "rows.json")
    result = benched(run, "bf16", "--rows", rows)
    if result:
        kernels_and_steps(run, result)
        against_pytorch(run, result["step"], rows)


def bench_fp32(run):
    """The kernel of the per-example Fisher multiplies in fp32, and is measured against passes that do."""
    result = benched(run, "fp32")
    if result:
        ratio = result["fisher"]["example_over_forward_backward"]
        run.row("Fisher example / forward+backward", "passed" if ratio <= 1.3 else "failed", 0,
                f"{ratio:.2f} in fp32 (1.3 at most expected): {result['fisher']['example_ms']:.1f} and"
                f" {result['step']['forward_backward_ms']:.1f} ms")


def benched(run, precision, *arguments):
    """What `ewc4j bench` found; None, and a row, where it failed."""
    found = os.path.join(run.work, f"ewc4j-{precision}.json")
    code, took, output = run.ewc4j(f"bench-{precision}.log", "bench", "--device", run.device, *BENCH, "--precision", precision,
                                   "--repeat", ROUNDS[precision], *arguments, "--json", found)
    if code:
        run.row(f"bench {precision}", "failed", took, why(code, took, output))
        return None
    with open(found) as file:
        result = run.results[f"bench_{precision}"] = json.load(file)
    run.row(f"bench {precision}", "measured", took, f"bench_{precision} in gpu_run.json, rounds: {ROUNDS[precision]}")
    return result


def kernels_and_steps(run, result):
    for kernel in result["kernels"]:
        share = kernel["share_of_copy"]
        run.row("kernel " + kernel["name"], "passed" if share >= 0.90 else "failed", 0,
                f"{kernel['gigabytes_per_second']:.0f} GB/s, {share:.2f} of copy_ (0.90 or more expected)")
    step = result["step"]
    run.row("EWC step / plain step", "passed" if step["ewc_over_plain"] <= 1.04 else "failed", 0,
            f"{step['ewc_over_plain']:.3f} (1.04 at most expected): {step['ewc_ms']:.1f} and {step['plain_ms']:.1f} ms")
    copy = next(kernel for kernel in result["other_kernels"] if kernel["name"] == "copy_")
    least = 8 * result["parameters"] / copy["gigabytes_per_second"] * 1e-6
    cost = (step["ewc_over_plain"] - 1) * step["plain_ms"]  # by the ratio, which is of pairs
    run.row("EWC's cost", "passed" if cost <= 1.2 * least else "failed", 0,
            f"{cost:.2f} ms, {cost / least:.2f} of 8 bytes a parameter at copy_'s speed (1.2 at most expected)")


def against_pytorch(run, step, rows):
    theirs = os.path.join(run.work, "pytorch.json")
    code, took, output = run.run("pytorch.log", [
        os.environ.get("PYTHON", sys.executable), os.path.join(ROOT, "bench", "pytorch_step.py"), "--shape", SHAPE, "--rows",
        rows, "--device", run.device, "--precision", "bf16", "--fused", "--json", theirs], os.environ)  # its own CUDA libraries
    if code:
        missing = "No module named" in output
        run.row("PyTorch", "unavailable" if missing else "failed", took, why(code, took, output))
        return
    with open(theirs) as file:
        peer = run.results["pytorch"] = json.load(file)
    ratio = peer["step"]["ewc_fused_ms"] / step["ewc_ms"]
    run.row("EWC tokens/s / PyTorch's", "passed" if ratio >= 1.3 else "failed", took,
            f"{ratio:.2f} (1.3 or more expected): {step['tokens_per_second']:.0f} tokens/s, PyTorch {peer['torch']} with"
            f" fused AdamW {peer['step']['ewc_fused_ms']:.1f} ms a step")


def first_line(path):
    try:
        with open(path) as file:
            return file.readline().strip()
    except OSError:
        return "unknown"


def jar_version(home, name):
    """Of the jar lib/NAME-VERSION.jar."""
    found = re.compile(re.escape(name) + r"-([0-9.-]+)\.jar")
    jars = os.listdir(os.path.join(home, "lib")) if os.path.isdir(os.path.join(home, "lib")) else []
    return next((match.group(1) for match in map(found.fullmatch, jars) if match), "unknown")


def machine(run):
    code, _, output = run.run("nvidia-smi.log", ["nvidia-smi", "-i", run.index, "--format=csv,noheader",
                                                 "--query-gpu=name,driver_version,memory.total"])
    return dict(
        date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        gpu=output.strip() if code == 0 else "none", commit=first_line(os.path.join(run.home, "commit")), device=run.device,
        libtorch=jar_version(run.home, "pytorch"), cuda=jar_version(run.home, "cuda"),
        nvcc=first_line(os.path.join(run.home, "contract", "nvcc")), python=sys.version.split()[0])


# By name and in their order: what matters most comes first, and none that hangs takes the time of all. Seconds at most.
STAGES = {
    "doctor": (doctor, 60),
    "contract": (contract, 150),
    "golden": (golden_parity, 150),
    "bench": (bench, 240),
    "quickstart": (quickstart, 90),
    "memory": (memory, 120),
    "bench-fp32": (bench_fp32, 180),
    "sanitizer": (sanitizer, 600),
}


def table(run):
    for row in [dict(name="what", result="result", seconds="s", detail="detail")] + run.rows:
        print(f"{row['name']:<34} {row['result']:<12} {row['seconds']:>6}  {row['detail']}")


def main():
    parser = argparse.ArgumentParser(description="Runs everything that wants a GPU; see the head of this file.")
    parser.add_argument("home", help="what unpack.sh laid out")
    parser.add_argument("--out", default=os.environ.get("OUT", os.path.join(ROOT, "target", "gpu-run")))
    parser.add_argument("--work", help="a folder to work in, which stays")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--stages", default=",".join(STAGES), help="some of " + ",".join(STAGES))
    parser.add_argument("--seconds", type=int, default=570, help="that all of it may take")
    given = parser.parse_args()
    stages = given.stages.split(",")
    unknown = [stage for stage in stages if stage not in STAGES]
    if unknown:
        parser.error(f"--stages: {unknown[0]}: expected some of {', '.join(STAGES)}")
    if not os.path.exists(os.path.join(given.home, "ewc4j.jar")):
        parser.error(f"{given.home}: no ewc4j.jar; expected what unpack.sh laid out")
    work = os.path.abspath(given.work or tempfile.mkdtemp(prefix="ewc4j-gpu-"))
    os.makedirs(work, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of what ends a command
    run = Run(given, work)
    try:
        facts = machine(run)
        run.results.update(facts)
        for stage in stages:
            run.stage(stage)
    finally:
        run.write()
        if not given.work:
            shutil.rmtree(work, ignore_errors=True)
    print("\n" + ", ".join(f"{name} {value}" for name, value in facts.items()))
    table(run)
    sys.exit(1 if any(row["result"] == "failed" for row in run.rows) else 0)


if __name__ == "__main__":
    main()
