#include "common/dataset/picture_source.h"

#include "absl/status/status.h"
#include "common/dataset/built_in_shapes.h"
#include "common/dataset/cifar10.h"

namespace squish {

absl::StatusOr<std::unique_ptr<PictureSource>> OpenPictureSource(
    const v1::DatasetSpec& spec, absl::string_view source_dir, absl::FunctionRef<void()>) {
  switch (spec.source_case()) {
    case v1::DatasetSpec::kBuiltIn:
      return std::make_unique<BuiltInShapesSource>(spec.built_in(), spec.input_size());
    case v1::DatasetSpec::kCifar10:
      return OpenCifar10(source_dir, spec.input_size());
    case v1::DatasetSpec::kImageFolder:
      return absl::UnimplementedError("this program cannot decode image folders");
    default:
      return absl::InvalidArgumentError(
          "the data set has no source; set dataset.built_in, dataset.cifar10 or "
          "dataset.image_folder");
  }
}

}  // namespace squish
