#!/usr/bin/env python3
"""What the tests start in the place of NVIDIA's trtexec: its command line, its files and its
complaints, as its source and its users' logs show them, good and bad.

    fake_trtexec.py VERSION BAD ARGUMENT …

VERSION is 6, 7, 8.0, 8.2 or 8.6: options and names of fields are of that one. BAD is what goes
wrong ("none": nothing). An ONNX file is a line of text:

    fake-onnx batch=2 side=8 classes=4 ms=0.5 [op=NAME] [slower=1.1]

Output number c of a picture is the mean of its values number c, c + classes, … A call takes
`ms`; without a timing cache the engine that is built is `slower` by that factor.
"""

import fcntl
import json
import os
import signal
import struct
import sys
import time

COMMON = ["--help", "--onnx", "--saveEngine", "--loadEngine", "--loadInputs", "--iterations",
          "--warmUp", "--duration", "--exportTimes", "--exportOutput", "--exportProfile",
          "--avgRuns", "--fp16", "--exposeDMA"]
OF_VERSION = {
    "5": ["--help", "--onnx", "--saveEngine", "--loadEngine", "--iterations", "--fp16"],
    "6": COMMON + ["--explicitBatch", "--workspace", "--buildOnly"],
    "7": COMMON + ["--explicitBatch", "--workspace", "--buildOnly", "--noTF32"],
    "8.0": COMMON + ["--explicitBatch", "--workspace", "--buildOnly", "--noTF32",
                     "--timingCacheFile"],
    "8.2": COMMON + ["--workspace", "--buildOnly", "--noTF32", "--timingCacheFile"],
    "8.6": COMMON + ["--memPoolSize", "--skipInference", "--noTF32", "--timingCacheFile"],
}
SAID_VERSION = {"5": "", "6": "", "7": "", "8.0": " [TensorRT v8001]", "8.2": " [TensorRT v8201]",
                "8.6": " [TensorRT v8601]"}


def say(kind, text):
    print(f"[11/30/2026-10:00:00] [{kind}] {text}", flush=True)


