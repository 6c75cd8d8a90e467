"""run.py without a GPU: commands that leave what ewc4j and the contract's script would leave on one.

    python3 -m unittest discover -s bench/gpu
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
from unittest import mock

import run

DOCTOR = """cat <<'END'
native library   libewc ABI 1, host kernels avx512, CUDA: 1 device(s)
libtorch         CUDA build, cuda:0: NVIDIA H100 80GB HBM3, compute capability 9.0, 132 multiprocessors, 79.2 GiB
END"""
# Steps are seen at the end of a task; the evaluation at the end takes memory of its own.
TRAIN = """while [ $# -gt 0 ]; do [ "$1" = --output ] && out=$2; shift; done
mkdir -p "$out"
for state in 500:300 1000:300 2000:LATE 2500:900; do
    echo "${state#*:}" >"$out/used"
    yes '{}' | head -n "${state%:*}" >"$out/steps.jsonl"
    sleep 0.5
done"""


class RunTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.out = os.path.join(self.folder, "out")
        self.work = os.path.join(self.folder, "work")
        os.mkdir(self.work)
        self.run_ = run.Run(argparse.Namespace(home=self.folder, out=self.out, device="cuda:0", seconds=20), self.work)

    def script(self, name, body):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write("#!/bin/bash\n" + body)
        os.chmod(path, 0o755)

    def results(self):
        return [row["result"] for row in self.run_.rows]

    def came_back(self):
        """gpu_run.json, and the names in logs.tar.gz; nothing else comes back."""
        self.assertEqual({"gpu_run.json", "logs.tar.gz"}, set(os.listdir(self.out)))
        with tarfile.open(os.path.join(self.out, "logs.tar.gz")) as archive:
            names = archive.getnames()
        with open(os.path.join(self.out, "gpu_run.json")) as file:
            return json.load(file), names

    def stages(self, **functions):
        with mock.patch.object(run, "STAGES", {name: (function, 10) for name, function in functions.items()}):
            for name in functions:
                self.run_.stage(name)

    def test_a_stage_that_raises_has_failed_and_the_next_one_runs(self):
        self.stages(bench=lambda run_: {}["kernels"], memory=lambda run_: run_.row("memory", "passed", 0, ""))
        found, logs = self.came_back()
        self.assertEqual([("bench", "failed", "KeyError: 'kernels': bench-traceback.log"), ("memory", "passed", "")],
                         [(row["name"], row["result"], row["detail"]) for row in found["rows"]])
        self.assertEqual(["bench-traceback.log"], logs)

    def test_what_hangs_has_failed_and_what_comes_behind_its_time_is_unavailable(self):
        self.script("jre/bin/java", "sleep 60")

        def twice(run_):
            run.doctor(run_)
            run.doctor(run_)

        with mock.patch.object(run, "STAGES", dict(doctor=(twice, 0.5), golden=(run.golden_parity, 10))):
            self.run_.stage("doctor")
            self.run_.end = time.monotonic()
            self.run_.stage("golden")
        self.assertEqual(["failed", "unavailable", "unavailable"], self.results())

    def test_logs_are_what_is_small_and_lies_not_deep(self):
        for name, size in (("doctor.log", 10), ("golden/steps.jsonl", 20), ("golden/model.safetensors", 5),
                           ("golden/task-1/state.json", 5), ("large.log", 100), ("contract/contract_tests.json", 30)):
            self.script(f"work/{name}", "x" * size)
        with mock.patch.object(run, "LOGS_BYTES", 120):
            self.run_.write()
        found, logs = self.came_back()
        self.assertEqual(["doctor.log", "golden/steps.jsonl", "contract/contract_tests.json"], logs)
        self.assertEqual(["large.log"], found["logs_left_out"])

    def start(self, *arguments):
        self.script("ewc4j.jar", "")
        return subprocess.Popen([sys.executable, run.__file__, self.folder, "--out", self.out, *arguments],
                                stdout=subprocess.PIPE, text=True, env=dict(os.environ, TMPDIR=self.work))

    def test_the_whole_prints_a_table_and_leaves_nothing_else(self):
        self.script("jre/bin/java", DOCTOR)
        process = self.start("--stages", "doctor,golden")
        printed = process.communicate()[0]
        self.assertEqual(0, process.returncode)
        self.assertRegex(printed, "(?m)^doctor +passed .*\ngolden +unavailable")
        found, logs = self.came_back()
        self.assertEqual(["doctor", "golden"], [row["name"] for row in found["rows"]])
        self.assertIn("doctor.log", logs)
        self.assertEqual([], os.listdir(self.work))

    def test_a_call_that_is_ended_ends_its_command_and_keeps_the_rows(self):
        self.script("jre/bin/java", f"echo $$ >{self.folder}/pid; sleep 60")
        process = self.start("--stages", "golden,doctor")
        while not os.path.exists(os.path.join(self.folder, "pid")):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.communicate()
        self.assertEqual(143, process.returncode)
        self.assertEqual(["golden"], [row["name"] for row in self.came_back()[0]["rows"]])
        with open(os.path.join(self.folder, "pid")) as file:
            self.assertFalse(os.path.exists(f"/proc/{file.read().strip()}"))

    def test_doctor_finds_the_device_that_libtorch_names(self):
        self.script("jre/bin/java", DOCTOR)
        run.doctor(self.run_)
        self.run_.device = "cuda:1"
        run.doctor(self.run_)
        self.assertEqual(["passed", "failed"], self.results())

    def test_memory_of_the_last_evaluation_is_no_leak(self):
        self.script("nvidia-smi", f"cat {self.work}/memory/used")
        path = self.folder + ":" + os.environ["PATH"]
        with mock.patch.dict(os.environ, PATH=path):
            for late in ("300", "320"):
                self.script("jre/bin/java", TRAIN.replace("LATE", late))
                run.memory(self.run_)
        self.assertEqual(["passed", "failed"], self.results())

    def test_a_contract_that_is_cut_off_keeps_its_rows(self):
        self.script("contract_tests.sh", """
            mkdir -p "$2"
            echo '{"rows": [{"name": "host", "result": "passed", "seconds": 1, "detail": ""}]}' >"$2/contract_tests.json"
            timeout 60 sleep 60""")
        self.run_.deadline = time.monotonic() + 1
        with mock.patch.object(run, "HERE", self.folder):
            run.contract(self.run_)
        self.assertEqual(["passed", "failed"], self.results())
        self.assertEqual("contract: host", self.run_.rows[0]["name"])

    def bench(self, share=0.95, ewc=104.0, example=1.2, peer=140.0, without="", rounds=None):
        """Runs both stages on these figures, without those of one precision; the results by row."""
        kernel = dict(name="norm", gigabytes_per_second=2000.0, share_of_copy=share)
        copy = dict(name="copy_", gigabytes_per_second=8 * 4e8 / 4.0 * 1e-6)  # 8 bytes of 400 M parameters take 4 ms
        figures = dict(
            parameters=4e8, kernels=[kernel], other_kernels=[copy],
            step=dict(ewc_over_plain=ewc / 100, ewc_ms=rounds or ewc, plain_ms=100.0, forward_backward_ms=90.0,
                      tokens_per_second=1.0),
            fisher=dict(example_over_forward_backward=example, example_ms=90 * example))
        with open(os.path.join(self.folder, "figures.json"), "w") as file:
            json.dump(figures, file)
        with open(os.path.join(self.folder, "peer.json"), "w") as file:
            json.dump(dict(torch="2.10", step=dict(ewc_fused_ms=peer)), file)
        self.script("jre/bin/java", f"""
            case "$*" in *"--precision {without or 'none'}"*) exit 1 ;; esac
            cp {self.folder}/figures.json "${{@: -1}}" """)
        self.script("python", f'cp {self.folder}/peer.json "${{@: -1}}"')
        self.run_.rows.clear()
        with mock.patch.dict(os.environ, PYTHON=os.path.join(self.folder, "python")):
            run.bench(self.run_)
            run.bench_fp32(self.run_)
        return {row["name"]: row["result"] for row in self.run_.rows}

    def test_bench_passes_what_is_fast_enough(self):
        self.assertEqual({"passed", "measured"}, set(self.bench().values()))
        self.assertEqual({"bench_bf16", "bench_fp32", "pytorch"}, set(self.run_.results))

    def test_the_cost_is_that_of_the_pairs(self):
        self.assertEqual("passed", self.bench(ewc=104.0, rounds=110.0)["EWC's cost"])

    def test_bench_fails_each_figure_by_itself(self):
        for name, slow in (("kernel norm", dict(share=0.89)), ("EWC tokens/s / PyTorch's", dict(peer=130.0)),
                           ("Fisher example / forward+backward", dict(example=1.31))):
            rows = self.bench(**slow)
            self.assertEqual([name], [row for row, result in rows.items() if result == "failed"])
        rows = self.bench(ewc=105.0, peer=140.0)  # 5 ms, where 1.2 times 4 are allowed
        self.assertEqual("failed", rows["EWC step / plain step"])
        self.assertEqual("failed", rows["EWC's cost"])

    def test_bench_in_one_precision_does_without_the_other(self):
        self.assertEqual("failed", self.bench(without="bf16")["bench bf16"])
        self.assertEqual("passed", self.bench(without="bf16")["Fisher example / forward+backward"])
        self.assertEqual("passed", self.bench(without="fp32")["EWC's cost"])

    def test_the_gpu_is_that_of_the_device(self):
        self.script("nvidia-smi", 'echo "GPU $2"')
        self.run_.environment["PATH"] = self.folder + ":" + os.environ["PATH"]
        self.run_.index = "3"
        self.assertEqual("GPU 3", run.machine(self.run_)["gpu"])

    def test_versions_are_those_of_what_was_packed(self):
        for name in ("lib/pytorch-2.10.0-1.5.13.jar", "lib/cuda-13.1-9.19-1.5.13.jar",
                     "lib/cuda-13.1-9.19-1.5.13-linux-x86_64.jar", "lib/pytorch-platform-1.jar"):
            self.script(name, "")
        facts = run.machine(self.run_)
        self.assertEqual(("2.10.0-1.5.13", "13.1-9.19-1.5.13"), (facts["libtorch"], facts["cuda"]))

    def test_a_toolkit_may_lie_where_the_environment_says(self):
        self.script("toolkit/lib64/libcudart.so.13", "")
        for name in ("CUDA_HOME", "CUDA_PATH"):
            with mock.patch.dict(os.environ, {name: os.path.join(self.folder, "toolkit")}):
                self.assertIn(os.path.join(self.folder, "toolkit", "lib64"), run.cuda_folders().split(":"))


if __name__ == "__main__":
    unittest.main()
