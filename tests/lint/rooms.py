#!/usr/bin/env python3
"""Checks which room includes what, and that no file names the machine it was made on.

    rooms.py ROOT      prints "path:line: what is wrong"; exits 1 when anything is

Includes are followed through the project's own headers: a room that includes a header
that includes LibTorch includes LibTorch. Rooms are folders; a file belongs to the
deepest one that is named here.
"""

import os
import re
import subprocess
import sys

# Rules without I/O: usable in every process, testable without any.
PURE = ("common/base", "common/pareto", "common/genome", "common/weights", "common/spec",
        "common/export", "worker/synthesis",
        "coordinator/evolution", "coordinator/jobs", "jetson-agent/measure")

# What a pure room must not see.
IMPURE_HEADERS = ("grpcpp/", "grpc/", "sqlite3.h", "torch/", "ATen/", "c10/", "opencv2/")

TORCH_HEADERS = ("torch/", "ATen/", "c10/", "caffe2/")

# Processes that load LibTorch, and what tests and measures them.
TORCH_ROOMS = ("common/torch", "worker/trainer", "jetson-agent/engine/torch", "benchmarks",
               "tests/unit/torch", "tests/unit/trainer", "tests/unit/engine")

# What opens strangers' pictures and runs exported networks: children, squishctl and
# examples, and what tests and measures them. No process that serves.
OPENCV_ROOMS = ("common/dataset", "ctl", "worker/exporter", "jetson-agent/engine/opencv",
                "examples", "benchmarks", "tests/unit/dataset")

# What makes ONNX files; others take them as bytes.
ONNX_ROOMS = ("common/export", "worker/exporter", "tests/unit/engine", "tests/unit/export",
              "tests/unit/exporter")

# Those of them that are shipped: they never serve or call gRPC.
TORCH_PROCESSES = ("common/torch", "worker/trainer", "jetson-agent/engine/torch")

# Folders of programs. None includes another's; `common` includes none.
BINARIES = ("coordinator", "worker", "jetson-agent", "ctl")

SOURCES = (".h", ".cc")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')

# Folders of the machines that the project is made on, spelled so as not to find itself.
MACHINE_PATHS = re.compile(r"(?<![\w.~$}/-])/(?:%s|%s)/" % ("wo" "rk", "ro" "ot"))


def inside(path, folders):
    return any(path.startswith(folder + "/") for folder in folders)


def tracked_files(root):
    """The files that belong to the project, relative to its root."""
    if os.path.exists(os.path.join(root, ".git")):
        listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], check=True,
                                capture_output=True).stdout
        names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    else:
        names = []
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders if folder != root or not re.match(r"build|out$", f)]
            names += [os.path.relpath(os.path.join(folder, file), root) for file in files]
    return sorted(name for name in names if os.path.isfile(os.path.join(root, name)))


class Tree:
    """The project's sources and what they include."""

    def __init__(self, root):
        self.files = tracked_files(root)
        self.root = root
        sources = [f for f in self.files if f.endswith(SOURCES)]
        self.includes = {f: self._read_includes(f) for f in sources}
        self._reach = {}

    def _read_includes(self, path):
        """(line, included) of each include; the project's own headers by their path."""
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            lines = file.readlines()
        found = []
        for number, line in enumerate(lines, start=1):
            match = INCLUDE.match(line)
            if match:
                beside = os.path.normpath(os.path.join(os.path.dirname(path), match[1]))
                is_beside = os.path.isfile(os.path.join(self.root, beside))
                found.append((number, beside if is_beside else match[1]))
        return found

    def reach(self, path):
        """Everything that including `path` includes, with the chain of headers to it."""
        if path not in self._reach:
            self._reach[path] = reached = {}
            queue = [(path, ())]
            while queue:
                header, chain = queue.pop(0)
                if header not in reached:
                    reached[header] = chain
                    queue += [(name, chain + (header,))
                              for _, name in self.includes.get(header, [])]
        return self._reach[path]


def check_reach(tree, path, headers, why):
    """Complaints about includes of `path` that lead to one of the `headers`."""
    for line, name in tree.includes[path]:
        for reached, chain in tree.reach(name).items():
            if reached.startswith(headers):
                through = "".join(", through " + " and ".join(chain)) if chain else ""
                yield f"{path}:{line}: includes {reached}{through}: {why}"
                break


def check_source(tree, path):
    binary = path.split("/")[0]
    pure = inside(path, PURE)
    if pure:
        yield from check_reach(tree, path, IMPURE_HEADERS, "a pure room has no I/O")
    elif not inside(path, TORCH_ROOMS):
        yield from check_reach(tree, path, TORCH_HEADERS,
                               "LibTorch stays in " + ", ".join(TORCH_PROCESSES))
    if not pure and not inside(path, OPENCV_ROOMS):
        yield from check_reach(tree, path, ("opencv2/",),
                               "OpenCV stays in " + ", ".join(OPENCV_ROOMS))
    if not inside(path, ONNX_ROOMS):
        yield from check_reach(tree, path, ("onnx/",), "ONNX stays in " + ", ".join(ONNX_ROOMS))
    if inside(path, TORCH_PROCESSES):
        yield from check_reach(tree, path, ("grpcpp/", "grpc/"),
                               "a process with LibTorch speaks no gRPC")
    for line, name in tree.includes[path]:
        if pure and name in tree.includes and not inside(name, PURE):
            yield f"{path}:{line}: includes {name}: a pure room builds on pure rooms only"
        if binary in BINARIES + ("common",) and inside(name, BINARIES) and not inside(
                name, (binary,)):
            yield f"{path}:{line}: includes {name}: {binary} does not reach into another program"


def check_text(tree, path):
    with open(os.path.join(tree.root, path), "rb") as file:
        content = file.read()
    if b"\0" in content:
        return
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        if MACHINE_PATHS.search(line):
            yield f"{path}:{number}: names a folder of the machine that it was made on"


def check(root):
    """All complaints about the project at `root`."""
    tree = Tree(root)
    complaints = []
    for path in tree.files:
        if path in tree.includes:
            complaints += check_source(tree, path)
        complaints += check_text(tree, path)
    return complaints


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    complaints = check(sys.argv[1])
    print("\n".join(complaints) or "rooms: OK")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
