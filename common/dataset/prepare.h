// From a data set's spec to its decoded cache: what the program `squish-decoder` does.
#ifndef SQUISH_COMMON_DATASET_PREPARE_H_
#define SQUISH_COMMON_DATASET_PREPARE_H_

#include <functional>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/dataset/picture_source.h"
#include "squish/v1/trainer.pb.h"

namespace squish {

// Opens the source of a spec: OpenPictureSource, or OpenAnyPictureSource (image_folder.h).
using SourceOpener = absl::StatusOr<std::unique_ptr<PictureSource>> (*)(
    const v1::DatasetSpec& spec, absl::string_view source_dir, absl::FunctionRef<void()> alive);

// Makes the cache of `request`, or finds it: its name follows from the spec and from
// the names, sizes and times of the source's files, and its content is checked against
// its fingerprint. A damaged cache is made anew, and one whose maker was killed is gone
// on with. Any number of processes may prepare the same set at once: one of them works.
// `progress` is called now and then, on the calling thread, with the fraction done: 0 also
// while another process makes the cache, a large folder is listed or a large cache checked.
//
// INVALID_ARGUMENT: the spec or the source is wrong; the message says where and what
// to do. ABORTED: the source changed while it was read. RESOURCE_EXHAUSTED: the disk of
// the cache is full. Others: the file system's.
absl::StatusOr<v1::DecoderEvent::Done> PrepareDataset(
    const v1::DecoderRequest& request, const std::function<void(double fraction)>& progress,
    SourceOpener open = OpenPictureSource);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_PREPARE_H_
