#include "common/dataset/cifar10.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/dataset/resize.h"

namespace squish {
namespace {

constexpr int kSide = 32;
constexpr int kPlane = kSide * kSide;
constexpr int kRow = 1 + 3 * kPlane;
constexpr int kClasses = 10;
constexpr char kNamesFile[] = "batches.meta.txt";
constexpr char kValFile[] = "test_batch.bin";
constexpr int64_t kMaximumNamesBytes = 64 << 10;

const char* const kStandardNames[kClasses] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                              "dog",      "frog",       "horse", "ship", "truck"};

// The run of digits or non-digits that `text` starts with.
absl::string_view FirstRun(absl::string_view text) {
  size_t length = 1;
  const bool digits = absl::ascii_isdigit(text[0]);
  while (length < text.size() && absl::ascii_isdigit(text[length]) == digits) ++length;
  return text.substr(0, length);
}

// One batch file, open for reading.
class Batch {
 public:
  // INVALID_ARGUMENT: it holds no whole number of rows.
  static absl::StatusOr<std::unique_ptr<Batch>> Open(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ErrnoStatus(errno, "cannot open", path);
    auto batch = std::unique_ptr<Batch>(new Batch(path, fd));
    struct stat info;
    if (::fstat(fd, &info) != 0) return ErrnoStatus(errno, "cannot examine", path);
    if (!S_ISREG(info.st_mode)) {
      return absl::InvalidArgumentError(absl::StrCat(path, " is not a regular file"));
    }
    if (info.st_size == 0 || info.st_size % kRow != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " has ", info.st_size, " bytes, which is no whole number of CIFAR-10 ",
                       "rows of ", kRow, " bytes; copy or download it again"));
    }
    if (info.st_size / kRow > INT_MAX / 2) {
      return absl::InvalidArgumentError(absl::StrCat(path, " has too many pictures"));
    }
    batch->rows_ = static_cast<int>(info.st_size / kRow);
    return batch;
  }
  ~Batch() { ::close(fd_); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  const std::string& path() const { return path_; }
  std::string name() const { return std::filesystem::path(path_).filename().string(); }
  int rows() const { return rows_; }

  absl::Status ReadRow(int row, absl::Span<uint8_t> bytes) const {
    const ssize_t count =
        ::pread(fd_, bytes.data(), bytes.size(), static_cast<off_t>(row) * kRow);
    if (count < 0) return ErrnoStatus(errno, "cannot read", path_);
    if (count != kRow) {
      return absl::InvalidArgumentError(absl::StrCat(path_, " became shorter while it was read"));
    }
    return absl::OkStatus();
  }

 private:
  Batch(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  const std::string path_;
  const int fd_;
  int rows_ = 0;
};

// Names of the training batches in natural order.
absl::StatusOr<std::vector<std::string>> TrainingBatchNames(absl::string_view folder) {
  std::error_code error;
  std::filesystem::directory_iterator entries(std::string(folder), error), end;
  if (error) return ErrnoStatus(error.value(), "cannot open the data folder", folder);
  std::vector<std::string> names;
  for (; !error && entries != end; entries.increment(error)) {
    std::string name = entries->path().filename().string();
    if (absl::StartsWith(name, "data_batch_") && absl::EndsWith(name, ".bin")) {
      names.push_back(std::move(name));
    }
  }
  if (error) return ErrnoStatus(error.value(), "cannot list the data folder", folder);
  if (names.empty()) {
    return absl::NotFoundError(
        absl::StrCat(folder, " has no data_batch_*.bin; name the folder with CIFAR-10's "
                             "binary batches (cifar-10-batches-bin)"));
  }
  std::sort(names.begin(), names.end(), NaturallyBefore);
  return names;
}

absl::StatusOr<std::vector<std::string>> ReadClassNames(absl::string_view folder) {
  const std::string path = JoinPath(folder, kNamesFile);
  const absl::StatusOr<std::string> text = ReadFile(path, kMaximumNamesBytes);
  if (absl::IsNotFound(text.status())) {
    return std::vector<std::string>(std::begin(kStandardNames), std::end(kStandardNames));
  }
  if (!text.ok()) return text.status();
  std::vector<std::string> names;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    const absl::string_view name = absl::StripAsciiWhitespace(line);
    if (name.empty()) continue;
    if (!std::all_of(name.begin(), name.end(), absl::ascii_isprint)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": a class name is not printable ASCII; write it so"));
    }
    names.emplace_back(name);
  }
  if (names.size() != kClasses) {
    return absl::InvalidArgumentError(absl::StrCat(path, " names ", names.size(),
                                                   " classes; CIFAR-10 has ten, one a line"));
  }
  return names;
}

class Cifar10Source : public PictureSource {
 public:
  Cifar10Source(std::string folder, std::vector<std::string> class_names,
                std::vector<std::unique_ptr<Batch>> batches, int input_size)
      : folder_(std::move(folder)),
        class_names_(std::move(class_names)),
        batches_(std::move(batches)),
        input_size_(input_size),
        has_margin_(MarginSide(input_size) <= kSide),
        resizer_(kSide, input_size),
        margin_resizer_(kSide, MarginSide(input_size)) {
    for (const auto& batch : batches_) train_images_ += batch->rows();
    train_images_ -= val_images();
  }

