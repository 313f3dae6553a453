// LibTorch's exceptions become statuses here, and nowhere else.
#ifndef SQUISH_COMMON_TORCH_TORCH_STATUS_H_
#define SQUISH_COMMON_TORCH_TORCH_STATUS_H_

#include <c10/util/Exception.h>

#include <new>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace squish {

// Runs `work`, which returns a Status or StatusOr. RESOURCE_EXHAUSTED: memory ran
// out. INTERNAL: LibTorch threw; the message is its own, without the stack.
template <typename Work>
std::invoke_result_t<Work> CatchTorchErrors(Work&& work) {
  try {
    return std::forward<Work>(work)();
  } catch (const c10::Error& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  }
}

}  // namespace squish

#endif  // SQUISH_COMMON_TORCH_TORCH_STATUS_H_
