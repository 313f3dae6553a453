#!/usr/bin/env python3
"""Writes the seed corpora: good inputs and near misses, a few for each harness.

    make_corpus.py     writes corpus/HARNESS/* beside this file; needs protoc

Files of the same names are replaced; what fuzzers found is committed under other names and
stays.
"""

import hashlib
import json
import os
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
PROTO = os.path.join(HERE, "..", "..", "proto")


def save(harness, name, content):
    folder = os.path.join(HERE, "corpus", harness)
    os.makedirs(folder, exist_ok=True)
    if isinstance(content, str):
        content = content.encode()
    assert len(content) < 4096, (harness, name, len(content))
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)


def compact(value):
    return json.dumps(value, separators=(",", ":"))


# --- Genomes ------------------------------------------------------------------------


def conv(name, source, filters, kernel=1, stride=1, padding=0):
    return {"name": name, "op": "conv2d", "inputs": [source], "kernel": kernel, "stride": stride,
            "padding": padding, "lineage": list(range(filters))}


def genome(*layers, channels=3):
    first = {"name": "input", "op": "input", "inputs": [], "channels": channels}
    return {"version": 1, "layers": [first, *layers]}


def pooled(source, name="pool"):
    return {"name": name, "op": "global_average_pool", "inputs": [source]}


# As in fuzz_safetensors.cc.
SMALL = genome(conv("a", 0, 2), conv("b", 1, 2), pooled(2, "c"), channels=1)


def fire():
    return genome(
        conv("features.0", 0, 4, kernel=3, stride=2),
        {"name": "features.1", "op": "relu", "inputs": [1]},
        {"name": "features.2", "op": "max_pool", "inputs": [2], "kernel": 3, "stride": 2},
        conv("squeeze", 3, 2), conv("expand1x1", 4, 3), conv("expand3x3", 4, 3, 3, 1, 1),
        {"name": "join", "op": "concat", "inputs": [5, 6]},
        {"name": "drop", "op": "dropout", "inputs": [7], "permille": 500},
        conv("classifier.1", 8, 2),
        {"name": "classifier.2", "op": "relu", "inputs": [9]}, pooled(10))


def make_genomes():
    save("genome", "small", compact(SMALL))
    save("genome", "fire", compact(fire()))
    save("genome", "not-canonical", json.dumps(SMALL, indent=1))
    pruned = fire()
    pruned["layers"][1]["lineage"] = [0, 7, 65535]
    save("genome", "pruned", compact(pruned))

    def change(name, edit, base=fire):
        value = base() if callable(base) else json.loads(json.dumps(base))
        edit(value["layers"])
        save("genome", name, compact(value))

    change("lineage-falls", lambda layers: layers[1].update(lineage=[1, 0]))
    change("lineage-empty", lambda layers: layers[1].update(lineage=[]))
    change("lineage-largest", lambda layers: layers[1].update(lineage=[2**31 - 1]))
    change("name-twice", lambda layers: layers[2].update(name="features.0"))
    change("input-ahead", lambda layers: layers[1].update(inputs=[4]))
    change("kernel-0", lambda layers: layers[1].update(kernel=0))
    change("padding-above-half", lambda layers: layers[6].update(padding=2))
    change("number-beyond-int", lambda layers: layers[1].update(stride=2**31))
    change("number-negative", lambda layers: layers[1].update(stride=-1))
    change("unused-layer", lambda layers: layers[7].update(inputs=[5, 5]))
    change("no-pool", lambda layers: layers.pop())
    change("many-channels", lambda layers: layers[0].update(channels=2**31 - 1), SMALL)
    save("genome", "version-2", compact({"version": 2, "layers": []}))
    save("genome", "deep", "[" * 64)
    save("genome", "key-twice", '{"version":1,"version":1,"layers":[]}')
    save("genome", "cut", compact(SMALL)[:-9])


# --- Tensors ------------------------------------------------------------------------


