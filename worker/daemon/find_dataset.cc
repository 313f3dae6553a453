#include "worker/daemon/find_dataset.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/daemon/child_events.h"

namespace squish {

StepOr<v1::DecoderEvent::Done> FindDataset(Attempt& attempt, const v1::DatasetSpec& spec,
                                           const std::string& fingerprint, DatasetShelf& datasets) {
  const std::string wanted =
      absl::StrCat("the job needs data set '", spec.name(), "' with fingerprint ", fingerprint);
  absl::StatusOr<v1::DecoderEvent::Done> found = datasets.Await(spec, attempt);
  if (!found.ok()) {
    return MakeFailure(v1::Failure::MISSING_DATASET,
                       absl::StrCat(wanted, "; this worker has none: ", found.status().message()));
  }
  if (found->summary().fingerprint() != fingerprint) {
    return MakeFailure(v1::Failure::MISSING_DATASET, absl::StrCat(wanted, "; this worker's has ",
                                                                  found->summary().fingerprint()));
  }
  return *std::move(found);
}

}  // namespace squish
