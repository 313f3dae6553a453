// Counter-based random numbers: the value at a place in a named stream is a pure
// function of key and counter, whoever asks, in whatever order. That is what makes
// synthesis and training reproducible when workers die and work is repeated.
//
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). Bit-exact on every machine.
//
//   const RandomStream stream(RandomDomain::kSurvival, {seed, generation, index, layer});
//   uint32_t u = stream.Bits(cluster);
#ifndef SQUISH_COMMON_BASE_RANDOM_H_
#define SQUISH_COMMON_BASE_RANDOM_H_

#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace squish {

// Keeps streams of different purposes apart. Values are part of every digest:
// never renumber.
enum class RandomDomain : uint64_t {
  kSurvival = 1,
  kWeights = 2,
  kShuffle = 3,
  kAugmentation = 4,
  kDropout = 5,
  kBuiltInShapes = 6,
  kResizedCrop = 7,
  kColour = 8,
  kSynapses = 9,
  kMultipliers = 10,
};

// Philox4x32-10: 128-bit counter, 64-bit key.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// Immutable; thread-safe; cheap to copy.
class RandomStream {
 public:
  // The stream named by a domain and words. Names of different length or content
  // give streams that are independent for all practical purposes.
  RandomStream(RandomDomain domain, std::initializer_list<uint64_t> name);

  // 32 uniform bits at `position`.
  uint32_t Bits(uint64_t position) const;

  // Uniform in [0, 1), a multiple of 2^-32.
  double Uniform(uint64_t position) const;

  // Uniform in [0, bound). The bias is below bound / 2^64. bound >= 1.
  uint32_t Below(uint64_t position, uint32_t bound) const;

  // Standard normal, by Box and Muller's polar form over a private sequence at
  // `position`. Same bits everywhere.
  double Normal(uint64_t position) const;

  // A uniformly random permutation of 0..n-1 (Fisher and Yates).
  std::vector<int> Permutation(int n) const;

 private:
  std::array<uint32_t, 2> key_;
  uint64_t high_;  // Upper half of the counter, from the name.
};

}  // namespace squish

#endif  // SQUISH_COMMON_BASE_RANDOM_H_
