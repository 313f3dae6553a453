#include "worker/trainer/check_network.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/genome/shapes.h"

namespace squish {
namespace {

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

}  // namespace

absl::Status CheckNetwork(const Network& network, const DatasetCache& data) {
  const int side = network.preprocessing.input_size();
  if (side != data.image_size()) {
    return Invalid("it wants pictures of ", side, " pixels a side, the data set's have ",
                   data.image_size());
  }
  if (network.genome.OutputChannels(0) != 3) {
    return Invalid("it wants ", network.genome.OutputChannels(0), " channels, not RGB's 3");
  }
  const auto& class_names = data.summary().class_names();
  if (network.class_names != std::vector<std::string>(class_names.begin(), class_names.end())) {
    return Invalid("its classes are not the data set's, in that order");
  }
  return ComputeShapes(network.genome, side).status();
}

absl::Status CheckFingerprint(const DatasetCache& data, const std::string& fingerprint) {
  if (data.summary().fingerprint() == fingerprint) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the cache holds data set ", data.summary().fingerprint(), ", not ", fingerprint));
}

absl::Status CheckSplit(const DatasetCache& data, v1::Split split) {
  if (data.Count(split) > 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the data set has no pictures in split ", v1::Split_Name(split)));
}

}  // namespace squish