def safetensors(tensors, metadata=None, header=None):
    """tensors: name -> (dtype, shape, bytes)."""
    if header is None:
        header, at = {}, 0
        if metadata:
            header["__metadata__"] = metadata
        for name, (dtype, shape, content) in sorted(tensors.items()):
            header[name] = {"dtype": dtype, "shape": shape,
                            "data_offsets": [at, at + len(content)]}
            at += len(content)
        header = compact(header)
    text = header.encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(content for _, (_, _, content) in sorted(tensors.items()))
    return struct.pack("<Q", len(text)) + text + data


def floats(*values):
    return struct.pack("<%df" % len(values), *values)


def make_checkpoint(name, step="3", digest=None):
    """As common/weights/checkpoint.cc: the digest is of the file without it."""
    state = {
        "losses": ("F64", [1], struct.pack("<d", 2.5)),
        "parameters": ("F32", [2], floats(0.5, -0.25)), "velocity": ("F32", [2], floats(0, 1)),
    }
    metadata = {"squish.checkpoint": "1", "squish.numerics_class": "avx2", "squish.step": step,
                "squish.task": "task"}
    metadata["squish.digest"] = digest or hashlib.sha256(
        safetensors(state, metadata)).hexdigest()
    save("safetensors", name, safetensors(state, dict(sorted(metadata.items()))))


def make_tensors():
    weights = {
        "a.weight": ("F32", [2, 1, 1, 1], floats(0.5, -0.25)),
        "a.bias": ("F32", [2], floats(0, 0.125)),
        "b.weight": ("F32", [2, 2, 1, 1], floats(1, 2, 3, 4)),
        "b.bias": ("F32", [2], floats(10, 10)),
    }
    metadata = {
        "format": "pt", "squish.genome": compact(SMALL), "squish.class_names": '["cat","dög"]',
        "squish.input_size": "32", "squish.resize": "SQUASH", "squish.mean": "[0.5]",
        "squish.std": "[0.25]", "squish.channel_order": "RGB",
    }

    def network(name, tensors=None, **changes):
        changed = {key: value for key, value in {**metadata, **{
            "squish." + key: value for key, value in changes.items()}}.items()
            if value is not None}
        save("safetensors", name, safetensors({**weights, **(tensors or {})}, changed))

    network("network")
    network("network-with-provenance", licence="MIT", note="von Fremden")
    network("network-nan", {"a.bias": ("F32", [2], floats(0, float("nan")))})
    network("network-half", {"a.bias": ("F16", [2], b"\0\0\0\0")})
    network("network-shape", {"a.bias": ("F32", [1, 2], floats(0, 0))})
    network("network-extra", {"d": ("U8", [0, 9], b"")})
    network("network-std-0", std="[0]")
    network("network-mean-exponent", mean="[1e39]")
    network("network-mean-integer", mean="[18446744073709551615]", std="[3]")
    network("network-no-genome", genome=None)
    network("network-size", input_size="8193")
    strengths = {
        "a.taylor": ("F32", [2], floats(0.5, 0)), "a.activation": ("F32", [2], floats(1, 2)),
        "b.taylor": ("F32", [2], floats(3, 4)), "b.activation": ("F32", [2], floats(0, 1e30)),
    }
    save("safetensors", "strengths", safetensors(strengths))
    strengths["a.taylor"] = ("F32", [2], floats(-1, 0))
    save("safetensors", "strengths-negative", safetensors(strengths))
    make_checkpoint("checkpoint")
    make_checkpoint("checkpoint-step-0", step="0")
    make_checkpoint("checkpoint-damaged", digest="0" * 64)
    save("safetensors", "all-types", safetensors({
        dtype: (dtype, [1, 2], bytes(2 * size)) for dtype, size in
        (("BOOL", 1), ("I16", 2), ("BF16", 2), ("F64", 8), ("U64", 8), ("F8_E4M3", 1))}))
    save("safetensors", "no-tensors", safetensors({}, header="{}"))
    save("safetensors", "huge-shape", safetensors({}, header=compact(
        {"a": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]}})))
    save("safetensors", "overlap", safetensors({"a": ("U8", [4], b"1234")}, header=compact(
        {"a": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]},
         "b": {"dtype": "U8", "shape": [2], "data_offsets": [2, 4]}})))
    save("safetensors", "gap", safetensors({"a": ("U8", [4], b"1234")}, header=compact(
        {"a": {"dtype": "U8", "shape": [3], "data_offsets": [1, 4]}})))
    save("safetensors", "offsets-beyond", safetensors({}, header=compact(
        {"a": {"dtype": "U8", "shape": [2**63 - 1], "data_offsets": [0, 2**63 - 1]}})))
    save("safetensors", "header-beyond", struct.pack("<Q", 2**64 - 8) + b"{}")
    save("safetensors", "short", b"\2\0\0\0")
    squeezenet = {"features.0.weight": ("F32", [2, 3, 1, 1], floats(*range(6))),
                  "classifier.1.bias": ("F32", [2], floats(0, 0))}
    save("safetensors", "torchvision-few", safetensors(squeezenet))


