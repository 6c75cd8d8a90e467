"""run.py without a GPU: commands that leave what ewc4j and the contract's script would leave on one.

    python3 -m unittest discover -s bench/gpu
"""
import argparse
import os
import tempfile
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
for state in 500:300 1000:300 1500:LATE 2000:900; do
    echo "${state#*:}" >"$out/used"
    yes '{}' | head -n "${state%:*}" >"$out/steps.jsonl"
    sleep 0.5
done"""


class RunTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.run_ = run.Run(argparse.Namespace(home=self.folder, out=self.folder, device="cuda:0", seconds=20))

    def script(self, name, body):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write("#!/bin/bash\n" + body)
        os.chmod(path, 0o755)

    def results(self):
        return [row["result"] for row in self.run_.rows]

    def test_doctor_finds_the_device_that_libtorch_names(self):
        self.script("jre/bin/java", DOCTOR)
        run.doctor(self.run_)
        self.run_.device = "cuda:1"
        run.doctor(self.run_)
        self.assertEqual(["passed", "failed"], self.results())

    def test_memory_of_the_last_evaluation_is_no_leak(self):
        self.script("nvidia-smi", f"cat {self.folder}/memory/used")
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
        self.run_.seconds = 1
        with mock.patch.object(run, "HERE", self.folder):
            run.contract(self.run_)
        self.assertEqual(["passed", "failed"], self.results())


if __name__ == "__main__":
    unittest.main()
