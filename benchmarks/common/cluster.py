"""The whole system on this machine, for a benchmark: coordinator, worker, agent.

    with Cluster(folder, {"imagenet10": data}, slots=2) as cluster:
        experiment = cluster.submit("experiment.txtpb")
        cluster.watch(experiment)
        print(cluster.ctl("champions", experiment))

Everything that it knows is in `folder`: a cluster that is started there again goes on where
the one before was stopped.
"""
import json
import os
import re
import subprocess
import time

BIN = os.environ["SQUISH_BIN"]


class Failed(Exception):
    """What is wrong, for the user."""


def program(name):
    return os.path.join(BIN, name)


def existing(path, what, option, variable):
    """The absolute path of a file or folder that a user named, or that a variable names."""
    if path and os.path.exists(path):
        return os.path.abspath(path)
    raise Failed(f"there is no {what} at '{path}'; name it with {option}, or with ${variable}")


class Cluster:
    """The daemons, each with a log in `folder`; they end with the `with`. The agent measures
    with the torch engine."""

    live = set()  # All that run now.

    def __init__(self, folder, data, slots):
        self.folder = folder
        self.processes = {}
        self.stopped = False
        os.makedirs(folder, exist_ok=True)
        Cluster.live.add(self)
        try:
            self.start("coordinator", "--population", os.path.join(folder, "population.db"),
                       "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
            self.address = self.find_address()
            sources = [argument for name, path in data.items()
                       for argument in ("--data", f"{name}={path}")]
            self.start("worker", "--coordinator", self.address, "--state",
                       os.path.join(folder, "worker"), "--slots", str(slots), *sources)
            self.start("jetson-agent", "--coordinator", self.address, "--state",
                       os.path.join(folder, "agent"), "--engine", "torch")
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, name, *arguments):
        if self.stopped:  # By another thread.
            raise Failed("stopped")
        with open(os.path.join(self.folder, name + ".log"), "w") as log:
            self.processes[name] = subprocess.Popen(
                [program(name), *arguments], stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True)

    def find_address(self):
        path = os.path.join(self.folder, "coordinator.log")
        while True:
            with open(path) as log:
                text = log.read()
            found = re.search(r"listening on (127\.0\.0\.1:\d+)", text)
            if found:
                return found.group(1)
            if self.processes["coordinator"].poll() is not None:
                raise Failed(f"the coordinator did not start:\n{text}")
            time.sleep(0.1)

    def stop(self):
        """Any thread may; who is watching is told that it failed."""
        Cluster.live.discard(self)
        self.stopped = True
        processes = list(self.processes.values())
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait()

    def ctl(self, *arguments):
        """What squishctl prints."""
        done = subprocess.run([program("squishctl"), "--coordinator", self.address, *arguments],
                              stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failed(f"squishctl {arguments[0]} failed")
        return done.stdout

    def experiments(self):
        return json.loads(self.ctl("list", "--format", "json")).get("experiments", [])

    def submit(self, spec):
        return self.ctl("submit", spec).strip()

    def watch(self, experiment, quiet=False):
        """Until it has succeeded."""
        # It would wait for a coordinator that is gone to come back: it ends with the others.
        watch = subprocess.Popen([program("squishctl"), "--coordinator", self.address, "watch",
                                  experiment], stdout=subprocess.DEVNULL if quiet else None)
        self.processes["watch"] = watch
        if self.stopped:
            watch.terminate()
        if watch.wait() != 0:
            raise Failed(f"the experiment did not succeed; logs are in {self.folder}")
