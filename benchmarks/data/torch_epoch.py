"""The other side of the data benchmark: training steps in Debian's python3-torch, fed by
torchvision's ImageFolder through a DataLoader.

The same network, batch, memory format (channels-last), optimiser and variation of the
pictures as our side's. Reads a number of steps a line on stdin, answers with the seconds
that they took; one epoch follows the other.
"""
import argparse
import os
import sys
import time

import torch
import torchvision
from torchvision import transforms

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "common"))
from torch_squeezenet import Training  # noqa: E402

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def endless(loader):
    while True:
        yield from loader


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", required=True, help="a folder with a folder a class")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    pictures = torchvision.datasets.ImageFolder(options.pictures, transforms.Compose([
        transforms.Resize((options.side, options.side)),
        transforms.RandomCrop(options.side, padding=4, padding_mode="reflect"),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, DEVIATION)]))
    loader = torch.utils.data.DataLoader(
        pictures, options.batch, shuffle=True, drop_last=True, num_workers=options.workers,
        persistent_workers=options.workers > 0)
    batches = endless(loader)
    training = Training(len(pictures.classes), torch.channels_last)
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            batch, labels = next(batches)
            training.step(batch.contiguous(memory_format=torch.channels_last), labels)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
