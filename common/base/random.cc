#include "common/base/random.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "common/base/exact_math.h"

namespace squish {

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = kMultiplier0 * counter[0];
    const uint64_t product1 = kMultiplier1 * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

RandomStream::RandomStream(RandomDomain domain, std::initializer_list<uint64_t> name) {
  // Absorb the name a word at a time into a 128-bit state, Philox being the mixer.
  std::array<uint32_t, 4> state = {0x53717569, 0x73680001, static_cast<uint32_t>(domain),
                                   static_cast<uint32_t>(name.size())};
  for (const uint64_t word : name) {
    state = Philox4x32(state, {static_cast<uint32_t>(word), static_cast<uint32_t>(word >> 32)});
  }
  state = Philox4x32(state, {0xA4093822, 0x299F31D0});
  key_ = {state[0], state[1]};
  high_ = static_cast<uint64_t>(state[2]) << 32 | state[3];
}

uint32_t RandomStream::Bits(uint64_t position) const {
  return Philox4x32({static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
                     static_cast<uint32_t>(high_), static_cast<uint32_t>(high_ >> 32)},
                    key_)[0];
}

double RandomStream::Uniform(uint64_t position) const { return Bits(position) * 0x1p-32; }

uint32_t RandomStream::Below(uint64_t position, uint32_t bound) const {
  const auto block = Philox4x32({static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
                                 static_cast<uint32_t>(high_), static_cast<uint32_t>(high_ >> 32)},
                                key_);
  const uint64_t bits = static_cast<uint64_t>(block[0]) << 32 | block[1];
  return static_cast<uint32_t>((static_cast<unsigned __int128>(bits) * bound) >> 64);
}

double RandomStream::Normal(uint64_t position) const {
  // Marsaglia's polar method; rejected pairs are drawn again from the same
  // position under a key of their own, so the result depends on nothing else.
  for (uint32_t attempt = 0;; ++attempt) {
    const auto block = Philox4x32({static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
                                   static_cast<uint32_t>(high_), static_cast<uint32_t>(high_ >> 32)},
                                  {key_[0] ^ 0x4E6F726D, key_[1] + attempt});
    const double x = (block[0] + 0.5) * 0x1p-31 - 1.0;
    const double y = (block[1] + 0.5) * 0x1p-31 - 1.0;
    const double s = x * x + y * y;
    if (s >= 1.0 || s == 0.0) continue;
    return x * std::sqrt(-2.0 * ExactLog(s) / s);
  }
}

std::vector<int> RandomStream::Permutation(int n) const {
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  for (int i = n - 1; i > 0; --i) {
    std::swap(order[i], order[Below(static_cast<uint64_t>(i), static_cast<uint32_t>(i) + 1)]);
  }
  return order;
}

}  // namespace squish
