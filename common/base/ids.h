// Unpredictable identifiers. Never part of a digest.
#ifndef SQUISH_COMMON_BASE_IDS_H_
#define SQUISH_COMMON_BASE_IDS_H_

#include <cstdint>
#include <string>

namespace squish {

// `bytes` random bytes from the operating system as hex. Thread-safe.
std::string RandomHex(int bytes);

// 64 random bits. Thread-safe.
uint64_t RandomUint64();

}  // namespace squish

#endif  // SQUISH_COMMON_BASE_IDS_H_
