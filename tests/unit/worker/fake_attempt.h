// An attempt without a runner: artifacts are files in a folder.
#ifndef SQUISH_TESTS_UNIT_WORKER_FAKE_ATTEMPT_H_
#define SQUISH_TESTS_UNIT_WORKER_FAKE_ATTEMPT_H_

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/runner/runner.h"

namespace squish {

// Keeps the promises of Attempt: the callback runs under a lock. Thread-safe.
class FakeAttempt : public Attempt {
 public:
  FakeAttempt(std::string folder, v1::Job job) : folder_(std::move(folder)), job_(std::move(job)) {}

  // Puts an artifact where Fetch finds it.
  static std::string Put(const std::string& folder, const std::string& bytes) {
    const std::string digest = Sha256Hex(bytes);
    if (!WriteFileDurably(JoinPath(folder, digest), bytes).ok()) std::abort();
    return digest;
  }

  const std::string& id() const override { return id_; }
  const v1::Job& job() const override { return job_; }
  bool cancelled() const override {
    absl::MutexLock lock(&mutex_);
    return cancelled_;
  }
  void OnCancel(std::function<void()> callback) override {
    absl::MutexLock lock(&mutex_);
    callback_ = std::move(callback);
    if (cancelled_ && callback_) callback_();
  }
  void Progress(double fraction, std::string note) override {
    {
      absl::MutexLock lock(&mutex_);
      fractions.push_back(fraction);
      notes.push_back(std::move(note));
    }
    if (on_progress) on_progress();
  }
  void OnStop(std::function<void()> callback) override {
    absl::MutexLock lock(&mutex_);
    stop_callback_ = std::move(callback);
    if (stopped_ && stop_callback_) stop_callback_();
  }
  void Checkpoint(std::string file, const v1::Checkpoint& what) override {
    checkpoints.emplace_back(std::move(file), what);
  }
  void ResumedAt(double fraction) override { resumed_at.push_back(fraction); }
  absl::StatusOr<std::string> Fetch(absl::string_view digest) override {
    std::string path = JoinPath(folder_, digest);
    if (!ReadFile(path).ok()) return absl::NotFoundError(absl::StrCat("no artifact ", digest));
    return path;
  }
  absl::StatusOr<std::string> Store(absl::string_view path) override {
    if (!store_error.ok()) return store_error;
    const auto bytes = ReadFile(path);
    if (!bytes.ok()) return bytes.status();
    std::filesystem::remove(std::string(path));  // The runner's store takes it, too.
    return Put(folder_, *bytes);
  }
  void Cancel() {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(cancelled_, true)) return;
    if (callback_) callback_();
  }

  void Stop() {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(stopped_, true)) return;
    if (stop_callback_) stop_callback_();
  }

  std::function<void()> on_progress;  // Set before the attempt begins.
  absl::Status store_error;
  std::vector<double> fractions;
  std::vector<std::string> notes;
  std::vector<std::pair<std::string, v1::Checkpoint>> checkpoints;
  std::vector<double> resumed_at;

 private:
  const std::string folder_;
  const v1::Job job_;
  const std::string id_ = "attempt";
  mutable absl::Mutex mutex_;
  bool cancelled_ = false;
  std::function<void()> callback_;
  bool stopped_ = false;
  std::function<void()> stop_callback_;
};

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_WORKER_FAKE_ATTEMPT_H_
