#!/usr/bin/python3
"""Walks the commands of docs/tutorial.md as a newcomer would, with drawn pictures.

usage: tutorial_test.py ROOT BIN_DIR WORK_DIR

Every ```sh block but the one marked `setup` is run in one shell, in order, with each
command's failure the test's. Ports are other ones, so that nothing that runs already is met.
"""
import os
import random
import re
import shutil
import signal
import subprocess
import sys

from PIL import Image, ImageDraw

from support import check, free_port

CLASSES = ("cat", "dog", "hamster")


def draw(label, random_):
    """A picture of the class: its shape, anywhere, in any colour, at any size."""
    width, height = random_.randrange(80, 200), random_.randrange(80, 200)
    def colour():
        return tuple(random_.randrange(256) for _ in range(3))
    picture = Image.new("RGB", (width, height), colour())
    pen = ImageDraw.Draw(picture)
    size = random_.randrange(40, 75)
    x, y = (width - size) // 2, (height - size) // 2
    box, ink = (x, y, x + size, y + size), colour()
    if label == "cat":
        pen.ellipse(box, fill=ink)
    elif label == "dog":
        pen.rectangle(box, fill=ink)
    else:
        pen.line((x, y, x + size, y + size), fill=ink, width=12)
        pen.line((x, y + size, x + size, y), fill=ink, width=12)
    return picture


def make_pictures(folder):
    random_ = random.Random(3)
    for split, count in (("train", 60), ("val", 20)):
        for label in CLASSES:
            place = os.path.join(folder, split, label)
            os.makedirs(place)
            for i in range(count):
                suffix = "png" if i % 3 == 0 else "jpg"
                draw(label, random_).save(os.path.join(place, f"{i}.{suffix}"))


def blocks(tutorial):
    with open(tutorial) as file:
        found = re.findall(r"^```sh( setup)?\n(.*?)^```$", file.read(), re.M | re.S)
    return [text for setup, text in found if not setup]


def run(script, work, environment):
    """The script's output; its processes, also those left in the background, are ended."""
    with open(os.path.join(work, "tutorial.log"), "w+") as log:
        shell = subprocess.Popen(["bash", "-euo", "pipefail", "-c", script], cwd=work,
                                 env=environment, stdout=log, stderr=subprocess.STDOUT,
                                 start_new_session=True)
        try:
            status = shell.wait(timeout=300)
        finally:
            try:
                os.killpg(shell.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        log.seek(0)
        output = log.read()
    if status != 0:
        for name in ("coordinator.log", "worker.log", "agent.log"):
            path = os.path.join(work, name)
            if os.path.exists(path):
                with open(path) as file:
                    print(f"--- {name}\n{file.read()[-3000:]}")
    check(status == 0, f"a command of the tutorial failed ({status}):\n{output}")
    return output


def main():
    root, programs, work = sys.argv[1:]
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    make_pictures(os.path.join(work, "pets"))
    shutil.copytree(os.path.join(root, "examples"), os.path.join(work, "examples"))
    coordinator, metrics = free_port(), free_port()
    script = "\n".join(blocks(os.path.join(root, "docs", "tutorial.md")))
    check(script.count("squishctl") >= 10, "the tutorial's commands were not found")
    script = script.replace("7461", str(coordinator)).replace(
        "coordinator --population", f"coordinator --listen 127.0.0.1:{coordinator} "
                                    f"--metrics 127.0.0.1:{metrics} --population")
    # A person takes a moment between starting processes and asking for them.
    script = script.replace("squishctl runners", "until squishctl runners | grep -q AGENT; do "
                                                 "sleep 0.2; done\nsquishctl runners", 1)
    environment = dict(os.environ, PATH=programs + ":" + os.environ["PATH"],
                       SQUISH_COORDINATOR=f"127.0.0.1:{coordinator}")
    output = run(script, work, environment)
    print(output)
    for words in ("AGENT", "a valid experiment", "-- SUCCEEDED", "smallest", "val accuracy",
                  "hypervolume", "# pets, individual", "our own photographs", "pets-smaller"):
        check(words in output, f"the tutorial never showed '{words}'")
    first = subprocess.run(["find", "pets/val", "-name", "*.jpg"], cwd=work, check=True,
                           stdout=subprocess.PIPE, text=True).stdout.splitlines()[0]
    answers = [line for line in output.splitlines() if re.fullmatch(r"[a-z]+ 0\.\d+|[a-z]+ 1\.0+", line)]
    check(len(answers) == 1 and answers[0].split()[0] == first.split("/")[2],
          f"the example program said {answers} of {first}")
    for name in ("model.onnx", "model-batch-1.onnx", "model.pt", "network.safetensors",
                 "labels.txt", "preprocessing.json", "predictions.csv", "README.md",
                 "classify.cc"):
        check(os.path.exists(os.path.join(work, "pets-model", name)), f"no {name} was exported")
    print("tutorial: OK")


if __name__ == "__main__":
    main()