# --- Specs --------------------------------------------------------------------------

DATASET = ('dataset { name: "shapes" input_size: 32 '
           "built_in { train_images: 100 val_images: 100 } }\n")
START = 'name: "x"\n' + DATASET + "ancestor { squeezenet_v1_1 {} }\n"


def make_specs():
    good = {
        "least": START,
        "cifar": 'name: "c" dataset { name: "c" input_size: 64 resize: SHORT_SIDE_CENTER_CROP '
                 "cifar10 {} } ancestor { squeezenet_v1_1 { width: 0.25 } }",
        "folder": 'name: "f" dataset { name: "f" input_size: 100 image_folder { '
                  'maximum_unreadable: 0.5 } } ancestor { imported { digest: "' + "0a" * 32 +
                  '" mean: 0 mean: 0 mean: 0 std: 1 std: 1 std: 1 licence: "MIT" } }',
        "branch": 'name: "b"\n' + DATASET + 'ancestor { branch { experiment: "e-1" '
                  "individual { generation: 3 index: 1 } } }",
        "closed-loop": START + "generations: 4 offspring: 2 parents: 1\nenvironment { "
                       "closed_loop { ratio_to_ancestor: 2 least_resource_factor: 0.5 } }",
        "constraints": START + "environment { resource: MACS resource_factor: 0.9 "
                       "final_resource_factor: 0.99 constraints { max_megabytes: 1 } "
                       "constraints { min_accuracy: 0.5 scheduled: false } }",
        "netadapt": START + "strategy: NETADAPT parents: 1 offspring: 5\n"
                    "training { halving { } }",
        "mates": START + "parents: 3 synthesis { mates: 3 shares: [1, 2, 3] tagging: 0.5 "
                 "strength: L2 ranking: LAYER selectivity: 2 }",
        "plus": START + "selection { method: PLUS stop_after: 3 } report_megabytes: [1, 0.5] "
                "only_report_sizes: true exports { batches: [1, 8] }",
        "synapses": START + "synthesis { synapses { } mates: 2 mates_from: ARCHIVE }",
        "time": START + "environment { resource: TIME } measurement { profile: true "
                "batch: 16 threads: 2 }",
        "recipe": START + "training { ancestor { epochs: 2 } offspring { epochs: 1 } "
                  "final { epochs: 3 } }",
        "unicode": START + 'data_terms: "M\\303\\274nchen \\0"',
    }
    near = {
        "no-ancestor": 'name: "x"\n' + DATASET,
        "name": START.replace('"x"', '"X y"'),
        "unknown-field": START + "generation: 3",
        "twice": START + "seed: 1 seed: 2",
        "nan": START + "environment { resource_factor: nan }",
        "infinite": START + "report_megabytes: inf",
        "tiny-factor": START + "generations: 1000 environment { resource_factor: 1e-300 }",
        "too-small": START.replace("32", "8"),
        "width": START.replace("squeezenet_v1_1 {}", "squeezenet_v1_1 { width: 1e-9 }"),
        "escape": 'name: "\\377\\376"\n' + DATASET,
        "not-utf8": START + 'data_terms: "M\\374nchen"',
        "open": START + "environment {",
    }
    for name, text in {**good, **near}.items():
        save("spec", name, text)


# --- CIFAR-10 -----------------------------------------------------------------------


