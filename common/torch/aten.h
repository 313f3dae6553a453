// LibTorch's tensors. Include this instead of <ATen/ATen.h>: under C++20 clang accepts
// LibTorch 1.13's headers only when ivalue.h comes first.
#ifndef SQUISH_COMMON_TORCH_ATEN_H_
#define SQUISH_COMMON_TORCH_ATEN_H_

#include <ATen/core/ivalue.h>
// Not before it.
#include <ATen/ATen.h>

#endif  // SQUISH_COMMON_TORCH_ATEN_H_