class Trtexec:
    def __init__(self, version, bad, arguments):
        self.version, self.bad, self.arguments = version, bad, arguments
        self.options = dict((a.split("=", 1) + [""])[:2] for a in arguments)

    def banner(self, what):
        print(f"&&&& {what} TensorRT.trtexec{SAID_VERSION[self.version]} # trtexec "
              + " ".join(self.arguments), flush=True)

    def fail(self, *complaints):
        for complaint in complaints:
            say("E", complaint)
        self.banner("FAILED")
        sys.exit(1)

    def known(self):
        return [o for o in OF_VERSION[self.version]
                if not (self.bad == "forgets-option" and o == "--exposeDMA")]

    def main(self):
        self.banner("RUNNING")
        if "--help" in self.options:
            for option in OF_VERSION[self.version]:
                print(f"  {option}=N   What it does (default = disabled)")
            return
        unknown = [o for o in self.options if o not in self.known()]
        if unknown:
            self.fail(*[f"Unknown option: {o} {self.options[o]}" for o in unknown])
        engine = self.build() if "--onnx" in self.options else self.load()
        if "--buildOnly" not in self.options and "--skipInference" not in self.options:
            self.infer(engine)
        self.banner("PASSED")

    def build(self):
        with open(self.options["--onnx"], encoding="utf-8", errors="replace") as file:
            words = file.readline().split()
        if words[:1] != ["fake-onnx"]:
            self.fail("Failed to parse onnx file", "Parsing model failed",
                      "Engine could not be created from network")
        engine = dict(word.split("=") for word in words[1:])
        if "op" in engine:
            say("I", f"[TRT] No importer registered for op: {engine['op']}. Attempting to import "
                     "as plugin.")
            if self.bad != "plugin":
                self.fail("ModelImporter.cpp:773: While parsing node number 2 "
                          f"[{engine['op']} -> \"x\"]:", "Failed to parse onnx file")
        if self.bad == "out-of-memory":
            self.fail("../rtSafe/safeRuntime.cpp (25) - Cuda Error in allocate: 2 (out of memory)",
                      "Engine could not be created from network")
        if self.bad == "hang-building":
            while True:
                signal.pause()
        factor = float(engine.get("slower", 1))
        if "--timingCacheFile" in self.options:
            open(self.options["--timingCacheFile"], "a").close()
            factor = 1
        engine["ms"] = float(engine.get("ms", 0.1)) * factor
        engine["version"] = self.version
        engine["fp16"] = "--fp16" in self.options
        if "--saveEngine" in self.options and self.bad != "disk-full":
            with open(self.options["--saveEngine"], "w", encoding="utf-8") as file:
                json.dump(engine, file)
        with open(os.path.join(os.path.dirname(os.path.abspath(self.options["--onnx"])),
                               "builds.log"), "a", encoding="utf-8") as file:
            file.write(" ".join(self.arguments) + "\n")
        return engine

    def load(self):
        with open(self.options["--loadEngine"], encoding="utf-8") as file:
            engine = json.load(file)
        if engine["version"] != self.version:
            self.fail("[TRT] 6: The engine plan file is not compatible with this version of "
                      f"TensorRT, expecting library version {self.version} got "
                      f"{engine['version']}, please rebuild.",
                      "4: [runtime.cpp::deserializeCudaEngine::50] Error Code 4: Internal Error "
                      "(Engine deserialization failed.)", "Engine could not be loaded")
        return engine

    def infer(self, engine):
        batch, side, classes = (int(engine[k]) for k in ("batch", "side", "classes"))
        values = [0.0] * (batch * 3 * side * side)
        if "--loadInputs" in self.options:
            name, _, path = self.options["--loadInputs"].partition(":")
            with open(path, "rb") as file:
                data = file.read()
            if name != "pictures" or len(data) != 4 * len(values):
                self.fail(f"Input {name} has {len(data)} bytes, {4 * len(values)} are wanted")
            values = struct.unpack(f"<{len(values)}f", data)
        calls = max(1, int(self.options.get("--iterations", 10)))
        if self.bad == "crash" and "--exportTimes" in self.options:
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.bad == "hang" and "--exportTimes" in self.options:
            folder = os.path.dirname(os.path.dirname(self.options["--loadEngine"]))
            held = open(os.path.join(folder, "taken"), "w")
            fcntl.flock(held, fcntl.LOCK_EX)
            os.rename(held.name, os.path.join(folder, "alive"))
            while True:
                signal.pause()
        warm = 3 if int(self.options.get("--warmUp", 200)) else 0
        time.sleep((calls + warm) * engine["ms"] / 1000)
        if "--exportTimes" in self.options:
            self.export_times(self.options["--exportTimes"], engine["ms"], calls, warm)
        if "--exportOutput" in self.options:
            self.export_output(self.options["--exportOutput"], engine, values)

    def export_times(self, path, call, calls, warm):
        """Warm-up is in the file up to 8.2, and takes twice as long here."""
        copy = 0.1 * call
        entries, now = [], 20.0
        for i in range(calls + warm):
            took = 2 * call if i < warm else call
            start, compute, out, end = now, now + copy, now + took - copy, now + took
            if self.version in ("6", "7"):
                entry = {"startInMs": start, "endInMs": compute, "startComputeMs": compute,
                         "endComputeMs": out, "startOutMs": out, "endOutMs": end, "inMs": copy,
                         "computeMs": took - 2 * copy, "outMs": copy, "latencyMs": took,
                         "endToEndMs": took}
            else:
                entry = {"startEnqMs": start, "endEnqMs": compute, "startH2dMs": start,
                         "endH2dMs": compute, "startComputeMs": compute, "endComputeMs": out,
                         "startD2hMs": out, "endD2hMs": end, "h2dMs": copy,
                         "computeMs": took - 2 * copy, "d2hMs": copy, "latencyMs": took,
                         "endToEndMs": took}
            if self.version == "8.6":
                del entry["endToEndMs"]
            if self.bad == "renamed-field":
                entry["finishMs"] = entry.pop("endOutMs", entry.pop("endD2hMs", None))
            entries.append(entry)
            now += took
        if self.version == "8.6":
            entries = entries[warm:]
        if self.bad == "few":
            entries = entries[-(calls // 2):]
        # As operator<< of a float stream: six digits.
        text = "[\n" + "\n, ".join(
            "{ " + ", ".join(f'"{k}" : {v:.6g}' for k, v in e.items()) + " }"
            for e in entries) + "\n]\n"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text[:len(text) // 2] if self.bad == "truncated" else text)

    def export_output(self, path, engine, values):
        batch, side, classes = (int(engine[k]) for k in ("batch", "side", "classes"))
        size = 3 * side * side
        outputs = []
        for picture in range(batch):
            own = values[picture * size:(picture + 1) * size]
            for c in range(classes):
                mean = sum(own[c::classes]) / len(own[c::classes])
                outputs.append(mean * (1.01 if engine["fp16"] else 1))
        if self.bad == "wrong-outputs":
            outputs = [0.5 - o for o in outputs]
        written = ["nan" if self.bad == "nan" else f"{o:.6g}" for o in outputs]
        name = "scores" if self.bad == "other-output" else "logits"
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'[\n  {{ "name" : "{name}"\n  , "dimensions" : "{batch}x{classes}"\n'
                       f'  , "values" : [ {", ".join(written)} ]\n  }}\n]\n')


if __name__ == "__main__":
    Trtexec(sys.argv[1], sys.argv[2], sys.argv[3:]).main()
