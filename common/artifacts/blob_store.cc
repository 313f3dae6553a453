#include "common/artifacts/blob_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/ids.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

constexpr size_t kCopyBytes = 1 << 20;

std::string ShardOf(absl::string_view folder, absl::string_view digest) {
  return JoinPath(folder, digest.substr(0, 2));
}

std::string TemporaryFolder(absl::string_view folder) { return JoinPath(folder, "tmp"); }

// Removes what writers that died left behind. A living writer holds a lock on its file.
void RemoveAbandoned(const std::string& temporary_folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(temporary_folder, error)) {
    const int fd = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) continue;
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) ::unlink(entry.path().c_str());
    ::close(fd);
  }
}

// Renames a synced file to its place and makes the new name durable.
absl::Status MoveIntoPlace(const std::string& from, const std::string& folder,
                           absl::string_view digest) {
  const std::string shard = ShardOf(folder, digest);
  if (::mkdir(shard.c_str(), 0755) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, "cannot make folder", shard);
  }
  // Also when another thread made it: that one may not have come so far yet.
  SQUISH_RETURN_IF_ERROR(SyncFolder(folder));
  return RenameDurably(from, JoinPath(shard, digest));
}

// Reads an open file from its start to its end, `consume` taking each piece.
template <typename Consumer>
absl::Status ReadThrough(int fd, const std::string& path, Consumer consume) {
  std::vector<char> buffer(kCopyBytes);
  int64_t offset = 0;
  while (true) {
    const ssize_t count = ::pread(fd, buffer.data(), buffer.size(), offset);
    if (count < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, "cannot read", path);
    }
    if (count == 0) return absl::OkStatus();
    offset += count;
    SQUISH_RETURN_IF_ERROR(consume(absl::string_view(buffer.data(), static_cast<size_t>(count))));
  }
}

absl::Status OtherDigest(absl::string_view digest, absl::string_view path) {
  return absl::DataLossError(absl::StrCat("the stored bytes of artifact ", digest,
                                          " no longer have that digest: ", path));
}

// Closes at the end of its scope.
struct OpenFile {
  int fd;
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

struct BlobStore::Writer::State {
  std::string folder;
  std::string digest;
  int64_t size = 0;
  int64_t written = 0;
  std::string temporary;
  int fd = -1;
  Sha256 hash;

  ~State() {
    if (!temporary.empty()) ::unlink(temporary.c_str());
    if (fd >= 0) ::close(fd);
  }
};

BlobStore::Writer::Writer(std::unique_ptr<State> state) : state_(std::move(state)) {}
BlobStore::Writer::~Writer() = default;

absl::Status BlobStore::Writer::Append(absl::string_view chunk) {
  State& state = *state_;
  if (static_cast<int64_t>(chunk.size()) > state.size - state.written) {
    return absl::DataLossError(absl::StrCat("artifact ", state.digest, " has more than the ",
                                            state.size, " bytes that were announced"));
  }
  state.hash.Update(chunk);
  state.written += static_cast<int64_t>(chunk.size());
  while (!chunk.empty()) {
    const ssize_t count = ::write(state.fd, chunk.data(), chunk.size());
    if (count < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, "cannot write", state.temporary);
    }
    chunk.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status BlobStore::Writer::Commit() {
  State& state = *state_;
  if (state.written != state.size) {
    return absl::DataLossError(absl::StrCat("artifact ", state.digest, " ended after ",
                                            state.written, " of ", state.size, " bytes"));
  }
  const std::string digest = std::move(state.hash).HexDigest();
  if (digest != state.digest) {
    return absl::DataLossError(
        absl::StrCat("artifact ", state.digest, " arrived as bytes whose digest is ", digest));
  }
  if (::fsync(state.fd) != 0) return ErrnoStatus(errno, "cannot sync", state.temporary);
  SQUISH_RETURN_IF_ERROR(MoveIntoPlace(state.temporary, state.folder, state.digest));
  state.temporary.clear();
  return absl::OkStatus();
}

BlobStore::BlobStore(std::string folder) : folder_(std::move(folder)) {}

absl::StatusOr<std::unique_ptr<BlobStore>> BlobStore::Open(absl::string_view folder) {
  SQUISH_RETURN_IF_ERROR(MakeFolder(TemporaryFolder(folder)));
  // The folder's own name, or all that is in it could be lost with it. Also when it was there:
  // whoever made it may not have come so far.
  const std::filesystem::path inner =
      std::filesystem::absolute(TemporaryFolder(folder)).lexically_normal();
  SQUISH_RETURN_IF_ERROR(SyncFolder(inner.parent_path().parent_path().string()));
  RemoveAbandoned(TemporaryFolder(folder));
  return std::unique_ptr<BlobStore>(new BlobStore(std::string(folder)));
}

absl::StatusOr<std::string> BlobStore::Put(absl::string_view bytes) {
  const std::string digest = Sha256Hex(bytes);
  const auto size = static_cast<int64_t>(bytes.size());
  SQUISH_ASSIGN_OR_RETURN(const bool is_here, Keep(digest, size));
  if (is_here) return digest;
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Writer> writer, NewWriter(digest, size));
  SQUISH_RETURN_IF_ERROR(writer->Append(bytes));
  SQUISH_RETURN_IF_ERROR(writer->Commit());
  return digest;
}

absl::StatusOr<std::string> BlobStore::PutFile(absl::string_view path) {
  const std::string source(path);
  // A link is refused: renaming it would store the link and not the bytes.
  const OpenFile file{::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (file.fd < 0 && errno != ELOOP) return ErrnoStatus(errno, "cannot open", source);
  struct stat info;
  if (file.fd < 0 || ::fstat(file.fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(source, " is not a regular file"));
  }
  Sha256 hash;
  int64_t size = 0;
  SQUISH_RETURN_IF_ERROR(ReadThrough(file.fd, source, [&](absl::string_view piece) {
    hash.Update(piece);
    size += static_cast<int64_t>(piece.size());
    return absl::OkStatus();
  }));
  const std::string digest = std::move(hash).HexDigest();
  struct stat store;
  if (::stat(folder_.c_str(), &store) != 0) return ErrnoStatus(errno, "cannot examine", folder_);
  if (store.st_dev == info.st_dev) {
    if (::fsync(file.fd) != 0) return ErrnoStatus(errno, "cannot sync", source);
    SQUISH_RETURN_IF_ERROR(MoveIntoPlace(source, folder_, digest));
    return digest;
  }
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Writer> writer, NewWriter(digest, size));
  SQUISH_RETURN_IF_ERROR(ReadThrough(
      file.fd, source, [&](absl::string_view piece) { return writer->Append(piece); }));
  SQUISH_RETURN_IF_ERROR(writer->Commit());
  ::unlink(source.c_str());
  return digest;
}

absl::StatusOr<std::string> BlobStore::Get(absl::string_view digest) const {
  if (!IsSha256Hex(digest)) return absl::NotFoundError("the name of an artifact is its SHA-256");
  auto bytes = ReadFile(PathOf(digest), kMaximumBytes);
  if (absl::IsNotFound(bytes.status())) {
    return absl::NotFoundError(absl::StrCat("there is no artifact ", digest));
  }
  if (bytes.ok() && Sha256Hex(*bytes) != digest) {
    return OtherDigest(digest, PathOf(digest));
  }
  return bytes;
}

absl::Status BlobStore::Verify(absl::string_view digest) const {
  if (!IsSha256Hex(digest)) return absl::NotFoundError("the name of an artifact is its SHA-256");
  const std::string path = PathOf(digest);
  const OpenFile file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0 && errno == ENOENT) {
    return absl::NotFoundError(absl::StrCat("there is no artifact ", digest));
  }
  if (file.fd < 0) return ErrnoStatus(errno, "cannot open", path);
  Sha256 hash;
  SQUISH_RETURN_IF_ERROR(ReadThrough(file.fd, path, [&](absl::string_view piece) {
    hash.Update(piece);
    return absl::OkStatus();
  }));
  return std::move(hash).HexDigest() == digest ? absl::OkStatus() : OtherDigest(digest, path);
}

