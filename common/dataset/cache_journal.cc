#include "common/dataset/cache_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/base/file.h"
#include "common/base/sha256.h"

namespace squish {
namespace {

constexpr size_t kMaximumProblemBytes = 1024;

uint64_t Check(absl::string_view payload) {
  Sha256 hash;
  hash.Update(payload);
  return std::move(hash).First64Bits();
}

std::string Encode(const DecodedPicture& picture) {
  std::string payload;
  AppendNumber(static_cast<uint64_t>(picture.index), 4, &payload);
  AppendNumber(picture.has_margin ? 1 : 0, 1, &payload);
  const size_t problem_bytes = std::min(picture.problem.size(), kMaximumProblemBytes);
  AppendNumber(problem_bytes, 2, &payload);
  payload.append(picture.problem, 0, problem_bytes);
  AppendEntry(picture.entry, &payload);
  return payload;
}

// The payload is whole: its check has been compared.
DecodedPicture Decode(absl::string_view payload) {
  DecodedPicture picture;
  picture.index = static_cast<int>(NumberAt(payload, 0, 4));
  picture.has_margin = NumberAt(payload, 4, 1) != 0;
  const size_t problem_bytes = NumberAt(payload, 5, 2);
  picture.problem = std::string(payload.substr(7, problem_bytes));
  payload.remove_prefix(7 + problem_bytes);
  picture.entry = TakeEntry(&payload).value();
  return picture;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CacheJournal>> CacheJournal::Open(std::string path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0644);
  if (fd < 0) return ErrnoStatus(errno, "cannot open", path);
  std::unique_ptr<CacheJournal> journal(new CacheJournal(std::move(path), fd));
  absl::StatusOr<std::string> bytes = ReadFile(journal->path_);
  if (!bytes.ok()) return bytes.status();
  journal->Parse(*bytes);
  return journal;
}

CacheJournal::~CacheJournal() { ::close(fd_); }

void CacheJournal::Parse(absl::string_view bytes) {
  const size_t all = bytes.size();
  while (bytes.size() >= 4) {
    const size_t size = NumberAt(bytes, 0, 4);
    if (size > bytes.size() - 4 || bytes.size() - 4 - size < 8) return;
    const absl::string_view payload = bytes.substr(4, size);
    if (NumberAt(bytes, 4 + size, 8) != Check(payload)) return;
    DecodedPicture picture = Decode(payload);
    if (picture.index != static_cast<int>(found_.size())) return;
    found_.push_back(std::move(picture));
    bytes.remove_prefix(4 + size + 8);
    ends_.push_back(static_cast<int64_t>(all - bytes.size()));
  }
}

absl::Status CacheJournal::Keep(size_t count) {
  if (::ftruncate(fd_, count == 0 ? 0 : ends_[count - 1]) != 0) {
    return ErrnoStatus(errno, "cannot cut", path_);
  }
  return absl::OkStatus();
}

absl::Status CacheJournal::Append(absl::Span<const DecodedPicture> pictures) {
  std::string bytes;
  for (const DecodedPicture& picture : pictures) {
    const std::string payload = Encode(picture);
    AppendNumber(payload.size(), 4, &bytes);
    bytes += payload;
    AppendNumber(Check(payload), 8, &bytes);
  }
  absl::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, "cannot write", path_);
    rest.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace squish
