"""Processes that are watched, and ones that keep a processor busy."""
import os
import signal
import subprocess
import sys


class Busy:
    """A process that computes while it is told to."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        self.work(False)

    def work(self, on):
        self.process.send_signal(signal.SIGCONT if on else signal.SIGSTOP)

    def close(self):
        self.process.kill()
        self.process.wait()


def family(pid):
    """The process and its children, theirs included."""
    pids = [pid]
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        for child in file.read().split():
            pids += family(int(child))
    return pids


def cpu_seconds(pid):
    """Of a process and its children that still run."""
    ticks = 0
    for one in family(pid):
        with open(f"/proc/{one}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pids):
    """What they share counts for each."""
    pages = 0
    for one in pids:
        with open(f"/proc/{one}/statm") as file:
            pages += int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