absl::StatusOr<std::vector<std::string>> BlobStore::List() const {
  std::vector<std::string> digests;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entries(folder_, error);
  for (; !error && entries != std::filesystem::end(entries); entries.increment(error)) {
    std::string name = entries->path().filename().string();
    if (IsSha256Hex(name)) digests.push_back(std::move(name));
  }
  if (error) return ErrnoStatus(error.value(), "cannot list", folder_);
  std::sort(digests.begin(), digests.end());
  return digests;
}

bool BlobStore::Contains(absl::string_view digest) const { return SizeOf(digest).ok(); }

bool BlobStore::Use(absl::string_view digest) const {
  absl::MutexLock lock(&use_);
  return Contains(digest) && ::utimensat(AT_FDCWD, PathOf(digest).c_str(), nullptr, 0) == 0;
}

absl::StatusOr<bool> BlobStore::Keep(absl::string_view digest, int64_t size) const {
  if (SizeOf(digest).value_or(-1) != size || !Use(digest)) return false;
  SQUISH_RETURN_IF_ERROR(SyncFolder(ShardOf(folder_, digest)));
  return true;
}

absl::StatusOr<bool> BlobStore::RemoveUnused(absl::string_view digest, absl::Time since) {
  absl::MutexLock lock(&use_);
  struct stat info;
  if (!IsSha256Hex(digest) || ::stat(PathOf(digest).c_str(), &info) != 0) return true;
  if (absl::TimeFromTimespec(info.st_mtim) >= since) return false;
  SQUISH_RETURN_IF_ERROR(Remove(digest));
  return true;
}

std::string BlobStore::PathOf(absl::string_view digest) const {
  if (!IsSha256Hex(digest)) return "";
  return JoinPath(ShardOf(folder_, digest), digest);
}

absl::StatusOr<int64_t> BlobStore::SizeOf(absl::string_view digest) const {
  struct stat info;
  if (!IsSha256Hex(digest) || ::stat(PathOf(digest).c_str(), &info) != 0) {
    return absl::NotFoundError(absl::StrCat("there is no artifact ", digest));
  }
  return info.st_size;
}

absl::Status BlobStore::Remove(absl::string_view digest) {
  if (IsSha256Hex(digest) && ::unlink(PathOf(digest).c_str()) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, "cannot remove", PathOf(digest));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BlobStore::Writer>> BlobStore::NewWriter(absl::string_view digest,
                                                                        int64_t size) {
  if (!IsSha256Hex(digest)) {
    return absl::InvalidArgumentError(
        "the name of an artifact is its SHA-256 in 64 lower-case hex digits");
  }
  if (size < 0 || size > kMaximumBytes) {
    return absl::InvalidArgumentError(absl::StrCat("artifact ", digest, " announces ", size,
                                                   " bytes; it may have 0 to ", kMaximumBytes));
  }
  auto state = std::make_unique<Writer::State>();
  state->folder = folder_;
  state->digest = std::string(digest);
  state->size = size;
  std::string path = JoinPath(TemporaryFolder(folder_), RandomHex(16));
  state->fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (state->fd < 0) return ErrnoStatus(errno, "cannot create", path);
  state->temporary = std::move(path);
  ::flock(state->fd, LOCK_EX | LOCK_NB);
  return std::unique_ptr<Writer>(new Writer(std::move(state)));
}

}  // namespace squish
