// A content-addressed store of immutable blobs in one folder. A blob is named by the
// SHA-256 of its bytes and lies at FOLDER/ab/abcdef….
//
//   Put:     bytes ──► FOLDER/tmp/RANDOM ──► fsync ──► rename ──► fsync folder
//   Writer:  the same for bytes that arrive in chunks
//
// After OK a blob is on disk. A crash leaves at most a file in tmp/, which the next
// Open removes (writers lock theirs, so those of a living process stay). A blob's time of
// modification is when it was stored or last used. Thread-safe;
// several processes may share a folder as readers.
#ifndef SQUISH_COMMON_ARTIFACTS_BLOB_STORE_H_
#define SQUISH_COMMON_ARTIFACTS_BLOB_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace squish {

class BlobStore {
 public:
  // Opens or makes the folder. Errors as ErrnoStatus.
  static absl::StatusOr<std::unique_ptr<BlobStore>> Open(absl::string_view folder);

  // Stores bytes and returns their digest. OK at once when they are there already.
  absl::StatusOr<std::string> Put(absl::string_view bytes);

  // Takes over a file on the same file system (renamed into the store), or copies
  // it and removes the original. Returns its digest. INVALID_ARGUMENT when it is no
  // regular file.
  absl::StatusOr<std::string> PutFile(absl::string_view path);

  // The bytes. NOT_FOUND: not here. DATA_LOSS: the file's bytes have another digest.
  absl::StatusOr<std::string> Get(absl::string_view digest) const;

  // Whether Get would give it, in constant memory. As Get.
  absl::Status Verify(absl::string_view digest) const;

  bool Contains(absl::string_view digest) const;

  // The same for whoever is about to rely on it: RemoveUnused leaves it for a while.
  bool Use(absl::string_view digest) const;

  // The same for whoever would store it: true also says that it has this size (a file of another
  // is a damaged one, to be replaced) and is on disk. Seen it may have been before that, by
  // another thread or after a crash. Errors as ErrnoStatus.
  absl::StatusOr<bool> Keep(absl::string_view digest, int64_t size) const;

  // The digests of all that lie here, ascending. Errors as ErrnoStatus.
  absl::StatusOr<std::vector<std::string>> List() const;

  // Where the blob is (or would be); for children that read files. Empty when
  // `digest` is no SHA-256.
  std::string PathOf(absl::string_view digest) const;

  // NOT_FOUND when it is not here.
  absl::StatusOr<int64_t> SizeOf(absl::string_view digest) const;

  // Forgets a blob. OK when it was not here.
  absl::Status Remove(absl::string_view digest);

  // Forgets a blob that was neither stored nor used since `since`. False: it was. Errors as
  // ErrnoStatus.
  absl::StatusOr<bool> RemoveUnused(absl::string_view digest, absl::Time since);

  // A blob that arrives in pieces. Destroyed without Commit, it leaves nothing.
  class Writer {
   public:
    ~Writer();
    // RESOURCE_EXHAUSTED: disk full. DATA_LOSS: more bytes than announced.
    absl::Status Append(absl::string_view chunk);
    // DATA_LOSS: digest or size is not as announced; nothing is stored.
    absl::Status Commit();

   private:
    friend class BlobStore;
    struct State;
    explicit Writer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };

  // INVALID_ARGUMENT: `digest` is no SHA-256, or size is negative or above
  // kMaximumBytes.
  absl::StatusOr<std::unique_ptr<Writer>> NewWriter(absl::string_view digest, int64_t size);

  static constexpr int64_t kMaximumBytes = int64_t{4} << 30;

 private:
  explicit BlobStore(std::string folder);
  const std::string folder_;
  mutable absl::Mutex use_;  // A blob is used or removed, one after the other.
};

}  // namespace squish

#endif  // SQUISH_COMMON_ARTIFACTS_BLOB_STORE_H_
