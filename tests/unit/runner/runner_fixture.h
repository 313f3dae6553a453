// What tests of runners share: an executor that does what the test says, and a runner
// on a thread of its own.
#ifndef SQUISH_TESTS_UNIT_RUNNER_RUNNER_FIXTURE_H_
#define SQUISH_TESTS_UNIT_RUNNER_RUNNER_FIXTURE_H_

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/base/file.h"
#include "common/runner/runner.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/runner/fake_coordinator.h"

namespace squish {

inline v1::AttemptResult Trained(double accuracy) {
  v1::AttemptResult result;
  result.mutable_train()->set_outcome(v1::TrainResult::TRAINED);
  result.mutable_train()->set_selection_accuracy(accuracy);
  return result;
}

// Jobs are told apart by their experiment; one that is not scripted succeeds at once.
class ScriptedExecutor : public JobExecutor {
 public:
  using Script = std::function<v1::AttemptResult(Attempt&)>;

  void On(const std::string& experiment, Script script) {
    absl::MutexLock lock(&mutex_);
    scripts_[experiment] = std::move(script);
  }
  void SetReports(std::vector<v1::DatasetReport> reports) {
    std::function<void()> changed;
    {
      absl::MutexLock lock(&mutex_);
      reports_ = std::move(reports);
      changed = changed_;
    }
    if (changed) changed();
  }

  std::vector<std::string> fingerprints() {
    absl::MutexLock lock(&mutex_);
    return fingerprints_;
  }

  v1::AttemptResult Execute(Attempt& attempt) override {
    Script script;
    {
      absl::MutexLock lock(&mutex_);
      script = scripts_[attempt.job().experiment()];
    }
    return script ? script(attempt) : Trained(0.5);
  }
  std::vector<v1::DatasetReport> PrepareDatasets(
      const std::vector<v1::DatasetSpec>& wanted,
      const std::vector<std::string>& fingerprints) override {
    absl::MutexLock lock(&mutex_);
    wanted_ = wanted;
    fingerprints_ = fingerprints;
    return wanted.empty() ? std::vector<v1::DatasetReport>() : reports_;
  }
  void OnDatasetsChanged(std::function<void()> changed) override {
    absl::MutexLock lock(&mutex_);
    changed_ = std::move(changed);
  }
  void FillMetrics(v1::RunnerMetrics& metrics) override { metrics.set_child_restarts(7); }

 private:
  absl::Mutex mutex_;
  std::map<std::string, Script> scripts_;
  std::vector<v1::DatasetReport> reports_;
  std::vector<v1::DatasetSpec> wanted_;
  std::vector<std::string> fingerprints_;
  std::function<void()> changed_;
};

// Waits until the attempt is cancelled, by callback.
inline void AwaitCancel(Attempt& attempt) {
  absl::Notification cancelled;
  attempt.OnCancel([&] { cancelled.Notify(); });
  cancelled.WaitForNotification();
  attempt.OnCancel({});
}

class RunnerFixture : public ::testing::Test {
 protected:
  ~RunnerFixture() override { StopRunner(); }

  RunnerOptions Options() const {
    RunnerOptions options;
    options.coordinator = coordinator_.address();
    options.state_folder = root_;
    options.info.set_kind(v1::RunnerInfo::WORKER);
    options.info.set_slots(1);
    return options;
  }
  void StartRunner(const RunnerOptions& options) {
    auto runner = Runner::Create(options, &executor_);
    ASSERT_TRUE(runner.ok()) << runner.status();
    runner_ = *std::move(runner);
    thread_ = std::thread([this] { status_ = runner_->Run(); });
  }
  void StartRunner() { StartRunner(Options()); }
  void StopRunner() {
    if (runner_ == nullptr) return;
    runner_->Stop();
    EXPECT_EQ(JoinRunner(), absl::OkStatus());
  }
  // Returns what Run returned.
  absl::Status JoinRunner() {
    thread_.join();
    runner_.reset();
    return status_;
  }
  bool AwaitResult(const std::string& attempt) {
    return coordinator_.Await(
        [&](const FakeCoordinator& self) { return self.results.count(attempt) > 0; });
  }
  // Assigns a job of its own experiment (named as the attempt) and scripts it.
  void AssignScript(const std::string& attempt, ScriptedExecutor::Script script) {
    executor_.On(attempt, std::move(script));
    v1::Job job;
    job.set_experiment(attempt);
    job.mutable_key()->set_generation(1);
    job.mutable_key()->set_kind(v1::JobKey::TRAIN);
    coordinator_.Assign(attempt, job);
  }
  int FilesIn(const std::string& folder, const std::string& suffix) const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(JoinPath(root_, folder))) {
      count += entry.path().extension() == suffix ? 1 : 0;
    }
    return count;
  }

  const std::string root_ = TemporaryFolder();
  FakeCoordinator coordinator_;
  ScriptedExecutor executor_;
  std::unique_ptr<Runner> runner_;
  std::thread thread_;
  absl::Status status_;
};

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_RUNNER_RUNNER_FIXTURE_H_
