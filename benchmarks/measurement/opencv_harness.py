"""The other side of agreement_opencv_percent: OpenCV's Python binding on an exported ONNX file.
Reads a number of calls a line on stdin, answers with the seconds that they took.

usage: opencv_harness.py model.onnx SIDE SEED

What is allocated before moves the network's memory: so that no one place of it decides, each
seed has another.
"""
import sys
import time

import cv2
import numpy

before = [numpy.empty(size, numpy.uint8)
          for size in numpy.random.default_rng(int(sys.argv[3])).integers(1, 1 << 20, 8)]
cv2.setNumThreads(1)
network = cv2.dnn.readNetFromONNX(sys.argv[1])
side = int(sys.argv[2])
pictures = numpy.random.default_rng(1).standard_normal((1, 3, side, side), dtype=numpy.float32)
for line in sys.stdin:
    begun = time.perf_counter()
    for _ in range(int(line)):
        network.setInput(pictures)
        network.forward()
    print(time.perf_counter() - begun, flush=True)
