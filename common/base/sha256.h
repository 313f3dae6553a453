// SHA-256, the name of every artifact and digest.
#ifndef SQUISH_COMMON_BASE_SHA256_H_
#define SQUISH_COMMON_BASE_SHA256_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

struct evp_md_ctx_st;

namespace squish {

// Incremental hash. Not thread-safe.
//
//   Sha256 hash;
//   hash.Update(part);
//   std::string digest = std::move(hash).HexDigest();
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(absl::string_view bytes);
  void Update(const void* data, size_t size);
  // Little-endian, eight bytes.
  void UpdateUint64(uint64_t value);
  // Length (UpdateUint64), then the bytes: keeps neighbouring strings apart.
  void UpdateString(absl::string_view bytes);

  // 64 lower-case hex digits. Call once, last.
  std::string HexDigest() &&;
  // The first 16 of them as a number, for seeds. Call instead.
  uint64_t First64Bits() &&;

 private:
  struct Deleter {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Deleter> context_;
};

// The digest of `bytes` in hex.
std::string Sha256Hex(absl::string_view bytes);

// Whether `text` is 64 lower-case hex digits.
bool IsSha256Hex(absl::string_view text);

}  // namespace squish

#endif  // SQUISH_COMMON_BASE_SHA256_H_