def make_cifar():
    def head(input_size, rows, excess, names=b""):
        return struct.pack("<BBbB", input_size - 8, rows, excess, len(names)) + names

    names = b"\n".join(b"class %d" % i for i in range(10))
    save("cifar", "one-row", head(32, 1, 0) + b"\3" + bytes(i % 256 for i in range(3072)))
    save("cifar", "rows", head(28, 3, 0, names) + b"\0\1\2")
    save("cifar", "larger", head(64, 1, 0, names + b"\r\n\n") + b"\7\6")
    save("cifar", "label-10", head(32, 2, 0) + b"\n")
    save("cifar", "byte-too-many", head(32, 1, 1) + b"\1")
    save("cifar", "byte-too-few", head(32, 1, -1) + b"\1")
    save("cifar", "empty", head(32, 0, 0))
    save("cifar", "nine-names", head(32, 1, 0, names[:-8]) + b"\1")
    save("cifar", "names-not-ascii", head(32, 1, 0, names[:-1] + b"\xff") + b"\1")
    save("cifar", "smallest", head(8, 1, 0) + b"\5\xff")


# --- Lines of children --------------------------------------------------------------


def make_lines():
    digest = "0a" * 32
    lines = {
        "load": {"load": {"id": "a", "path": "/tmp/ü.safetensors", "batch": 4, "input_size": 64,
                          "threads": 2}},
        "load-files": {"load": {"id": "a", "path": "x", "batch": 1, "input_size": 64,
                                "threads": 1, "onnx": "/x.onnx", "probe": "/p", "build": 2}},
        "run": {"run": {"id": "a", "calls": 123}},
        "outputs": {"outputs": {"id": "a"}},
        "profile": {"profile": {"id": "a", "calls": 20}},
        "unload": {"unload": {"id": "b"}},
        "engine-ready": {"ready": {"contract": 1, "engine": "torch", "precision": "fp32",
                                   "version": "1.13.1", "synthetic": False,
                                   "device_class": "board/1"}},
        "engine-ready-onnx": {"ready": {"contract": 1, "engine": "trtexec", "precision": "fp16",
                                        "version": "8201", "synthetic": False,
                                        "formats": ["plan", "onnx"], "outputs": True,
                                        "restarts_per_block": True, "builds": True,
                                        "load_seconds": 1800}},
        "loaded": {"loaded": {"id": "a", "engine_sha256": digest}},
        "outputs-values": {"outputs": {"id": "a", "values": [[1, -0.5], [None, 1e300]]}},
        "block": {"block": {"id": "a", "images": 64, "seconds": 1e-300}},
        "block-latencies": {"block": {"id": "a", "images": 2, "seconds": 1,
                                      "latencies": [0.5, 0.25]}},
        "profiled": {"profiled": {"id": "a", "layers": [{"layer": "b", "milliseconds": 0.1},
                                                        {"layer": "c", "milliseconds": 0}]}},
        "unsupported": {"unsupported": {"message": "no \ud800".encode(
            "utf-8", "replace").decode()}},
        "error": {"error": {"message": "ä" * 1200}},
        "block-beyond": {"block": {"id": "a", "images": 2**64 - 1, "seconds": 1}},
        "calls-negative": {"run": {"id": "a", "calls": -1}},
        "two-keys": {"run": {"id": "a", "calls": 1}, "unload": {"id": "a"}},
        "trainer-ready": {"ready": {"numericsClass": "x86", "cuda": True}},
        "progress": {"progress": {"fraction": 0.5, "note": "epoch 1", "stepSeconds": "NaN"}},
        "failed": {"failed": {"message": "no memory"}},
        "done": {"done": {"outcome": "TRAINED", "artifact": digest, "weightsDigest": digest,
                          "imagesSeen": "100", "selectionAccuracy": 0.5}},
        "evaluated": {"evaluated": {"evaluation": {"images": 10, "confusion": [5, 0, 0, 5]},
                                    "predictions": digest}},
        "decoder-done": {"done": {"cachePath": "/c", "summary": {"classNames": ["a", "b"],
                                                                 "trainImages": 10}}},
        "exporter-done": {"done": {"files": [{"name": "model.onnx", "artifact": digest,
                                              "bytes": "10", "difference": 1e-6}]}},
    }
    for name, line in lines.items():
        save("child_lines", name, json.dumps(line, ensure_ascii=False))
    save("child_lines", "snake-case", '{"progress":{"step_seconds":-Infinity}}')
    save("child_lines", "seconds-beyond", '{"block":{"id":"a","images":1,"seconds":1e999}}')
    save("child_lines", "not-utf8", b'{"failed":{"message":"\xff"}}')
    save("child_lines", "deep", '{"ready":' * 80)


