#!/usr/bin/env python3
"""The tarball for edge boards, on an emulated Cortex-A57 (a TX1's processor) with the kernel
version of JetPack 3, in a root that holds nothing else: no C library, no name service.

usage: cross_agent_test.py BIN_DIR TARBALL WORK_DIR

The agent is started before there is a coordinator, waits, finds it by a name, and measures a
small evolution, whose training is played by the chaos tests' stubs.
"""
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time

from support import check, free_port

QEMU = "qemu-aarch64-static"
EMULATOR = ["-cpu", "cortex-a57", "-r", "4.4.38-tegra"]
NAME = "coordinator.test"
SPEC = """
name: "cross-agent"
dataset { name: "shapes" input_size: 32 built_in { seed: 3 train_images: 300 val_images: 100 } }
ancestor { squeezenet_v1_1 { width: 0.15 } }
generations: 1
offspring: 2
parents: 1
environment { resource_factor: 0.85 }
training { ancestor { epochs: 1 } offspring { epochs: 1 } final { epochs: 1 } }
"""


def run(command, status=0):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120)
    check(done.returncode == status, f"{command}: status {done.returncode}:\n{done.stdout}")
    return done.stdout


def await_text(path, text, process, limit=120):
    """Returns when the process has written it."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        with open(path) as file:
            said = file.read()
        if text in said:
            return
        check(process.poll() is None, f"{process.args} ended without saying '{text}':\n{said}")
        time.sleep(0.05)
    raise AssertionError(f"{process.args} did not say '{text}':\n{said}")


def start(command, log):
    with open(log, "w") as file:
        return subprocess.Popen(command, stdout=file, stderr=file)


def stop(process):
    """Asks it to end, and returns its status."""
    if process.poll() is None:
        process.terminate()
    return process.wait(30)


def check_package(tarball, work):
    """What is in it; returns the folder that it makes."""
    with tarfile.open(tarball) as file:
        file.extractall(work)
        top = {name.split("/")[0] for name in file.getnames()}
    check(len(top) == 1 and top.pop() + ".tar.gz" == os.path.basename(tarball), f"holds {top}")
    folder = os.path.join(work, os.path.basename(tarball)[:-len(".tar.gz")])
    for name in ("jetson-agent.service", "jetson-agent.toml", "README.md"):
        check(os.path.getsize(os.path.join(folder, name)) > 100, f"no {name}")
    licences = set(os.listdir(os.path.join(folder, "licences")))
    check({"squish", "libgrpc-dev", "libprotobuf32", "libssl-dev"} < licences, f"{licences}")
    agent = os.path.join(folder, "jetson-agent")
    headers = run(["readelf", "--wide", "--file-header", "--program-headers", agent])
    check("AArch64" in headers and "EXEC" in headers, headers)
    check("INTERP" not in headers and "DYNAMIC" not in headers, headers)
    print(f"{os.path.getsize(agent) / 1e6:.1f} MB, tarball {os.path.getsize(tarball) / 1e6:.1f} MB")
    return folder


def make_bare_root(package, work):
    root = os.path.join(work, "root")
    for folder in ("etc", "state", "tmp"):
        os.makedirs(os.path.join(root, folder))
    shutil.copy(shutil.which(QEMU), os.path.join(root, QEMU))
    shutil.copy(os.path.join(package, "jetson-agent"), root)
    with open(os.path.join(root, "etc", "hosts"), "w") as file:
        file.write(f"127.0.0.1 {NAME}\n")
    with open(os.path.join(root, "etc", "resolv.conf"), "w") as file:
        file.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    return root


def change_root(root):
    """The words before a command that is to see nothing but `root`."""
    command = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
    command += ["chroot", root]
    probe = subprocess.run(command + ["/" + QEMU, "--version"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True)
    check(probe.returncode == 0, f"{command} is not allowed here: {probe.stderr}")
    return command


class NameServer(threading.Thread):
    """Knows that NAME is 127.0.0.1; every other question has no answer."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        wanted = b"".join(bytes([len(part)]) + part.encode() for part in NAME.split(".")) + b"\0"
        while True:
            query, peer = self.socket.recvfrom(512)
            end = query.index(b"\0", 12) + 5
            kind, = struct.unpack(">H", query[end - 4:end - 2])
            known = query[12:end - 4].lower() == wanted and kind == 1
            answer = query[:2] + struct.pack(">HHHHH", 0x8580, 1, int(known), 0, 0)
            answer += query[12:end]
            if known:
                answer += struct.pack(">HHHIH", 0xC00C, 1, 1, 60, 4) + bytes([127, 0, 0, 1])
            self.socket.sendto(answer, peer)


