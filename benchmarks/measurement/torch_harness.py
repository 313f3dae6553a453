"""The other side of agreement_torch_percent: torch.utils.benchmark on an exported TorchScript
file, in Debian's python3-torch. Reads a number of calls a line on stdin, answers with the seconds
that they took.

usage: torch_harness.py model.pt SIDE SEED [--as-it-is]

What is allocated before moves the network's memory: so that no one place of it decides, each
seed has another.

LibTorch 1.13 hands convolutions of one picture and one thread to BLAS or to loops of its own,
several times slower than oneDNN, and wants weights in another layout than oneDNN does. The engine
asks for oneDNN, channels last, and ReLUs in place; unless --as-it-is the file's graph is told to,
and frozen, so that both sides time the same kernels.
"""
import sys

import torch
import torch.utils.benchmark

ONEDNN = ("""graph(%x, %weight, %bias, %stride, %padding, %dilation, %groups):
  %y = aten::conv2d(%x, %weight, %bias, %stride, %padding, %dilation, %groups)
  return (%y)""", """graph(%x, %weight, %bias, %stride, %padding, %dilation, %groups):
  %y = aten::mkldnn_convolution(%x, %weight, %bias, %padding, %stride, %dilation, %groups)
  return (%y)""")
IN_PLACE = ("""graph(%x):
  %y = aten::relu(%x)
  return (%y)""", """graph(%x):
  %y = aten::relu_(%x)
  return (%y)""")

sizes = torch.randint(1, 1 << 18, (8,), generator=torch.Generator().manual_seed(int(sys.argv[3])))
before = [torch.empty(size) for size in sizes.tolist()]
torch.set_num_threads(1)
torch.set_flush_denormal(True)
network = torch.jit.load(sys.argv[1]).eval()
side = int(sys.argv[2])
pictures = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))
if "--as-it-is" not in sys.argv:
    for pattern, replacement in (ONEDNN, IN_PLACE):
        torch._C._jit_pass_custom_pattern_based_rewrite_graph(pattern, replacement, network.graph)
    for weight in network.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    network = torch.jit.freeze(network)
with torch.inference_mode():
    timer = torch.utils.benchmark.Timer(
        stmt="network(pictures)", globals={"network": network, "pictures": pictures})
    for line in sys.stdin:
        calls = int(line)
        print(timer.timeit(calls).mean * calls, flush=True)
