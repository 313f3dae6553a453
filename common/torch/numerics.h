// LibTorch's process-wide settings, and what they make of its numbers. No LibTorch
// in this header.
#ifndef SQUISH_COMMON_TORCH_NUMERICS_H_
#define SQUISH_COMMON_TORCH_NUMERICS_H_

#include <string>

#include "squish/v1/experiment.pb.h"

namespace squish {

// Call once, first thing in main, before any thread is started: denormals are
// flushed to zero (threads inherit that), freed memory is kept for the next step
// rather than given back and faulted in again, cuDNN chooses deterministically.
void PrepareTorchProcess();

// Sets the threads that one operation may use. At least 1.
void SetTorchThreads(int threads);

// What makes two trainings of equal inputs have equal digests: builds of LibTorch,
// oneDNN and BLAS, the instruction sets that they chose on this processor, threads, and
// the precision where it is not FP32. One line of [A-Za-z0-9._+-] parts; with CUDA the
// libraries' versions too.
std::string NumericsClass(int threads, bool cuda,
                          v1::Recipe::Precision precision = v1::Recipe::FP32);

// Whether LibTorch sees a CUDA device.
bool CudaAvailable();

}  // namespace squish

#endif  // SQUISH_COMMON_TORCH_NUMERICS_H_
