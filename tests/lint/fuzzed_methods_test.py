#!/usr/bin/env python3
"""The lint finds a method that no harness asks, in a small project made for the purpose."""

import os
import tempfile
import unittest

import fuzzed_methods

PROTO = """
service A {
  // rpc Of a comment (
  rpc One(X) returns (Y);
  rpc Two(stream X) returns (Y);
}
message M {}
service B {
  rpc One(X) returns (Y);
}
"""


class FuzzedMethodsTest(unittest.TestCase):
    def check(self, harness):
        with tempfile.TemporaryDirectory() as root:
            for path, text in (("proto/p/a.proto", PROTO), ("tests/fuzz/fuzz_a.cc", harness)):
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return fuzzed_methods.check(root)

    def test_no_complaint_when_all_are_named(self):
        self.assertEqual(self.check('{"A.One", f}, {"A.Two", f}, {"B.One", f}'), [])

    def test_methods_that_are_not_named_are_found(self):
        self.assertEqual(self.check('{"A.One", f}'), ["A.Two", "B.One"])


if __name__ == "__main__":
    unittest.main()
