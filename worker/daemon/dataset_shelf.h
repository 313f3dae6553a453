// The data sets that experiments want of this worker, decoded by `squish-decoder`
// children, one after another, while everything else goes on.
//
//            Report / Await                             decoder
//   wanted ────────────────► PREPARING ──────────────────────────► READY
//                                ▲            │ failed, died, hung
//                  asked again   │            ▼
//                  a while later └────── UNAVAILABLE ("no --data …" stays so)
//
// While a failed set is tried again it goes on being reported as UNAVAILABLE with the
// last reason. A READY set that is no longer wanted is forgotten, and one that an experiment
// is yet to be pinned to goes through the decoder again when that begins: its files may have
// changed. Thread-safe.
#ifndef SQUISH_WORKER_DAEMON_DATASET_SHELF_H_
#define SQUISH_WORKER_DAEMON_DATASET_SHELF_H_

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/child/child.h"
#include "common/runner/runner.h"
#include "squish/v1/trainer.pb.h"

namespace squish {

struct DatasetOptions {
  std::vector<std::string> decoder_command;
  std::map<std::string, std::string> sources;  // --data NAME=DIR
  std::string cache_folder;
  std::string stderr_path;  // Of decoders.
  absl::Duration retry_after = absl::Seconds(30);
  // Between two lines of a decoder, the first included.
  absl::Duration silence_limit = absl::Minutes(2);
};

class DatasetShelf {
 public:
  // `clock` outlives the shelf.
  DatasetShelf(DatasetOptions options, Clock& clock);
  // Ends a decoder that is running.
  ~DatasetShelf();

  // What is known of the sets now; those that are new, or unavailable since a while, are
  // prepared from now on. `fingerprints`, one a set or none at all, are what experiments
  // were pinned to; without one an experiment waits to be pinned, and a set that was READY
  // before it is looked at again, once. Of a set that turns out to have another one the decoder is asked what
  // differs, and that is reported as soon as it is known.
  std::vector<v1::DatasetReport> Report(const std::vector<v1::DatasetSpec>& wanted,
                                        const std::vector<std::string>& fingerprints = {});

  // Called when a set became READY or UNAVAILABLE, never from within Report. After
  // OnChanged({}) none is called.
  void OnChanged(std::function<void()> changed);

  // The set for an attempt, waiting while it is being prepared. UNAVAILABLE: it cannot
  // be provided; the message says why. CANCELLED: the attempt was.
  absl::StatusOr<v1::DecoderEvent::Done> Await(const v1::DatasetSpec& spec, Attempt& attempt);

 private:
  struct Entry {
    v1::DatasetReport report;
    std::string cache_path;                              // When READY.
    std::string expected;                                // The fingerprint, as last wanted.
    std::string asked;                                   // As last told to a decoder.
    bool to_be_pinned = false;                           // As last wanted: without fingerprint.
    bool outdated = false;                               // To be looked at again, whatever is known.
    int awaited_by = 0;                                  // Attempts.
    bool in_work = false;                                // In the queue, or being decoded.
    absl::Duration retry_at = absl::InfiniteDuration();  // Of Clock::Steady.
  };

  // Forgets READY sets beside `wanted` that nobody works on or waits for.
  void ForgetAllBut(const std::vector<v1::DatasetSpec>& wanted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The entry of a spec; puts it in the queue if there is something to do.
  Entry& Look(const v1::DatasetSpec& spec) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Work();
  // Both call `progress` with fractions from 0 to 1, of the pictures.
  absl::StatusOr<v1::DecoderEvent::Done> Prepare(const v1::DatasetSpec& spec,
                                                 const std::string& expected,
                                                 absl::FunctionRef<void(double)> progress);
  absl::StatusOr<v1::DecoderEvent::Done> Converse(Child& decoder, const v1::DatasetSpec& spec,
                                                  const std::string& expected,
                                                  absl::FunctionRef<void(double)> progress);
  void Settle(const std::string& key, absl::StatusOr<v1::DecoderEvent::Done> outcome);

  const DatasetOptions options_;
  Clock& clock_;

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);  // By serialised spec.
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mutex_);         // Keys of entries.
  Child* decoder_ ABSL_GUARDED_BY(mutex_) = nullptr;              // The one that is running.

  // Apart from mutex_, and never taken under it: `changed_` takes its owner's locks.
  absl::Mutex changed_mutex_;
  std::function<void()> changed_ ABSL_GUARDED_BY(changed_mutex_);

  std::thread thread_;  // Last: it uses everything above.
};

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_DATASET_SHELF_H_
