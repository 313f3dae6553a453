// A program of somebody else's: LibTorch and nothing of ours.
//
//   plain_libtorch MODEL.pt PICTURES SIZE COUNT
//
// PICTURES: COUNT × 3 × SIZE × SIZE floats, raw. Prints the outputs, one a line.
#include <torch/script.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const long size = std::atol(argv[3]), count = std::atol(argv[4]);
  at::Tensor pictures = at::empty({count, 3, size, size}, at::kFloat);
  std::ifstream file(argv[2], std::ios::binary);
  file.read(static_cast<char*>(pictures.data_ptr()), pictures.numel() * sizeof(float));
  if (!file) return 3;
  torch::jit::ExtraFilesMap extra = {{"metadata.json", ""}};
  torch::jit::Module model = torch::jit::load(argv[1], at::kCPU, extra);
  if (extra["metadata.json"].find("squish.class_names") == std::string::npos) return 4;
  const at::Tensor outputs = model.forward({pictures}).toTensor().contiguous();
  for (long i = 0; i < outputs.numel(); ++i) std::printf("%.9g\n", outputs.data_ptr<float>()[i]);
}
