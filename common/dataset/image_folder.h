// A folder of pictures as a source: train/CLASS/… and val/CLASS/… (folder_listing.h), JPEG
// and PNG by content, decoded by OpenCV. The one place in which pictures that people bring
// are decoded; only squish-decoder and squishctl link it.
#ifndef SQUISH_COMMON_DATASET_IMAGE_FOLDER_H_
#define SQUISH_COMMON_DATASET_IMAGE_FOLDER_H_

#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/dataset/folder_listing.h"
#include "common/dataset/picture_header.h"
#include "common/dataset/picture_source.h"
#include "squish/v1/dataset.pb.h"

namespace squish {

// ImageFolder.maximum_unreadable where it is not set.
constexpr double kDefaultMaximumUnreadable = 0.01;

// Pictures become RGB of 8 bits, by the EXIF orientation upright, without alpha, and by
// the spec's resize rule square. Thread-safe to read. NOT_FOUND, PERMISSION_DENIED: the
// folder or a part of it cannot be listed. INVALID_ARGUMENT: what FolderProblems finds.
// `alive` as ListImageFolder.
absl::StatusOr<std::unique_ptr<PictureSource>> OpenImageFolder(
    const v1::DatasetSpec& spec, absl::string_view source_dir,
    absl::FunctionRef<void()> alive = [] {});

// As OpenPictureSource, image folders included.
absl::StatusOr<std::unique_ptr<PictureSource>> OpenAnyPictureSource(
    const v1::DatasetSpec& spec, absl::string_view source_dir,
    absl::FunctionRef<void()> alive = [] {});

// For a process that decodes pictures on threads of its own: OpenCV starts none beside them.
void DecodeSideBySide();

// The bytes of a listed file. INVALID_ARGUMENT: the file is at fault (not there, not allowed,
// too large, no regular file); says why, without its name. RESOURCE_EXHAUSTED, INTERNAL: the
// machine is.
absl::StatusOr<std::string> ReadListedFile(absl::string_view folder, const ListedFile& file);

// Decodes a whole file with this header into side² RGB pixels. INVALID_ARGUMENT says what
// is wrong with it: also where it is so narrow that a crop of its middle would have to be
// enlarged beyond kMaximumPicturePixels first. RESOURCE_EXHAUSTED: memory was short.
absl::Status DecodePicture(absl::string_view file, const PictureHeader& header,
                           v1::ResizeRule resize, int side, absl::Span<uint8_t> pixels);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_IMAGE_FOLDER_H_
