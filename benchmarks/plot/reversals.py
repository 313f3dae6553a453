#!/usr/bin/python3
"""Draws how fast networks are against how many MACs they have.

usage: benchmarks/plot/reversals.py [RESULTS]     (default: docs/results/measurement)

Reads RESULTS/genomes.csv of ./squish bench measurement; writes RESULTS/reversals.png, with a line
for every pair of which the one with fewer MACs is the slower one. Needs python3-matplotlib
(./squish setup --bench).
"""
import csv
import os
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "docs", "results",
                                                                "measurement")
    with open(os.path.join(folder, "genomes.csv"), newline="") as file:
        rows = [(int(row["macs"]) / 1e6, float(row["ratio"])) for row in csv.DictReader(file)]
    _, axis = plt.subplots(figsize=(6, 4.2), constrained_layout=True)
    for macs, ratio in rows:
        for other_macs, other_ratio in rows:
            if macs < other_macs and ratio < other_ratio:
                axis.plot([macs, other_macs], [ratio, other_ratio], color="tab:red", alpha=0.35,
                          linewidth=0.8)
    axis.plot(*zip(*rows), "o", color="tab:blue")
    axis.set_xlabel("MACs, millions")
    axis.set_ylabel("images/s ÷ the ancestor's, measured")
    axis.set_title("fewer MACs, and slower: the pairs that a line joins", fontsize=10)
    axis.grid(color="0.93")
    plt.savefig(os.path.join(folder, "reversals.png"), dpi=120)


if __name__ == "__main__":
    main()
