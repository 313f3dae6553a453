#!/usr/bin/python3
"""Draws an evolution from its individuals.csv.

usage: benchmarks/plot/evolution.py individuals.csv picture.png [TITLE [champions.csv]]

Left: accuracy on the selection split against size. Right: images/s as a ratio to the
ancestor against size. One dot an individual, coloured by generation, lines from
parents to children. With champions.csv (squishctl champions ID --format csv) a star is what
a champion reached on `val/` after its final training. Needs python3-matplotlib (./squish setup --bench).
"""
import csv
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def draw(axes, rows, column, label):
    by_name = {(int(r["generation"]), int(r["individual"])): r for r in rows}
    last = max(int(r["generation"]) for r in rows) or 1
    for row in rows:
        if not row[column]:
            continue
        for parent in filter(None, row["parents"].split("+")):
            origin = by_name.get(tuple(int(part) for part in parent.split(":")))
            if origin and origin[column]:
                axes.plot([float(origin["megabytes"]), float(row["megabytes"])],
                          [float(origin[column]), float(row[column])],
                          color="0.85", linewidth=0.8, zorder=1)
    shown = [r for r in rows if r[column]]
    dots = axes.scatter([float(r["megabytes"]) for r in shown], [float(r[column]) for r in shown],
                        c=[int(r["generation"]) for r in shown], cmap="viridis", vmin=0, vmax=last,
                        s=26, zorder=2, edgecolors="white", linewidths=0.5)
    axes.set_xlabel("MB of fp32 weights")
    axes.set_ylabel(label)
    axes.invert_xaxis()
    axes.grid(color="0.93")
    return dots


def draw_champions(axes, rows):
    shown = [r for r in rows if r["val accuracy"].endswith("%")]
    axes.scatter([float(r["MB"]) for r in shown],
                 [float(r["val accuracy"].split()[0]) / 100 for r in shown], marker="*", s=120,
                 color="crimson", zorder=3, label="champions, val/")
    axes.legend(loc="lower left")


def main():
    if len(sys.argv) not in (3, 4, 5):
        sys.exit(__doc__)
    rows = read(sys.argv[1])
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), constrained_layout=True)
    draw(left, rows, "selection_accuracy", "selection accuracy")
    dots = draw(right, rows, "ratio_to_ancestor", "images/s ÷ ancestor's")
    figure.colorbar(dots, ax=right, label="generation")
    if len(sys.argv) == 5:
        draw_champions(left, read(sys.argv[4]))
    if len(sys.argv) >= 4:
        figure.suptitle(sys.argv[3], fontsize=10)
    figure.savefig(sys.argv[2], dpi=110)


if __name__ == "__main__":
    main()
