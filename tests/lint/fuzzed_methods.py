#!/usr/bin/env python3
"""Checks that every method of our services is asked by a harness of tests/fuzz.

    fuzzed_methods.py ROOT      prints those that are not; exits 1 when there are any

A harness names what it asks as "Service.Method", beside the function that does.
"""

import glob
import os
import re
import sys

SERVICE = re.compile(r"^service (\w+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
METHOD = re.compile(r"^\s*rpc (\w+)\(", re.MULTILINE)


def read_all(root, pattern):
    texts = []
    for path in sorted(glob.glob(os.path.join(root, pattern), recursive=True)):
        with open(path, encoding="utf-8") as file:
            texts.append(file.read())
    return "\n".join(texts)


def methods(root):
    """Service.Method of each method in proto/."""
    protos = read_all(root, "proto/**/*.proto")
    return [f"{service}.{method}" for service, body in SERVICE.findall(protos)
            for method in METHOD.findall(body)]


def check(root):
    """The methods that no harness names."""
    harnesses = read_all(root, "tests/fuzz/fuzz_*.cc")
    return [method for method in methods(root) if f'"{method}"' not in harnesses]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    missing = check(sys.argv[1])
    for method in missing:
        print(f"{method}: no harness of tests/fuzz asks it; add it to kMethods of "
              "fuzz_service.cc or fuzz_streams.cc")
    if not methods(sys.argv[1]):
        sys.exit(f"there are no services in {sys.argv[1]}/proto")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