# --- Requests -----------------------------------------------------------------------

# As enum Action in fuzz_service.cc.
(SYNCHRONIZE, WORKER, AGENT, SUBMIT, GET, LIST, INDIVIDUALS, CHAMPIONS, RUNNERS, ESTIMATE, PAUSE,
 RESUME, CANCEL, WATCH, STEPS, TIME, RESTART) = range(17)
MESSAGES = {
    SYNCHRONIZE: "SynchronizeRequest", WORKER: "SynchronizeRequest", AGENT: "SynchronizeRequest",
    SUBMIT: "SubmitRequest", GET: "GetExperimentRequest", LIST: "ListExperimentsRequest",
    INDIVIDUALS: "ListIndividualsRequest", CHAMPIONS: "ListChampionsRequest",
    RUNNERS: "ListRunnersRequest", ESTIMATE: "EstimateRequest", PAUSE: "PauseRequest",
    RESUME: "ResumeRequest", CANCEL: "CancelRequest", WATCH: "WatchRequest",
}


def encode(message, text):
    folder = os.path.join(PROTO, "squish", "v1")
    return subprocess.run(
        ["protoc", "-I", PROTO, "--encode=squish.v1." + message,
         os.path.join(folder, "experiment_service.proto"), os.path.join(folder, "runner.proto")],
        input=text.encode(), stdout=subprocess.PIPE, check=True).stdout


def requests(*steps):
    """steps: (action, text of its message, or a number for those that take one)."""
    content = b""
    for action, argument in steps:
        argument = (encode(MESSAGES[action], argument) if action in MESSAGES
                    else bytes([argument]))
        content += struct.pack("<BH", action, len(argument)) + argument
    return content


