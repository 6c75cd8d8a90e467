"""golden.py on files that are made here: what is close, what is not, and what is no number.

    python3 -m unittest discover -s bench/gpu
"""
import array
import json
import math
import os
import struct
import tempfile
import unittest

import golden

NAN = math.nan


class GoldenTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def tensors(self, name, **tensors):
        header, body = {}, b""
        for tensor, values in tensors.items():
            data = array.array("f", values).tobytes()
            header[tensor] = dict(dtype="F32", shape=[len(values)], data_offsets=[len(body), len(body) + len(data)])
            body += data
        head = json.dumps(header).encode()
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(head)) + head + body)
        return path

    def steps(self, *came, wanted=((2.0, 0.0), (1.0, 1e-6)), strength=5000):
        expected = os.path.join(self.folder, "steps.json")
        with open(expected, "w") as file:
            json.dump([dict(lm_loss=loss, penalty=penalty) for loss, penalty in wanted], file)
        with open(os.path.join(self.folder, "steps.jsonl"), "w") as file:
            for loss, penalty in came:
                file.write(json.dumps(dict(lm_loss=loss, penalty=penalty)) + "\n")
        return golden.compare_steps(expected, self.folder, strength)

    def test_steps(self):
        self.assertEqual(0.0, self.steps((2.0, 0.0), (1.0, 1e-6)))
        self.assertAlmostEqual(0.5, self.steps((2.0, 0.0), (1 + 0.5e-5, 1e-6)), places=4)
        self.assertGreater(self.steps((2.0, 0.0), (1.0, 1.00011e-6)), 1)

    def test_steps_that_are_missing_or_no_number(self):
        self.assertEqual(math.inf, self.steps((2.0, 0.0)))
        self.assertEqual(math.inf, self.steps((NAN, 0.0), (1.0, 1e-6)))
        self.assertEqual(math.inf, self.steps((2.0, NAN), (1.0, 1e-6)))
        self.assertEqual(math.inf, self.steps((2.0, 0.0), ("NaN", 1e-6)))

    def test_tensors(self):
        expected = self.tensors("expected", a=[1.0, 2.0], b=[0.0])
        for compare in (golden.compare_weights, golden.compare_fisher):
            self.assertEqual(0.0, compare(expected, self.tensors("came", a=[1.0, 2.0], b=[0.0])))
            self.assertGreater(compare(expected, self.tensors("came", a=[1.0, 2.1], b=[0.0])), 1)

    def test_tensors_that_are_missing_or_short_or_no_number(self):
        expected = self.tensors("expected", a=[1.0, 2.0], b=[0.0])
        for came in (dict(a=[1.0, 2.0]), dict(a=[1.0], b=[0.0]), dict(a=[1.0, 2.0, 3.0], b=[0.0]),
                     dict(a=[NAN, 2.0], b=[0.0]), dict(a=[1.0, 2.0], b=[NAN]), dict(a=[math.inf, 2.0], b=[0.0])):
            path = self.tensors("came", **came)
            self.assertEqual(math.inf, golden.compare_weights(expected, path), came)
            self.assertEqual(math.inf, golden.compare_fisher(expected, path), came)


if __name__ == "__main__":
    unittest.main()
