#include "common/torch/numerics.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>
#include <malloc.h>
#include <torch/version.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace squish {
namespace {

// The rest of the line of LibTorch's configuration that holds `key`; "unknown" when
// there is none.
std::string ConfigValue(absl::string_view key) {
  const std::string config = at::show_config();
  for (absl::string_view line : absl::StrSplit(config, '\n')) {
    const size_t at = line.find(key);
    if (at == absl::string_view::npos) continue;
    return std::string(absl::StripAsciiWhitespace(line.substr(at + key.size())));
  }
  return "unknown";
}

// Calls `name` of a library that LibTorch may have been linked with.
template <typename Function>
Function* Find(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

std::string OneDnn() {
  std::string version = ConfigValue("MKL-DNN ");
  version = version.substr(0, version.find(' '));
  // oneDNN's enumeration of instruction sets, a bit mask.
  auto* const isa = Find<int()>("dnnl_get_effective_cpu_isa");
  return absl::StrCat("onednn-", version, isa ? absl::StrCat("-isa", absl::Hex(isa())) : "");
}

// The library that provides BLAS, by the name of its file, and the kernels that it
// chose for this processor if it is one that chooses.
std::string Blas() {
  void* const gemm = dlsym(RTLD_DEFAULT, "sgemm_");
  Dl_info info;
  if (gemm == nullptr || dladdr(gemm, &info) == 0) return "blas-none";
  std::error_code error;
  const auto file = std::filesystem::canonical(info.dli_fname, error).filename();
  auto* const core = Find<char*()>("openblas_get_corename");
  return absl::StrCat("blas-", file.string(), core ? absl::StrCat("-", core()) : "");
}

std::string Printable(std::string text) {
  for (char& c : text) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '+' && c != '-') c = '_';
  }
  return text;
}

}  // namespace

void PrepareTorchProcess() {
  at::globalContext().setFlushDenormal(true);
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setBenchmarkCuDNN(false);
  // A step frees and asks again for tens of megabytes in large blocks: by default
  // each goes back to the kernel and comes again to be zeroed page by page.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
}

void SetTorchThreads(int threads) { at::set_num_threads(std::max(1, threads)); }

std::string NumericsClass(int threads, bool cuda, v1::Recipe::Precision precision) {
  std::string name = absl::StrCat("libtorch-", TORCH_VERSION, "+", OneDnn(), "+", Blas(), "+",
                                  ConfigValue("CPU capability usage: "), "+threads-", threads);
  if (precision == v1::Recipe::BF16) absl::StrAppend(&name, "+bf16");
  if (cuda) {
    absl::StrAppend(&name, "+cuda-", at::detail::getCUDAHooks().versionCUDART(), "+cudnn-",
                    at::detail::getCUDAHooks().versionCuDNN());
  }
  return Printable(std::move(name));
}

bool CudaAvailable() { return at::hasCUDA(); }

}  // namespace squish
