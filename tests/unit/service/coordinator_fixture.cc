#include "tests/unit/service/coordinator_fixture.h"


#include <filesystem>
#include <utility>

#include "common/base/file.h"
#include "spdlog/spdlog.h"
#include "tests/support/temporary_folder.h"

namespace squish {

TestCoordinator::TestCoordinator(std::string folder) : folder_(std::move(folder)) {
  spdlog::set_level(spdlog::level::off);
}

void TestCoordinator::Close() {
  coordinator_.reset();
  population_.reset();
}

void TestCoordinator::Restart() {
  Close();
  for (FakeRunner* runner : parked_) {
    runner->waiting = false;
    runner->call = 0;
  }
  parked_.clear();
  auto population = Population::Open(JoinPath(folder_, "population.db"));
  ASSERT_TRUE(population.ok()) << population.status();
  population_ = *std::move(population);
  auto coordinator =
      Coordinator::Create(population_.get(), &clock_, &coordinator_metrics_, options_);
  ASSERT_TRUE(coordinator.ok()) << coordinator.status();
  coordinator_ = *std::move(coordinator);
}

void TestCoordinator::RunBatch(Coordinator::Task task) {
  std::vector<Coordinator::Task> tasks;
  tasks.push_back(std::move(task));
  coordinator_->RunBatch(std::move(tasks));
}

absl::StatusOr<v1::Experiment> TestCoordinator::Submit(const v1::ExperimentSpec& spec,
                                                          const std::string& key) {
  v1::SubmitRequest request;
  *request.mutable_spec() = spec;
  request.set_idempotency_key(key);
  return Ask(&Coordinator::Submit, request);
}

v1::Experiment TestCoordinator::Get(const std::string& id) {
  v1::GetExperimentRequest request;
  request.set_id(id);
  const auto answer = Ask(&Coordinator::Get, request);
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.ok() ? *answer : v1::Experiment();
}

std::vector<v1::Champion> TestCoordinator::Champions(const std::string& id) {
  v1::ListChampionsRequest request;
  request.set_experiment(id);
  const auto response = Ask(&Coordinator::ListChampions, request);
  EXPECT_TRUE(response.ok()) << response.status();
  if (!response.ok()) return {};
  return {response->champions().begin(), response->champions().end()};
}

std::vector<v1::Individual> TestCoordinator::Individuals(const std::string& id) {
  v1::ListIndividualsRequest request;
  request.set_experiment(id);
  const auto answer = Ask(&Coordinator::ListIndividuals, request);
  EXPECT_TRUE(answer.ok()) << answer.status();
  if (!answer.ok()) return {};
  return {answer->individuals().begin(), answer->individuals().end()};
}

absl::Status TestCoordinator::Resume(const std::string& id) {
  v1::ResumeRequest request;
  request.set_id(id);
  return Ask(&Coordinator::Resume, request).status();
}

absl::Status TestCoordinator::Retry(const std::string& id) {
  v1::RetryRequest request;
  request.set_id(id);
  return Ask(&Coordinator::Retry, request).status();
}

std::optional<absl::StatusOr<v1::SynchronizeResponse>> TestCoordinator::Call(
    const v1::SynchronizeRequest& request) {
  std::optional<absl::StatusOr<v1::SynchronizeResponse>> answer;
  const uint64_t call = next_call_++;
  RunBatch([&](Coordinator& coordinator) {
    coordinator.Synchronize(Caller{"test", "test"}, request, call,
                            [&answer](auto given) { answer = std::move(given); });
  });
  if (!answer.has_value()) {
    RunBatch([call](Coordinator& coordinator) { coordinator.Abandon(call); });
    answer.reset();
  }
  return answer;
}

void TestCoordinator::Exchange(FakeRunner& runner) {
  const uint64_t call = next_call_++;
  runner.call = call;
  runner.waiting = true;
  parked_.push_back(&runner);
  const v1::SynchronizeRequest request = runner.Request();
  RunBatch([&](Coordinator& coordinator) {
    coordinator.Synchronize(Caller{"test", "test"}, request, call,
                            [&runner, call](const auto& answer) {
                              if (runner.call != call) return;  // It has given the call up.
                              runner.waiting = false;
                              if (answer.ok()) runner.Take(*answer);
                            });
  });
}

void TestCoordinator::Step(FakeRunner& runner) {
  if (!runner.waiting) Exchange(runner);
  if (runner.FinishOne(artifacts())) Exchange(runner);
}

int TestCoordinator::RunToEnd(const std::string& id, const std::vector<FakeRunner*>& runners,
                                 int maximum_steps) {
  for (int step = 0; step < maximum_steps; ++step) {
    if (HasEnded(Get(id).state())) return step;
    Step(*runners[step % runners.size()]);
  }
  ADD_FAILURE() << "not ended after " << maximum_steps << " steps: " << Get(id).ShortDebugString();
  return maximum_steps;
}

void TestCoordinator::Pass(absl::Duration duration) {
  for (absl::Duration passed; passed < duration; passed += absl::Seconds(1)) {
    clock_.Advance(absl::Seconds(1));
    RunBatch([](Coordinator&) {});
  }
}

// In memory: these tests commit thousands of times, and what a disk does to commits is tested
// with the population.
CoordinatorFixture::CoordinatorFixture() : TestCoordinator(TemporaryFolder(Below::kMemory)) {
  StartOver();
}

CoordinatorFixture::~CoordinatorFixture() { Close(); }

void CoordinatorFixture::StartOver() {
  Close();
  parked_.clear();  // Who waited was of the world before, and may be no more.
  std::filesystem::remove_all(folder_);
  ASSERT_TRUE(MakeFolder(folder_).ok());
  Restart();
}

}  // namespace squish