  const std::vector<std::string>& class_names() const override { return class_names_; }
  int train_images() const override { return train_images_; }
  int val_images() const override { return batches_.back()->rows(); }
  std::string Rules() const override { return absl::StrCat("cifar10/2; ", kResizeRule); }

  absl::StatusOr<std::string> Identity(absl::FunctionRef<void()>) const override {
    std::error_code error;
    const std::string folder = std::filesystem::canonical(folder_, error).string();
    if (error) return ErrnoStatus(error.value(), "cannot resolve the data folder", folder_);
    std::string identity;
    for (const auto& batch : batches_) {
      SQUISH_RETURN_IF_ERROR(AppendIdentity(JoinPath(folder, batch->name()), &identity));
    }
    const absl::Status names = AppendIdentity(JoinPath(folder, kNamesFile), &identity);
    if (!names.ok() && !absl::IsNotFound(names)) return names;
    return identity;
  }

  absl::StatusOr<Picture> Read(int index, MarginRule margin, absl::Span<uint8_t> pixels) override {
    size_t batch = 0;
    int row = index;
    while (row >= batches_[batch]->rows()) row -= batches_[batch++]->rows();
    std::array<uint8_t, kRow> bytes;
    SQUISH_RETURN_IF_ERROR(batches_[batch]->ReadRow(row, absl::MakeSpan(bytes)));
    if (bytes[0] >= kClasses) {
      return absl::InvalidArgumentError(absl::StrCat(
          batches_[batch]->path(), ": row ", row, " of ", batches_[batch]->rows(), " has label ",
          bytes[0], "; labels are 0 to 9; copy or download the file again"));
    }
    const uint8_t* planes = bytes.data() + 1;
    std::array<uint8_t, 3 * kPlane> interleaved;
    for (int i = 0; i < kPlane; ++i) {
      for (int c = 0; c < 3; ++c) interleaved[3 * i + c] = planes[c * kPlane + i];
    }
    Picture picture{bytes[0], Sha256Hex({reinterpret_cast<const char*>(planes), 3 * kPlane}),
                    absl::StrCat(batches_[batch]->name(), " row ", row), input_size_, has_margin_};
    if (has_margin_ && margin(picture.content)) {
      picture.side = MarginSide(input_size_);
      margin_resizer_.Resize(interleaved, pixels);
    } else {
      resizer_.Resize(interleaved, pixels);
    }
    return picture;
  }

 private:
  static absl::Status AppendIdentity(const std::string& path, std::string* identity) {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) return ErrnoStatus(errno, "cannot examine", path);
    absl::StrAppend(identity, path, " ", info.st_size, " ", info.st_mtim.tv_sec, ".",
                    info.st_mtim.tv_nsec, "\n");
    return absl::OkStatus();
  }

  const std::string folder_;
  const std::vector<std::string> class_names_;
  const std::vector<std::unique_ptr<Batch>> batches_;  // The last one is val.
  const int input_size_;
  const bool has_margin_;
  const SquareResizer resizer_, margin_resizer_;
  int train_images_ = 0;
};

}  // namespace

bool NaturallyBefore(absl::string_view a, absl::string_view b) {
  while (!a.empty() && !b.empty()) {
    const absl::string_view run_a = FirstRun(a), run_b = FirstRun(b);
    if (run_a != run_b) {
      if (!absl::ascii_isdigit(run_a[0]) || !absl::ascii_isdigit(run_b[0])) return run_a < run_b;
      // Numbers of any length: without leading zeros the longer one is larger.
      const size_t zeros_a = std::min(run_a.find_first_not_of('0'), run_a.size());
      const size_t zeros_b = std::min(run_b.find_first_not_of('0'), run_b.size());
      const absl::string_view value_a = run_a.substr(zeros_a), value_b = run_b.substr(zeros_b);
      if (value_a.size() != value_b.size()) return value_a.size() < value_b.size();
      if (value_a != value_b) return value_a < value_b;
      return run_a.size() < run_b.size();
    }
    a.remove_prefix(run_a.size());
    b.remove_prefix(run_b.size());
  }
  return a.size() < b.size();
}

absl::StatusOr<std::unique_ptr<PictureSource>> OpenCifar10(absl::string_view folder,
                                                           int input_size) {
  if (folder.empty()) {
    return absl::NotFoundError(
        "CIFAR-10 pictures need a folder and none was given; start the worker with "
        "--data NAME=DIR");
  }
  SQUISH_ASSIGN_OR_RETURN(std::vector<std::string> names, TrainingBatchNames(folder));
  std::error_code error;
  if (!std::filesystem::exists(JoinPath(folder, kValFile), error)) {
    return absl::NotFoundError(absl::StrCat(
        folder, " has no ", kValFile, ", which the final report is made on; put it there"));
  }
  names.push_back(kValFile);
  std::vector<std::unique_ptr<Batch>> batches;
  int64_t rows = 0;
  for (const std::string& name : names) {
    SQUISH_ASSIGN_OR_RETURN(auto batch, Batch::Open(JoinPath(folder, name)));
    rows += batch->rows();
    batches.push_back(std::move(batch));
  }
  if (rows > INT_MAX) {
    return absl::InvalidArgumentError(absl::StrCat(folder, " holds too many pictures: ", rows));
  }
  SQUISH_ASSIGN_OR_RETURN(auto class_names, ReadClassNames(folder));
  return std::make_unique<Cifar10Source>(std::string(folder), std::move(class_names),
                                         std::move(batches), input_size);
}

}  // namespace squish
