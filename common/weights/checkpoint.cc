#include "common/weights/checkpoint.h"

#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/weights/safetensors.h"

namespace squish {
namespace {

// The first of its metadata, and so the beginning of every such file: see BeginsAsCheckpoint.
constexpr char kVersion[] = "squish.checkpoint";
constexpr char kDigest[] = "squish.digest";
constexpr char kNumericsClass[] = "squish.numerics_class";
constexpr char kStep[] = "squish.step";
constexpr char kTask[] = "squish.task";
constexpr char kThisVersion[] = "1";

using Metadata = std::map<std::string, std::string>;
using Tensors = std::map<std::string, TensorView>;

template <typename Number>
TensorView ViewOf(const char* dtype, const std::vector<Number>& values) {
  return {dtype,
          {static_cast<int64_t>(values.size())},
          {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Number)}};
}

// Of what the file says, but for this digest.
std::string DigestOf(Metadata metadata, const Tensors& tensors) {
  metadata.erase(kDigest);
  return Sha256Hex(SerializeSafetensors(metadata, tensors));
}

template <typename Number>
absl::Status Read(const Tensors& tensors, const char* name, absl::string_view dtype,
                  std::vector<Number>& values) {
  const auto found = tensors.find(name);
  if (found == tensors.end() || found->second.dtype != dtype || found->second.shape.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("there is no list ", name, " of ", dtype));
  }
  values.resize(found->second.bytes.size() / sizeof(Number));
  // The bytes may lie at any address.
  std::memcpy(values.data(), found->second.bytes.data(), found->second.bytes.size());
  return absl::OkStatus();
}

absl::StatusOr<TrainingState> Read(absl::string_view file) {
  SQUISH_ASSIGN_OR_RETURN(SafetensorsView view, ParseSafetensors(file));
  if (view.metadata[kVersion] != kThisVersion) {
    return absl::InvalidArgumentError("it is of another version");
  }
  if (view.metadata[kDigest] != DigestOf(view.metadata, view.tensors)) {
    return absl::InvalidArgumentError("it is damaged");
  }
  TrainingState state;
  state.task = view.metadata[kTask];
  state.numerics_class = view.metadata[kNumericsClass];
  if (!absl::SimpleAtoi(view.metadata[kStep], &state.step) || state.step < 1) {
    return absl::InvalidArgumentError("it does not say how many steps are done");
  }
  SQUISH_RETURN_IF_ERROR(Read(view.tensors, "parameters", "F32", state.parameters));
  SQUISH_RETURN_IF_ERROR(Read(view.tensors, "velocity", "F32", state.velocity));
  SQUISH_RETURN_IF_ERROR(Read(view.tensors, "losses", "F64", state.losses));
  return state;
}

}  // namespace

std::string SerializeCheckpoint(const TrainingState& state) {
  const Tensors tensors = {{"parameters", ViewOf("F32", state.parameters)},
                           {"velocity", ViewOf("F32", state.velocity)},
                           {"losses", ViewOf("F64", state.losses)}};
  Metadata metadata = {{kVersion, kThisVersion},
                       {kNumericsClass, state.numerics_class},
                       {kStep, absl::StrCat(state.step)},
                       {kTask, state.task}};
  metadata[kDigest] = DigestOf(metadata, tensors);
  return SerializeSafetensors(metadata, tensors);
}

absl::StatusOr<TrainingState> ReadCheckpoint(absl::string_view file) {
  absl::StatusOr<TrainingState> state = Read(file);
  if (!state.ok()) return Annotate(state.status(), "not a usable checkpoint");
  return state;
}

bool BeginsAsCheckpoint(absl::string_view beginning) {
  constexpr size_t kHeaderLengthBytes = 8;
  return beginning.size() > kHeaderLengthBytes &&
         absl::StartsWith(beginning.substr(kHeaderLengthBytes),
                          absl::StrCat("{\"__metadata__\":{\"", kVersion, "\":"));
}

}  // namespace squish
