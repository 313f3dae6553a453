"""Of what benchmarks/evolution/table makes of cells: by hand, of two seeds and eight photos."""
import contextlib
import csv
import importlib.machinery
import importlib.util
import io
import os
import sys
import tempfile
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))


def load():
    loader = importlib.machinery.SourceFileLoader("table", os.path.join(HERE, "table"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("table", loader))
    loader.exec_module(module)
    return module


table = load()


def row(strategy, seed, correct, megabytes="0.5", met="1", ratio="1.5"):
    right = sum(table.bits({"val_correct": correct}))
    return {"ancestor": "imported", "strategy": strategy, "seed": str(seed),
            "megabytes": megabytes, "met": met, "actual_megabytes": "0.45",
            "val_accuracy": str(right / 8), "val_log_loss": str(1 - right / 8), "ratio": ratio,
            "images_seen": "1000", "val_correct": correct}


def write(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


class TableTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        os.mkdir(os.path.join(self.folder.name, "cells"))

    def cell(self, name, rows):
        write(os.path.join(self.folder.name, "cells", name), rows)

    def printed(self):
        out = io.StringIO()
        with mock.patch.object(sys, "argv", ["table", self.folder.name]), \
                contextlib.redirect_stdout(out):
            table.main()
        return out.getvalue()

    def rows(self, name):
        with open(os.path.join(self.folder.name, name)) as file:
            return list(csv.DictReader(file))

    def test_means_and_deviations_are_over_seeds(self):
        self.cell("imported-EVOLUTION-1.csv", [row("EVOLUTION", 1, "ff")])
        self.cell("imported-EVOLUTION-2.csv", [row("EVOLUTION", 2, "3f", ratio="2.5")])
        self.cell("imported-RANDOM-1.csv", [row("RANDOM", 1, "0f")])
        self.printed()
        evolution, blind = self.rows("table.csv")
        self.assertEqual(evolution["val_accuracy_mean"], "0.8750")  # 1 and 0.75.
        self.assertEqual(evolution["val_accuracy_sd"], "0.1768")  # 0.25 / √2
        self.assertEqual(evolution["ratio_mean"], "2.000")
        self.assertEqual(blind["val_accuracy_mean"], "0.5000")
        self.assertEqual(blind["val_accuracy_sd"], "")

    def test_differences_are_paired_by_seed(self):
        for seed, one, other in ((1, "ff", "3f"), (2, "7f", "3f"), (3, "ff", "ff")):
            self.cell(f"imported-EVOLUTION-{seed}.csv", [row("EVOLUTION", seed, one)])
            self.cell(f"imported-L1_PRUNE-{seed}.csv", [row("L1_PRUNE", seed, other)])
        self.cell("imported-L1_PRUNE-4.csv", [row("L1_PRUNE", 4, "00")])  # Nobody's pair.
        # Differences of 2, 1 and 0 photos of 8: a mean of 12.5 points, a deviation of 12.5.
        self.assertIn("EVOLUTION - L1_PRUNE: +12.50 points, standard error 7.22, 3 seeds",
                      self.printed())

    def test_photos_are_drawn_anew_for_all_alike(self):
        ones = [row("EVOLUTION", 1, "ff"), row("EVOLUTION", 2, "ff")]
        self.assertEqual(table.bootstrap(ones, ones), (0, 0))
        low, high = table.bootstrap(ones, [row("L1_PRUNE", seed, "0f") for seed in (1, 2)])
        # Half of eight photos, as binomial numbers go: 1 to 7 of 8 hold 99 % of them.
        self.assertTrue(0.0 <= low <= 0.25, low)
        self.assertTrue(0.75 <= high <= 1.0, high)

    def test_what_no_network_met_is_left_out(self):
        self.cell("imported-RANDOM-1.csv", [row("RANDOM", 1, "ff"),
                                            row("RANDOM", 1, "00", megabytes="0.25", met="0")])
        self.printed()
        self.assertEqual([one["megabytes"] for one in self.rows("table.csv")], ["0.5"])

    def test_individuals_are_of_the_strategy_that_the_cell_is_called_after(self):
        self.cell("fresh-EVOLUTION_BY_SPEED-1.csv", [row("EVOLUTION_BY_SPEED", 1, "ff")])
        # The service's strategy is the same, whatever the cell is for.
        self.cell("fresh-EVOLUTION_BY_SPEED-1-individuals.csv",
                  [{"strategy": "EVOLUTION", "generation": "1", "megabytes": "2.4"}])
        table.join_individuals(self.folder.name)
        self.assertEqual(self.rows("individuals.csv")[0]["strategy"], "EVOLUTION_BY_SPEED")
        self.assertEqual(self.rows("individuals.csv")[0]["ancestor"], "fresh")


if __name__ == "__main__":
    unittest.main()
