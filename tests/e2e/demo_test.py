#!/usr/bin/env python3
"""The quick demo as a user runs it, scraped by a real Prometheus meanwhile; then once
more from one of the networks that it bred, and on CIFAR-10 batches.

usage: demo_test.py SQUISHCTL EXAMPLES_DIR WORK_DIR

Checks the printed lines, individuals.csv, speeds.csv, the champions, that the
series which the Grafana dashboard shows arrive in Prometheus, and that no process is
left behind.
"""
import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request

from support import check, free_port

COLUMNS = ("experiment,strategy,seed,generation,individual,parents,parameters,megabytes,macs,"
           "selection_accuracy,selection_log_loss,val_accuracy,images_per_second,"
           "ratio_to_ancestor,images_seen,genome_digest,weights_digest").split(",")


def metrics_address(log, deadline):
    """The coordinator says where it listens, as soon as it does."""
    while time.monotonic() < deadline:
        if os.path.exists(log):
            with open(log) as file:
                found = re.search(r"metrics (127\.0\.0\.1:\d+)", file.read())
            if found:
                return found.group(1)
        time.sleep(0.05)
    raise AssertionError(f"the coordinator's address never appeared in {log}")


def query(port, expression):
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(expression)}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)["data"]["result"]


def start_prometheus(folder, target):
    port = free_port()
    config = os.path.join(folder, "prometheus.yml")
    with open(config, "w") as file:
        json.dump({"global": {"scrape_interval": "1s"},
                   "scrape_configs": [{"job_name": "squish",
                                       "static_configs": [{"targets": [target]}]}]}, file)
    log = open(os.path.join(folder, "prometheus.log"), "w")
    process = subprocess.Popen(
        ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
         f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    return process, port


def descendants(pid):
    """Every living process below `pid`."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def dashboard_series(source_root):
    with open(os.path.join(source_root, "deploy/grafana/dashboards/squish.json")) as file:
        text = file.read()
    return sorted(set(re.findall(r"squish_[a-z_]+", text)) - {"squish_"})


def check_printed(text, rows):
    """A line for each individual as individuals.csv has it, then what is where."""
    for row in rows:
        line = (rf"^ +{row['generation']} +{row['individual']} +{row['parents'] or '-'}"
                rf" +{int(row['parameters']):,} +{float(row['megabytes']):.3f}"
                rf" +{100 * float(row['selection_accuracy']):.1f} %"
                rf" +{float(row['images_per_second']):.1f} +{float(row['ratio_to_ancestor']):.3f}$")
        check(re.search(line, text, re.MULTILINE), f"no line {line} was printed")
    for word in ("generation  individuals", "champion", "Val accuracies", "population ",
                 "individuals ", "networks ", "logs "):
        check(re.search(rf"^{word}", text, re.MULTILINE), f"nothing says '{word.strip()}'")


def run_again(squishctl, examples, out, *options):
    """The individuals of one more quick demo."""
    demo = subprocess.run([squishctl, "demo", "--examples", examples, "--quick", "--out", out,
                           *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120)
    check(demo.returncode == 0, f"{options}: status {demo.returncode}:\n{demo.stdout}")
    with open(os.path.join(out, "individuals.csv"), newline="") as file:
        return list(csv.DictReader(file))


def write_cifar_batches(folder):
    """Two files of CIFAR-10 rows: label, then 1,024 R, G, B; noise on a shade for each label."""
    os.makedirs(folder)
    dice = random.Random(1)
    for name, count in (("data_batch_1.bin", 300), ("test_batch.bin", 50)):
        with open(os.path.join(folder, name), "wb") as file:
            for row in range(count):
                label = row % 10
                file.write(bytes([label]) + bytes(20 * label + dice.randrange(50)
                                                  for _ in range(3072)))


def main():
    squishctl, examples, work = sys.argv[1:4]
    out = os.path.join(work, "demo")
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)

    printed = os.path.join(work, "printed.txt")
    with open(printed, "w") as file:
        demo = subprocess.Popen([squishctl, "demo", "--examples", examples, "--quick", "--out", out],
                                stdout=file, stderr=subprocess.STDOUT)
    prometheus = None
    try:
        address = metrics_address(os.path.join(out, "coordinator.log"), time.monotonic() + 30)
        prometheus, port = start_prometheus(work, address)
        seen_processes, seen_series = set(), set()
        wanted = set(dashboard_series(os.path.dirname(os.path.abspath(examples))))
        check(len(wanted) >= 10, f"the dashboard shows only {sorted(wanted)}")
        deadline = time.monotonic() + 240
        while demo.poll() is None and time.monotonic() < deadline:
            seen_processes.update(descendants(demo.pid))
            try:
                names = query(port, 'count by (__name__) ({__name__=~"squish_.*"})')
                seen_series.update(entry["metric"]["__name__"] for entry in names)
            except OSError:
                pass  # Prometheus is still starting.
            time.sleep(0.2)
        check(demo.poll() is not None, "the quick demo did not end in time")
        with open(printed) as file:
            text = file.read()
        print(text)
        check(demo.returncode == 0, f"the demo ended with status {demo.returncode}")
        missing = wanted - seen_series
        check(not missing, f"Prometheus never saw {sorted(missing)}; it saw {sorted(seen_series)}")

        with open(os.path.join(out, "individuals.csv"), newline="") as file:
            reader = csv.DictReader(file)
            check(reader.fieldnames[:len(COLUMNS)] == COLUMNS, f"columns: {reader.fieldnames}")
            rows = list(reader)
        check_printed(text, rows)
        generations = {}
        for row in rows:
            generations.setdefault(int(row["generation"]), []).append(row)
        check(sorted(generations) == [0, 1, 2], f"generations {sorted(generations)}")
        check(all(len(generations[g]) >= 2 for g in (1, 2)), "at least two offspring each")
        measured = [row for row in rows if row["images_per_second"]]
        check(2 * len(measured) >= len(rows), f"{len(measured)} of {len(rows)} measured")
        check(float(generations[0][0]["ratio_to_ancestor"]) == 1.0, "the ancestor's ratio is 1")
        for row in rows:
            check(float(row["megabytes"]) * 1e6 == 4 * int(row["parameters"]) or
                  abs(float(row["megabytes"]) - 4e-6 * int(row["parameters"])) < 1e-4, str(row))
        for row in generations[2]:
            check(int(row["parameters"]) < int(generations[0][0]["parameters"]), "offspring are smaller")

        with open(os.path.join(out, "speeds.csv"), newline="") as file:
            check(next(csv.reader(file)) == ["architecture_digest", "images_per_second"], "speeds.csv")
        networks = os.listdir(os.path.join(out, "networks"))
        check(any(name.endswith(".safetensors") for name in networks), f"networks: {networks}")
        decoded = os.listdir(os.path.join(out, "state", "datasets"))
        check(len([name for name in decoded if name.endswith(".cache")]) == 1,
              f"two workers of one host decode once: {decoded}")
        left = [pid for pid in seen_processes if alive(pid)]
        check(not left, f"processes left behind: {left}")

        smallest = os.path.join(out, "networks", "smallest.safetensors")
        bred = run_again(squishctl, examples, os.path.join(work, "from-network"),
                         "--ancestor-weights", smallest, "--generations", "1", "--offspring", "3",
                         "--seed", "1")
        check([row["generation"] for row in bred] == ["0", "1", "1", "1"], f"generations of {bred}")
        best = min(rows, key=lambda row: int(row["parameters"]))
        check(bred[0]["genome_digest"] == best["genome_digest"], "the ancestor is another network")
        aim = 0.85 * int(bred[0]["parameters"])
        for row in bred[1:]:
            # 12 % more came of random numbers that were used a second time.
            check(abs(int(row["parameters"]) / aim - 1) < 0.10, f"{row['parameters']}, not {aim:.0f}")

        batches = os.path.join(work, "batches")
        write_cifar_batches(batches)
        cifar = run_again(squishctl, examples, os.path.join(work, "on-cifar"),
                          "--data", batches, "--generations", "1")
        check([row["generation"] for row in cifar] == ["0", "1", "1"], f"generations of {cifar}")
        # 300 rows, of which the selection split is a fifth of each class; six digits are told.
        for row in cifar:
            right = 60 * float(row["selection_accuracy"])
            check(abs(right - round(right)) <= 60 * 5e-7, f"{right} of 60 selection pictures")
    finally:
        for process in filter(None, (prometheus, demo)):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(20)
    print("demo_test: OK")


if __name__ == "__main__":
    main()
