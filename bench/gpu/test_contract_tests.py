"""contract_tests.sh without a GPU: programs and a compute-sanitizer that print what the real ones would.

    python3 -m unittest discover -s bench/gpu
"""
import json
import os
import subprocess
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "contract_tests.sh")
CASES = 'echo "[  PASSED  ] 7 tests."'
# Finds what is planted in the probe, and nothing in the cases.
SANITIZER = """
for program; do case $program in */sanitizer_probe) exit 9 ;; */ewc_cuda_tests) exec "$program" ;; esac; done"""
INVALID = 'echo "========= Invalid __global__ write of size 4 bytes"'


class ContractTestsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for name in ("ewc_cuda_tests", "ewc_cuda_load_test", "ewc_tests", "ewc_shim_tests"):
            self.script(name, CASES)
        self.script("sanitizer_probe", "")

    def script(self, name, body):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write("#!/bin/bash\n" + body)
        os.chmod(path, 0o755)

    def rows(self, *arguments, sanitizer=SANITIZER):
        """Result and detail by row, and the exit code."""
        self.script("compute-sanitizer", sanitizer)
        out = os.path.join(self.folder, "out")
        ended = subprocess.run([SCRIPT, "--out", out, "--prebuilt", self.folder, *arguments], stdout=subprocess.DEVNULL,
                               env=dict(os.environ, PATH=f"{self.folder}:{os.environ['PATH']}"), timeout=60)
        with open(os.path.join(out, "contract_tests.json")) as file:
            return {row["name"]: (row["result"], row["detail"]) for row in json.load(file)["rows"]}, ended.returncode

    def test_all_rows_pass(self):
        rows, code = self.rows()
        self.assertEqual(["cuda", "racecheck", "initcheck", "synccheck", "memcheck", "load", "host", "shim"], list(rows))
        self.assertEqual(({"passed"}, 0), ({result for result, _ in rows.values()}, code))

    def test_only_some(self):
        self.assertEqual(["load", "host"], list(self.rows("--only", "host,load")[0]))
        self.assertEqual(2, subprocess.run([SCRIPT, "--only", "hosts"], stderr=subprocess.DEVNULL).returncode)

    def test_a_sanitizer_that_misses_what_is_planted_is_unavailable(self):
        rows, code = self.rows("--only", "memcheck", sanitizer="exit 4")
        self.assertEqual((("unavailable", "did not see a planted error (exit 4): probe-memcheck.log"), 0),
                         (rows["memcheck"], code))

    def test_a_sanitizer_that_finds_something_has_failed(self):
        rows, code = self.rows("--only", "memcheck", sanitizer="exit 9")
        self.assertEqual(("failed", 1), (rows["memcheck"][0], code))

    def test_a_sanitizer_that_is_ended_is_unavailable_unless_it_has_found_something(self):
        self.script("ewc_cuda_tests", CASES + "; sleep 60")
        rows, code = self.rows("--only", "memcheck", "--seconds", "5")
        self.assertEqual(("unavailable", 0), (rows["memcheck"][0], code))
        self.assertRegex(rows["memcheck"][1], "did not end within [2-5] s")
        self.script("ewc_cuda_tests", f"{INVALID}; sleep 60")
        rows, code = self.rows("--only", "memcheck", "--seconds", "5")
        self.assertEqual(("failed", 1), (rows["memcheck"][0], code))

    def test_a_program_that_is_ended_has_failed_and_what_comes_behind_is_unavailable(self):
        self.script("ewc_tests", "sleep 60")
        rows, code = self.rows("--only", "host,shim", "--seconds", "5")
        self.assertEqual("failed", rows["host"][0])
        self.assertRegex(rows["host"][1], "did not end within [2-5] s: ewc_tests.log")
        self.assertEqual((("unavailable", "the 5 s were over"), 1), (rows["shim"], code))


if __name__ == "__main__":
    unittest.main()
