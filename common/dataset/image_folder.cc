#include "common/dataset/image_folder.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <new>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/dataset/jpeg.h"

namespace squish {
namespace {

// Part of every fingerprint. Whoever changes a pixel by changing the code below raises it.
constexpr char kRules[] =
    "image folder/1; rgb, exif orientation, no alpha, 16 bits by 257; jpeg decoded at 1/8, 1/4 "
    "or 1/2 where the short side stays at least the wanted one; area down, then linear up";
constexpr int64_t kMaximumFileBytes = int64_t{256} << 20;

// The largest reduction of JPEG's own that leaves the short side at least `side`.
int ReductionOf(const PictureHeader& header, int side) {
  if (header.format != PictureHeader::kJpeg) return 1;
  const int short_side = std::min(header.width, header.height);
  for (const int reduction : {8, 4, 2}) {
    if (short_side / reduction >= side) return reduction;
  }
  return 1;
}

int ReadMode(int reduction) {
  switch (reduction) {
    case 8:
      return cv::IMREAD_REDUCED_COLOR_8;
    case 4:
      return cv::IMREAD_REDUCED_COLOR_4;
    case 2:
      return cv::IMREAD_REDUCED_COLOR_2;
    default:
      return cv::IMREAD_COLOR | cv::IMREAD_ANYDEPTH;
  }
}

// Shrinks what is too large by area, then enlarges what is too small linearly: a side each.
void Resize(const cv::Mat& from, cv::Size to, cv::Mat& out) {
  cv::Mat small = from;
  const cv::Size shrunk(std::min(from.cols, to.width), std::min(from.rows, to.height));
  if (shrunk != from.size()) cv::resize(from, small, shrunk, 0, 0, cv::INTER_AREA);
  if (shrunk == to) {
    out = small;
  } else {
    cv::resize(small, out, to, 0, 0, cv::INTER_LINEAR);
  }
}

// The size of a whole picture when its short side is `side`, rounded to the nearest.
cv::Size SizeWithShortSide(cv::Size picture, int side) {
  const int short_side = std::min(picture.width, picture.height);
  const auto scaled = [&](int length) {
    return static_cast<int>((int64_t{2} * length * side + short_side) / (2 * short_side));
  };
  return {scaled(picture.width), scaled(picture.height)};
}

// INVALID_ARGUMENT where enlarging the picture up to its short side would fill the memory.
absl::Status CheckShape(const PictureHeader& header, v1::ResizeRule rule, int side) {
  if (rule != v1::SHORT_SIDE_CENTER_CROP) return absl::OkStatus();
  const cv::Size whole = SizeWithShortSide({header.width, header.height}, side);
  if (int64_t{whole.width} * whole.height <= kMaximumPicturePixels) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "it is too narrow: its ", header.width, " x ", header.height, " pixels would be enlarged to ",
      whole.width, " x ", whole.height, " before they are cropped; at most ",
      kMaximumPicturePixels, " in all are made"));
}

cv::Mat MakeSquare(const cv::Mat& picture, v1::ResizeRule rule, int side) {
  cv::Mat out;
  if (rule != v1::SHORT_SIDE_CENTER_CROP) {
    Resize(picture, {side, side}, out);
    return out;
  }
  Resize(picture, SizeWithShortSide(picture.size(), side), out);
  return out(cv::Rect((out.cols - side) / 2, (out.rows - side) / 2, side, side));
}

absl::Status Undecodable() { return absl::InvalidArgumentError("it is damaged"); }
absl::Status OutOfMemory() {
  return absl::ResourceExhaustedError("there is not enough memory to decode it");
}

// Brings a stored picture upright.
cv::Mat Upright(const cv::Mat& stored, int orientation) {
  cv::Mat picture = stored;
  if (orientation >= 5) cv::transpose(stored, picture);
  cv::Mat turned;
  switch (orientation) {
    case 2:
    case 6:
      cv::flip(picture, turned, 1);
      return turned;
    case 3:
    case 7:
      cv::flip(picture, turned, -1);
      return turned;
    case 4:
    case 8:
      cv::flip(picture, turned, 0);
      return turned;
    default:
      return picture;
  }
}

