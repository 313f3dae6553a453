"""How every benchmark reports: a line a figure, and out/bench/NAME.json.

    report = figures.Report("training")
    report.add("step_ratio_64", 1.05, "ratio", spread=0.01, runs=8, against="python3-torch")
    report.write()

Each entry of the JSON list has figure, value, unit, spread, runs, against, machine and
commit. `spread` is the standard deviation over the runs, in the figure's unit.
"""
import json
import os
import platform
import subprocess


def machine():
    """Processor, how many of them, system."""
    model = platform.processor() or platform.machine()
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {platform.system()} {platform.release()}"


def commit(root):
    """The commit that was measured; with "+" when the tree differs from it."""
    def git(*arguments):
        return subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True)

    head = git("rev-parse", "HEAD")
    if head.returncode != 0:
        return "unknown"
    changed = git("status", "--porcelain", "--untracked-files=no").stdout.strip()
    return head.stdout.strip() + ("+" if changed else "")


class Report:
    """The figures of one benchmark. Prints each as it is added."""

    def __init__(self, name):
        self.root = os.environ["SQUISH_ROOT"]
        self.path = os.path.join(self.root, "out", "bench", name + ".json")
        self.about = {"machine": machine(), "commit": commit(self.root)}
        self.entries = []

    def add(self, figure, value, unit, spread, runs, against):
        print(f"{figure} {value:.4g} {unit} ({spread:.2g})", flush=True)
        self.entries.append({"figure": figure, "value": value, "unit": unit, "spread": spread,
                             "runs": runs, "against": against, **self.about})

    def write(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path + ".new", "w") as file:
            json.dump(self.entries, file, indent=1)
            file.write("\n")
        os.replace(self.path + ".new", self.path)
