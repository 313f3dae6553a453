#!/usr/bin/env python3
"""The lint finds each thing that it is for, in a small project made for the purpose."""

import os
import subprocess
import tempfile
import unittest

import rooms

CLEAN = {
    "common/base/a.h": "#include <string>\n",
    "common/genome/g.cc": '#include "common/base/a.h"\n// #include <torch/torch.h>\n',
    "common/rpc/rpc.h": "#include <grpcpp/grpcpp.h>\n",
    "common/torch/net.h": '#include <ATen/ATen.h>\n#include "common/base/a.h"\n',
    "coordinator/evolution/plan.h": '#include "common/base/a.h"\n',
    "coordinator/jobs/board.h": "#include <map>\n",
    "coordinator/population/db.cc": "#include <sqlite3.h>\n",
    "coordinator/service/s.cc": '#include "coordinator/jobs/board.h"\n#include "common/rpc/rpc.h"\n',
    "worker/synthesis/s.h": "",
    "worker/trainer/main.cc": '#include "common/torch/net.h"\n',
    "worker/main.cc": '#include "worker/synthesis/s.h"\n#include "common/rpc/rpc.h"\n',
    "jetson-agent/engine/torch/main.cc": "#include <torch/script.h>\n",
    "tests/unit/trainer/t.cc": '#include "worker/trainer/x.h"\n#include <torch/torch.h>\n',
    "tests/unit/jobs/t.cc": '#include "coordinator/jobs/board.h"\n',
    "README.md": "docker run -v $PWD/work/x /usr/share framework/root/ ../root/\n",
}


class RoomsTest(unittest.TestCase):
    def check(self, changes, git=False):
        """The complaints about the clean project with some files added or replaced."""
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**CLEAN, **changes}.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
                with open(os.path.join(root, path), "wb") as file:
                    file.write(text if isinstance(text, bytes) else text.encode())
            if git:
                subprocess.run(["git", "-C", root, "init", "-q"], check=True)
                subprocess.run(["git", "-C", root, "add", "README.md"], check=True)
            return rooms.check(root)

    def expect_one(self, path, text, *words):
        complaints = self.check({path: text})
        self.assertEqual(len(complaints), 1, complaints)
        self.assertTrue(complaints[0].startswith(path + ":1: "), complaints)
        for word in words:
            self.assertIn(word, complaints[0])

    def test_clean_project_has_no_complaints(self):
        self.assertEqual(self.check({}), [])

    def test_pure_rooms_include_no_impure_library(self):
        for room in rooms.PURE:
            for header in ("grpcpp/grpcpp.h", "sqlite3.h", "torch/torch.h", "opencv2/core.hpp"):
                self.expect_one(room + "/bad.cc", f"#include <{header}>\n", header, "pure room")

    def test_pure_room_does_not_include_an_impure_library_through_a_header(self):
        complaints = self.check({
            "common/base/b.h": "", "common/base/c.h": '#include "b.h"\n',
            "common/weights/w.cc": '#include "common/base/c.h"\n'})
        self.assertEqual(complaints, [])
        complaints = self.check({
            "common/base/b.h": "#include <sqlite3.h>\n", "common/base/c.h": '#include "b.h"\n',
            "common/weights/w.cc": '#include "common/base/c.h"\n'})
        self.assertEqual(len(complaints), 3, complaints)
        self.assertIn("through common/base/c.h and common/base/b.h", complaints[-1])

    def test_pure_room_builds_on_pure_rooms_only(self):
        complaints = self.check({
            "coordinator/population/p.h": "",
            "coordinator/jobs/bad.cc": '#include "coordinator/population/p.h"\n'})
        self.assertEqual(len(complaints), 1, complaints)
        self.assertIn("builds on pure rooms only", complaints[0])

    def test_no_program_reaches_into_another(self):
        for path, name in (("coordinator/x.cc", "worker/synthesis/s.h"),
                           ("worker/x.cc", "coordinator/jobs/board.h"),
                           ("jetson-agent/x.cc", "worker/synthesis/s.h"),
                           ("ctl/x.cc", "coordinator/evolution/plan.h"),
                           ("common/child/x.cc", "worker/synthesis/s.h")):
            self.expect_one(path, f'#include "{name}"\n', name, "another program")

    def test_libtorch_stays_in_its_rooms(self):
        for path in ("worker/main.cc", "coordinator/service/x.cc", "common/runner/x.cc",
                     "jetson-agent/main.cc", "tests/unit/jobs/x.cc"):
            self.expect_one(path, "#include <torch/torch.h>\n", "LibTorch")
            self.expect_one(path, '#include "common/torch/net.h"\n', "ATen/ATen.h", "LibTorch")

    def test_opencv_and_onnx_stay_in_their_rooms(self):
        for path in ("worker/daemon/x.cc", "worker/trainer/x.cc", "coordinator/service/x.cc",
                     "common/runner/x.cc", "tests/unit/jobs/x.cc"):
            self.expect_one(path, "#include <opencv2/dnn.hpp>\n", "OpenCV stays in")
            self.expect_one(path, "#include <onnx/checker.h>\n", "ONNX stays in")
        self.assertEqual(self.check({"worker/exporter/x.cc": "#include <opencv2/dnn.hpp>\n",
                                     "common/export/x.cc": "#include <onnx/onnx_pb.h>\n"}), [])

    def test_processes_with_libtorch_speak_no_grpc(self):
        self.expect_one("worker/trainer/bad.cc", '#include "common/rpc/rpc.h"\n', "gRPC")

    def test_spaces_do_not_hide_an_include(self):
        self.expect_one("common/base/bad.h", "  #  include  <sqlite3.h>\n", "sqlite3.h")

    def test_machine_paths_are_found_in_any_text(self):
        for path in machine_paths():
            self.expect_one("docs/x.md", f"see {path}main\n", "the machine")
            self.expect_one("squish", f"DIR={path}main\n", "the machine")
            self.expect_one("common/base/x.h", f'// in "{path}wt"\n', "the machine")

    def test_binary_files_are_not_read_as_text(self):
        path = machine_paths()[0]
        self.assertEqual(self.check({"a.png": b"\0 " + path.encode()}), [])

    def test_untracked_files_do_not_count(self):
        path = machine_paths()[0]
        self.assertEqual(self.check({"notes.md": path}, git=True), [])
        self.assertEqual(len(self.check({"README.md": path}, git=True)), 1)


def machine_paths():
    return ["/" + name + "/" for name in ("wo" "rk", "ro" "ot")]


if __name__ == "__main__":
    unittest.main()