// RGB, upright, of 8 or 16 bits, of any size from `side` on if the picture has it; in
// `room`, of side² pixels, where it fits as it is.
absl::StatusOr<cv::Mat> DecodeWhole(absl::string_view file, const PictureHeader& header, int side,
                                    cv::Mat& room) {
  const int reduction = ReductionOf(header, side);
  cv::Mat picture;
  if (header.format == PictureHeader::kJpeg && header.components <= 3) {
    SQUISH_RETURN_IF_ERROR(DecodeJpeg(file, reduction, [&](int width, int height) {
      const bool fits = width == side && height == side && header.orientation == 1;
      picture = fits ? room : cv::Mat(height, width, CV_8UC3);
      return picture.data;
    }));
    return Upright(picture, header.orientation);
  }
  // imdecode only reads.
  const cv::Mat bytes(1, static_cast<int>(file.size()), CV_8U, const_cast<char*>(file.data()));
  const cv::Mat blue_first = cv::imdecode(bytes, ReadMode(reduction));
  if (blue_first.empty()) return Undecodable();
  cv::cvtColor(blue_first, picture, cv::COLOR_BGR2RGB);
  return picture;
}

// As DecodePicture, which ends OpenCV's exceptions.
absl::Status Decode(absl::string_view file, const PictureHeader& header, v1::ResizeRule resize,
                    int side, absl::Span<uint8_t> pixels) {
  SQUISH_RETURN_IF_ERROR(CheckShape(header, resize, side));
  cv::Mat out(side, side, CV_8UC3, pixels.data());
  SQUISH_ASSIGN_OR_RETURN(const cv::Mat whole, DecodeWhole(file, header, side, out));
  const cv::Mat square = MakeSquare(whole, resize, side);
  if (square.data == out.data) return absl::OkStatus();
  if (square.depth() == CV_16U) {
    square.convertTo(out, CV_8U, 1.0 / 257);
  } else {
    square.copyTo(out);
  }
  return out.data == pixels.data() ? absl::OkStatus() : Undecodable();
}

class ImageFolder : public PictureSource {
 public:
  // The listing has no problems: both splits have the same classes.
  ImageFolder(std::string folder, std::string canonical_folder, const FolderListing& listing,
              const v1::DatasetSpec& spec)
      : folder_(std::move(folder)), canonical_folder_(std::move(canonical_folder)), spec_(spec) {
    for (const ListedClass& listed : listing.train) class_names_.push_back(listed.name);
    AddFiles(listing.train);
    train_images_ = static_cast<int>(files_.size());
    AddFiles(listing.val);
  }

  const std::vector<std::string>& class_names() const override { return class_names_; }
  int train_images() const override { return train_images_; }
  int val_images() const override {
    return static_cast<int>(files_.size()) - train_images_;
  }
  std::string Rules() const override {
    return absl::StrCat(kRules, "; ",
                        v1::ResizeRule_Name(spec_.resize() == v1::SHORT_SIDE_CENTER_CROP
                                                ? v1::SHORT_SIDE_CENTER_CROP
                                                : v1::SQUASH));
  }

  absl::StatusOr<std::string> Identity(absl::FunctionRef<void()> alive) const override {
    SQUISH_ASSIGN_OR_RETURN(const FolderListing listing, ListImageFolder(folder_, alive));
    std::string identity = canonical_folder_;
    size_t index = 0;
    for (const auto* classes : {&listing.train, &listing.val}) {
      for (const ListedClass& listed : *classes) {
        for (const ListedFile& file : listed.files) {
          // What was opened is what is identified.
          if (index == files_.size() || files_[index++].path != file.path) return Changed();
          absl::StrAppend(&identity, "\n", file.path, " ", file.stat);
        }
      }
    }
    if (index != files_.size()) return Changed();
    return identity;
  }

  double maximum_unreadable() const override {
    return spec_.image_folder().has_maximum_unreadable()
               ? spec_.image_folder().maximum_unreadable()
               : kDefaultMaximumUnreadable;
  }
  std::string UnreadableAdvice() const override {
    return "repair or remove them ('squishctl dataset check DIR' names all), or raise "
           "dataset.image_folder.maximum_unreadable";
  }

