"""The other side of the training benchmark: the same step in Debian's python3-torch.

Torchvision's squeezenet1_1 with ten classes, SGD with momentum, weight decay on weights
only, gradient clipping. Reads a number of steps a line on stdin, answers with the
seconds they took.
"""
import argparse
import os
import sys
import time

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "common"))
from torch_squeezenet import Training  # noqa: E402

CLASSES = 10


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--contiguous", action="store_true", help="not channels-last")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    layout = torch.contiguous_format if options.contiguous else torch.channels_last
    training = Training(CLASSES, layout)
    pictures = torch.randn(options.batch, 3, options.side, options.side)
    pictures = pictures.contiguous(memory_format=layout)
    labels = torch.randint(CLASSES, (options.batch,))
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            training.step(pictures, labels)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
