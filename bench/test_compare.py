"""compare.sh with commands that stand for ewc4j and PyTorch: how they are called.

    python3 -m unittest discover -s bench
"""
import os
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


class CompareTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def script(self, name):
        """A command that writes down its arguments and does nothing."""
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(f'#!/bin/sh\necho "$@" >>"{path}.calls"\n')
        os.chmod(path, 0o755)
        return path

    def calls(self, device):
        ewc4j, python = self.script("ewc4j"), self.script("python")
        subprocess.run(
            [os.path.join(HERE, "compare.sh"), "--device", device, "--rounds", "1"], check=True, capture_output=True,
            env=dict(os.environ, EWC4J=ewc4j, PYTHON=python))
        with open(ewc4j + ".calls") as ours, open(python + ".calls") as theirs:
            return ours.read().split(), theirs.read()

    def test_a_device_takes_the_build_for_cuda(self):
        ours, theirs = self.calls("cuda:0")
        self.assertEqual(["--gpu", "bench"], ours[:2])
        self.assertIn("--device cuda:0", " ".join(ours))
        self.assertIn("--device cuda:0", theirs)

    def test_the_cpu_takes_the_build_for_the_cpu(self):
        self.assertEqual("bench", self.calls("cpu")[0][0])


if __name__ == "__main__":
    unittest.main()