  absl::StatusOr<Picture> Read(int index, MarginRule margin, absl::Span<uint8_t> pixels) override {
    const ListedFile& file = files_[static_cast<size_t>(index)];
    Picture picture;
    picture.name = PrintableName(file.path);
    const absl::Status status = ReadInto(file, margin, pixels, picture);
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat(picture.name, ": ", status.message()));
    }
    picture.label = labels_[static_cast<size_t>(index)];
    return picture;
  }

 private:
  absl::Status Changed() const {
    return absl::AbortedError(absl::StrCat(
        "the files in ", folder_, " changed while they were read; try again when all are there"));
  }

  absl::Status ReadInto(const ListedFile& file, MarginRule margin, absl::Span<uint8_t> pixels,
                        Picture& picture) const {
    SQUISH_ASSIGN_OR_RETURN(const std::string bytes, ReadListedFile(folder_, file));
    SQUISH_ASSIGN_OR_RETURN(const PictureHeader header, ReadPictureHeader(bytes));
    const int margin_side = MarginSide(spec_.input_size());
    picture.content = Sha256Hex(bytes);
    picture.has_margin = std::min(header.width, header.height) >= margin_side;
    const bool large = picture.has_margin && margin(picture.content);
    picture.side = large ? margin_side : spec_.input_size();
    return DecodePicture(bytes, header, spec_.resize(), picture.side, pixels);
  }

  void AddFiles(const std::vector<ListedClass>& classes) {
    for (size_t label = 0; label < classes.size(); ++label) {
      files_.insert(files_.end(), classes[label].files.begin(), classes[label].files.end());
      labels_.resize(files_.size(), static_cast<int>(label));
    }
  }

  const std::string folder_;            // As it was named, for reading and for messages.
  const std::string canonical_folder_;  // However it was named.
  const v1::DatasetSpec spec_;
  std::vector<ListedFile> files_;  // Train, then val.
  std::vector<int> labels_;        // Of the files.
  std::vector<std::string> class_names_;
  int train_images_ = 0;
};

}  // namespace

void DecodeSideBySide() { cv::setNumThreads(1); }

absl::StatusOr<std::string> ReadListedFile(absl::string_view folder, const ListedFile& file) {
  const std::string path = JoinPath(folder, file.path);
  const auto unreadable = [](int error) {
    return absl::InvalidArgumentError(absl::StrCat("it cannot be read: ", std::strerror(error)));
  };
  const auto no_file = [] { return absl::InvalidArgumentError("it is no regular file"); };
  // A pipe would be waited for.
  if (!file.regular) return no_file();
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    const int error = errno;
    const bool is_the_files = error == ENOENT || error == ENOTDIR || error == EACCES ||
                              error == EPERM || error == ELOOP;
    if (is_the_files) return unreadable(error);
    return ErrnoStatus(error, "cannot examine", "it");
  }
  if (info.st_size > kMaximumFileBytes) {
    return absl::InvalidArgumentError(absl::StrCat("it has ", info.st_size, " bytes; at most ",
                                                   kMaximumFileBytes, " are read"));
  }
  try {
    absl::StatusOr<std::string> bytes = ReadFile(path, kMaximumFileBytes);
    if (absl::IsNotFound(bytes.status())) return unreadable(ENOENT);
    if (absl::IsPermissionDenied(bytes.status())) return unreadable(EACCES);
    if (absl::IsInvalidArgument(bytes.status())) return no_file();
    return bytes;
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  }
}

absl::Status DecodePicture(absl::string_view file, const PictureHeader& header,
                           v1::ResizeRule resize, int side, absl::Span<uint8_t> pixels) {
  try {
    return Decode(file, header, resize, side, pixels);
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  } catch (const cv::Exception& error) {
    return error.code == cv::Error::StsNoMem ? OutOfMemory() : Undecodable();
  } catch (const std::exception& error) {
    return Undecodable();
  }
}

absl::StatusOr<std::unique_ptr<PictureSource>> OpenImageFolder(
    const v1::DatasetSpec& spec, absl::string_view source_dir, absl::FunctionRef<void()> alive) {
  if (source_dir.empty()) {
    return absl::NotFoundError(
        "an image folder is needed and none was given; start the worker with --data NAME=DIR");
  }
  SQUISH_ASSIGN_OR_RETURN(const FolderListing listing, ListImageFolder(source_dir, alive));
  const std::vector<std::string> problems = FolderProblems(listing, source_dir);
  if (!problems.empty()) return absl::InvalidArgumentError(problems[0]);
  std::error_code error;
  const std::string canonical =
      std::filesystem::canonical(std::string(source_dir), error).string();
  if (error) return ErrnoStatus(error.value(), "cannot resolve the folder", source_dir);
  DecodeSideBySide();
  return std::make_unique<ImageFolder>(std::string(source_dir), canonical, listing, spec);
}

absl::StatusOr<std::unique_ptr<PictureSource>> OpenAnyPictureSource(
    const v1::DatasetSpec& spec, absl::string_view source_dir, absl::FunctionRef<void()> alive) {
  if (spec.has_image_folder()) return OpenImageFolder(spec, source_dir, alive);
  return OpenPictureSource(spec, source_dir, alive);
}

}  // namespace squish