def make_requests():
    spec = "spec { " + START.replace('"x"', '"small"') + " generations: 2 offspring: 2 parents: 1 }"
    runner = 'runner { kind: WORKER id: "w" incarnation: 1 protocol_version: 1 slots: 1 } '
    agent = ('runner { kind: AGENT id: "a" incarnation: 1 protocol_version: 1 slots: 64 '
             'device_class: "board" engine: "torch" } ')

    def result(text):
        return 'results { attempt_id: "0" ' + text + " }"

    everything = [(LIST, ""), (RUNNERS, ""), (GET, 'id: "0"'), (INDIVIDUALS, 'experiment: "0"'),
                  (CHAMPIONS, 'experiment: "0"')]
    save("service", "to-the-end", requests((STEPS, 63), *everything, (RESTART, 0), *everything))
    save("service", "watched", requests((WATCH, 'experiment: "0"'), (STEPS, 20), (TIME, 31),
                                        (CANCEL, 'id: "0"')))
    save("service", "submit", requests((SUBMIT, spec + ' idempotency_key: "k"'),
                                       (SUBMIT, spec + ' idempotency_key: "k"'), (STEPS, 9),
                                       (PAUSE, 'id: "1"'), (RESUME, 'id: "1"'), *everything))
    save("service", "submit-unusable", requests(
        (SUBMIT, ""), (SUBMIT, "spec { name: 'x' generations: -1 }"),
        (SUBMIT, spec.replace("squeezenet_v1_1 {}", 'network_digest: "0"')),
        (SUBMIT, spec.replace("squeezenet_v1_1 {}", 'imported { digest: "0" }')),
        (SUBMIT, spec.replace("squeezenet_v1_1 {}", 'branch { experiment: "0" }'))))
    save("service", "estimate", requests(
        (ESTIMATE, spec + " train_images: 1000"), (ESTIMATE, spec + " train_images: -1"),
        (ESTIMATE, spec + " train_images: 2147483647")))
    save("service", "strategies", requests(
        (SUBMIT, spec.replace("offspring: 2", "offspring: 1 strategy: L1_PRUNE")),
        (SUBMIT, spec[:-1] + " strategy: NETADAPT }"),
        (SUBMIT, spec[:-1] + " strategy: RANDOM selection { method: NSGA_II } }")))
    save("service", "branch", requests((STEPS, 63), (SUBMIT, spec.replace(
        "squeezenet_v1_1 {}", 'branch { experiment: "0" }')), (STEPS, 9)))
    save("service", "runners", requests((SYNCHRONIZE, runner), (SYNCHRONIZE, agent),
                                        (SYNCHRONIZE, runner + " draining: true"), (RUNNERS, "")))
    save("service", "runners-unusable", requests(
        (SYNCHRONIZE, ""), (SYNCHRONIZE, runner.replace("slots: 1", "slots: -1")),
        (SYNCHRONIZE, runner.replace('"w"', '"W"')),
        (SYNCHRONIZE, runner.replace("protocol_version: 1", "protocol_version: 2"))))
    save("service", "incarnations", requests(
        (SYNCHRONIZE, runner), (SYNCHRONIZE, runner.replace("incarnation: 1", "incarnation: 2")),
        (SYNCHRONIZE, runner)))
    save("service", "datasets", requests(
        (WORKER, ""), (WORKER, "datasets { summary { train_images: 1 } }"),
        (SYNCHRONIZE, runner + "datasets { state: READY summary { class_names: 'x' "
                               "mean: nan train_images: -5 } } datasets { fraction: nan }")))
    save("service", "dataset-unusable", requests(
        (WORKER, ""), (WORKER, "datasets { summary { std: [0, inf] class_names: '' "
                               "val_images: -1 fingerprint: 'no' } }"), (STEPS, 2)))
    save("service", "synthesis", requests((STEPS, 1), (WORKER, result(
        "synthesize { parameters: 9223372036854775807 bytes: -4 }")), (STEPS, 4)))
    save("service", "training", requests((STEPS, 2), (WORKER, ""), (WORKER, result(
        "train { outcome: DIVERGED selection_log_loss: inf }")), (STEPS, 4)))
    save("service", "training-odd", requests((STEPS, 3), (WORKER, ""), (WORKER, result(
        "train { selection_accuracy: 1 selection_log_loss: 1e300 images_seen: 1000000000000000 }")),
        (STEPS, 30)))
    save("service", "measurement", requests((STEPS, 3), (AGENT, ""), (AGENT, result(
        "measure { ratio: 1e308 profile { layer: 'a' milliseconds: 1e308 } }")), (STEPS, 30)))
    save("service", "measurement-unsupported", requests((STEPS, 3), (AGENT, ""), (AGENT, result(
        "measure { verdict: UNSUPPORTED }")), (STEPS, 30), *everything))
    save("service", "evaluation", requests((STEPS, 12), (WORKER, result(
        "evaluate { evaluation { confusion: [2147483647, -1] } }")), (STEPS, 9)))
    save("service", "failures", requests(*[(WORKER, ""), (WORKER, result(
        "failure { code: CHILD_CRASHED message: 'x' }"))] * 5, (GET, 'id: "0"'),
        (RESUME, 'id: "0"'), (STEPS, 9)))
    save("service", "other-job", requests((STEPS, 2), (WORKER, ""), (WORKER, result(
        "key { generation: 99 } experiment: 'e'")), (STEPS, 2)))
    save("service", "progress", requests((WORKER, 'attempts { attempt_id: "0" fraction: nan '
                                                  "note: 'x' }"), (GET, 'id: "0"')))
    save("service", "unknown", requests((GET, "id: 'no such'"), (WATCH, "experiment: ''"),
                                        (CANCEL, ""), (PAUSE, 'id: "\\303\\274"')))
    save("service", "time", requests((STEPS, 2), (TIME, 255), (STEPS, 2), (TIME, 31),
                                     (RESTART, 0), (TIME, 31), (STEPS, 2)))
    save("service", "no-message", struct.pack("<BH", SUBMIT, 3) + b"\n\xff\xff")


make_genomes()
make_tensors()
make_specs()
make_cifar()
make_lines()
make_requests()