def check_command_line(emulated):
    check(run(emulated + ["--version"]).strip()[0].isdigit(), "no version")
    check("--coordinator" in run(emulated + ["--help"]), "no help")
    check("--coordinator" in run(emulated, status=2), "it does not say what it needs")
    check("/none.toml" in run(emulated + ["--config", "/none.toml"], status=103), "no such file")


def check_selftest(emulated, engine):
    said = run(emulated + ["selftest", "--engine-command", engine])
    for words in ("on aarch64, Linux 4.4.38-tegra", "synthetic", "selftest: passed"):
        check(words in said, f"selftest never said '{words}':\n{said}")


def start_worker(programs, coordinator, work):
    command = [os.path.join(programs, "worker"), "--coordinator", coordinator, "--state",
               os.path.join(work, "worker")]
    for child in ("trainer", "decoder", "exporter"):
        link = os.path.join(work, "squish-" + child)
        os.symlink(os.path.join(programs, "squish-stub-children"), link)
        command += ["--" + child, link]
    return start(command, os.path.join(work, "worker.log"))


def main():
    programs, tarball, work = map(os.path.abspath, sys.argv[1:])
    if not os.path.exists(tarball):
        print(f"{tarball} is not there: ./squish agent makes it")
        sys.exit(77)  # Skipped.
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    package = check_package(tarball, work)
    root = make_bare_root(package, work)
    emulated = change_root(root) + ["/" + QEMU] + EMULATOR + ["/jetson-agent"]
    # An emulated process cannot start an ARM program, so the engine's command line, which is
    # the same file again, names the emulator.
    engine = " ".join(["/" + QEMU] + EMULATOR + ["/jetson-agent", "engine", "simulated"])
    check_command_line(emulated)
    check_selftest(emulated, engine)

    port = free_port()
    with open(os.path.join(root, "agent.toml"), "w") as file:
        file.write(f'coordinator = "{NAME}:{port}"\nstate = "/state"\n'
                   f'engine-command = "{engine}"\nid = "static-agent"\n')
    processes = []
    try:
        log = os.path.join(work, "agent.log")
        agent = start(emulated + ["--config", "/agent.toml"], log)
        processes.append(agent)
        await_text(log, "asking again until it does", agent)

        address = f"127.0.0.1:{port}"
        coordinator = start([os.path.join(programs, "coordinator"), "--population",
                             os.path.join(work, "population.db"), "--listen", address,
                             "--metrics", "127.0.0.1:0"], os.path.join(work, "coordinator.log"))
        processes.append(coordinator)
        await_text(log, f"connected to the coordinator at {NAME}", agent)
        processes.append(start_worker(programs, address, work))
        spec = os.path.join(work, "spec.txtpb")
        with open(spec, "w") as file:
            file.write(SPEC)
        ctl = [os.path.join(programs, "squishctl"), "--coordinator", address]
        experiment = run(ctl + ["submit", spec]).strip()
        print(run(ctl + ["watch", experiment]))
        individuals = json.loads(run(ctl + ["individuals", experiment, "--format", "json"]))
        bred = [one for one in individuals["individuals"] if "images_per_second" in one]
        check(len(bred) >= 3, f"an ancestor and two offspring are measured: {individuals}")
        for one in bred:
            check(one["images_per_second"] > 0, one)
            for words in ("simulated-tx1", "not measured on hardware"):
                check(words in one["measured_on"], one)

        # The name once more, from a name server in the place of /etc/hosts.
        os.remove(os.path.join(root, "etc", "hosts"))
        server = NameServer()
        second_log = os.path.join(work, "second-agent.log")
        second = start(emulated + ["--coordinator", f"dns://127.0.0.1:{server.port}/{NAME}:{port}",
                                   "--state", "/state-2", "--engine-command", engine], second_log)
        processes.append(second)
        await_text(second_log, "connected to the coordinator", second)
        for process in (agent, second):
            check(stop(process) == 0, f"status {process.returncode} after SIGTERM")
    finally:
        for process in processes:
            stop(process)
    print("cross_agent_test: OK")


if __name__ == "__main__":
    main()
