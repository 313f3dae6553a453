#!/usr/bin/python3
"""Draws what the cells of ./squish bench evolution found, one row of pictures an ancestor.

usage: benchmarks/plot/strategies.py [RESULTS]     (default: docs/results/evolution)

Reads RESULTS/table.csv and RESULTS/cells/*-generations.csv; writes RESULTS/pareto.png (accuracy
on val/ against nominal size, mean over seeds, bars of one standard deviation; the ancestor that
was trained on is a line) and RESULTS/hypervolume.png (by generation, on the selection split, one
line a seed). Needs python3-matplotlib (./squish setup --bench).
"""
import csv
import glob
import os
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = {"EVOLUTION": "tab:blue", "TAYLOR_PRUNE": "tab:orange", "L1_PRUNE": "tab:green",
           "EVOLUTION_BY_SPEED": "tab:cyan", "NETADAPT": "tab:purple", "RANDOM": "tab:gray",
           "UNIFORM_WIDTH_FROM_SCRATCH": "tab:brown", "ANCESTOR": "black"}


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def panels(ancestors, title):
    figure, axes = plt.subplots(1, len(ancestors), figsize=(5.5 * len(ancestors), 4.2),
                                constrained_layout=True, squeeze=False)
    for axis, ancestor in zip(axes[0], ancestors):
        axis.set_title(f"{ancestor} weights", fontsize=10)
        axis.grid(color="0.93")
    figure.suptitle(title, fontsize=10)
    return figure, dict(zip(ancestors, axes[0]))


def draw_pareto(folder):
    rows = read(os.path.join(folder, "table.csv"))
    figure, axes = panels(sorted({row["ancestor"] for row in rows}),
                          "accuracy on val/, mean over seeds")
    for ancestor, axis in axes.items():
        for strategy, colour in COLOURS.items():
            mine = [r for r in rows if (r["ancestor"], r["strategy"]) == (ancestor, strategy)]
            if not mine:
                continue
            accuracies = [100 * float(r["val_accuracy_mean"]) for r in mine]
            if strategy == "ANCESTOR":
                axis.axhline(accuracies[0], color=colour, linewidth=1, linestyle=":",
                             label="ANCESTOR, trained on at 2.91 MB")
                continue
            axis.errorbar([float(r["megabytes"]) for r in mine], accuracies,
                          yerr=[100 * float(r["val_accuracy_sd"] or 0) for r in mine], color=colour,
                          marker="o", markersize=4, linewidth=1.2, capsize=2, label=strategy)
        axis.set_xscale("log")
        axis.invert_xaxis()
        ticks = sorted({float(r["megabytes"]) for r in rows})
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
        axis.set_xlabel("nominal MB of fp32 weights")
        axis.set_ylabel("%")
        axis.legend(fontsize=7)
    figure.savefig(os.path.join(folder, "pareto.png"), dpi=110)


def draw_hypervolume(folder):
    lines = {}
    for path in sorted(glob.glob(os.path.join(folder, "cells", "*-generations.csv"))):
        ancestor, strategy, seed, _ = os.path.basename(path).split("-")
        rows = [row for row in read(path) if row["hypervolume"]]
        if len(rows) > 1:
            lines[ancestor, strategy, seed] = ([int(r["generation"]) for r in rows],
                                               [float(r["hypervolume"]) for r in rows])
    if not lines:
        return
    figure, axes = panels(sorted({key[0] for key in lines}),
                          "hypervolume of (log-loss, 1 / ratio, bytes), selection split")
    drawn = set()
    for (ancestor, strategy, _), (generations, volumes) in lines.items():
        label = None if (ancestor, strategy) in drawn else strategy
        drawn.add((ancestor, strategy))
        axes[ancestor].plot(generations, volumes, color=COLOURS[strategy], linewidth=1.1,
                            label=label)
    for axis in axes.values():
        axis.set_xlabel("generation")
        axis.legend(fontsize=7)
    figure.savefig(os.path.join(folder, "hypervolume.png"), dpi=110)


def main():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(root, "docs", "results",
                                                                "evolution")
    draw_pareto(folder)
    draw_hypervolume(folder)


if __name__ == "__main__":
    main()
