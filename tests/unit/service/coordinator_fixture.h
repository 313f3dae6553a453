// A coordinator in a test: on a population in a folder, with a clock that the test moves, and
// calls without gRPC. Not thread-safe.
//
//   TestCoordinator      in a folder that somebody else has made
//   CoordinatorFixture   the same as a fixture, in a folder of its own
#ifndef SQUISH_TESTS_UNIT_SERVICE_COORDINATOR_FIXTURE_H_
#define SQUISH_TESTS_UNIT_SERVICE_COORDINATOR_FIXTURE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/metrics/metrics.h"
#include "coordinator/population/population.h"
#include "coordinator/service/coordinator.h"
#include "gtest/gtest.h"
#include "tests/unit/service/fake_runner.h"

namespace squish {

class TestCoordinator {
 public:
  explicit TestCoordinator(std::string folder);
  virtual ~TestCoordinator() = default;

  // Closes and opens everything, for the first time too; calls that wait are lost, as after a
  // kill.
  void Restart();
  void Close();

  BlobStore& artifacts() { return population_->artifacts(); }

  // Runs one batch with one task and returns what it returned once committed.
  template <typename Response, typename Request>
  absl::StatusOr<Response> Ask(absl::StatusOr<Response> (Coordinator::*method)(const Caller&,
                                                                               const Request&),
                               const Request& request) {
    absl::StatusOr<Response> answer;
    RunBatch([&](Coordinator& coordinator) {
      answer = (coordinator.*method)(Caller{"test", "test"}, request);
      coordinator.AfterCommit([&answer](const absl::Status& committed) {
        if (!committed.ok()) answer = committed;
      });
    });
    return answer;
  }
  virtual void RunBatch(Coordinator::Task task);

  absl::StatusOr<v1::Experiment> Submit(const v1::ExperimentSpec& spec,
                                        const std::string& key = "");
  // The experiment now; the test fails when there is none.
  v1::Experiment Get(const std::string& id);
  std::vector<v1::Individual> Individuals(const std::string& id);
  std::vector<v1::Champion> Champions(const std::string& id);
  absl::Status Resume(const std::string& id);
  absl::Status Retry(const std::string& id);

  // One call, without waiting: nothing when it is parked.
  std::optional<absl::StatusOr<v1::SynchronizeResponse>> Call(
      const v1::SynchronizeRequest& request);
  // The runner calls; it takes the answer, now or in a later batch.
  void Exchange(FakeRunner& runner);
  // Exchange, and if it holds an attempt then, finish it and exchange again.
  void Step(FakeRunner& runner);
  // Steps the runners in turn until the experiment has ended; how many steps it took.
  int RunToEnd(const std::string& id, const std::vector<FakeRunner*>& runners,
               int maximum_steps = 1000);

  // Time goes by, with the batches that the loop would run.
  void Pass(absl::Duration duration);

  FakeClock clock_;
  Metrics metrics_;
  CoordinatorMetrics coordinator_metrics_{&metrics_};
  const std::string folder_;
  Coordinator::Options options_;
  std::unique_ptr<Population> population_;
  std::unique_ptr<Coordinator> coordinator_;
  std::vector<FakeRunner*> parked_;  // Runners that have called.
  uint64_t next_call_ = 1;
};

class CoordinatorFixture : public testing::Test, protected TestCoordinator {
 protected:
  CoordinatorFixture();
  ~CoordinatorFixture() override;

  // Starts with an empty population.
  void StartOver();
};

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_SERVICE_COORDINATOR_FIXTURE_H_
