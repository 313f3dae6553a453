#include "common/base/ids.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/escaping.h"

namespace squish {
namespace {

void Fill(void* data, size_t size) {
  char* next = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t count = ::getrandom(next, size, 0);
    if (count < 0) {
      if (errno == EINTR) continue;
      std::abort();  // The kernel has had getrandom since 3.17; no way on without.
    }
    next += count;
    size -= static_cast<size_t>(count);
  }
}

}  // namespace

std::string RandomHex(int bytes) {
  std::string raw(static_cast<size_t>(bytes), '\0');
  Fill(raw.data(), raw.size());
  return absl::BytesToHexString(raw);
}

uint64_t RandomUint64() {
  uint64_t value = 0;
  Fill(&value, sizeof value);
  return value;
}

}  // namespace squish
