"""Programs that take steps when told to, measured side by side.

    stepper = Stepper(["squish-training-step", "--batch", "32"])
    seconds = stepper.seconds("10")   # What it answers to the line "10".
    stepper.close()
"""
import math
import os
import subprocess
import sys


def environment():
    """No side may be told by the environment how to thread or allocate."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH")
            if name in os.environ}


class Stepper:
    """A process that reads what to do a line on stdin and answers with the seconds it took."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=environment())

    def seconds(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.process.args[0]} ended with status {self.process.wait()}")
        return float(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def rates_of(sides, batch, groups, block_seconds):
    """Images/s of each side in each group, measured in blocks of steps A B C C B A.

    `sides` maps a name to a function from a number of steps to the seconds they took.
    """
    steps = {}
    for name, seconds in sides.items():
        seconds(2)  # Warm-up.
        steps[name] = max(1, math.ceil(block_seconds / seconds(1)))
    rates = {name: [] for name in sides}
    for _ in range(groups):
        spent = dict.fromkeys(sides, 0.0)
        for name in [*sides, *reversed(sides)]:
            spent[name] += sides[name](steps[name])
        for name in sides:
            rates[name].append(2 * steps[name] * batch / spent[name])
    return rates
