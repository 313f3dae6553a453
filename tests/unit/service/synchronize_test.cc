// The protocol with runners: who is refused, who waits, who gets what, what is lost.
#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/weights/checkpoint.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/service/coordinator_fixture.h"

namespace squish {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SynchronizeTest : public CoordinatorFixture {
 protected:
  // An experiment whose data set is pinned and whose first job is with nobody.
  std::string SubmitAndPin() {
    const std::string id = Submit(spec_)->id();
    Pin(id);
    return id;
  }
  void Pin(const std::string& id) {
    v1::SynchronizeRequest request = FakeWorker("pinner").Request();
    request.set_draining(true);  // It gets no work.
    *request.add_datasets() = ReadyReport(Get(id).spec().dataset());
    EXPECT_TRUE(Call(request).has_value());
    EXPECT_TRUE(Get(id).has_dataset());
  }

  // Then no engine files are ordered, and whoever has no data can synthesise.
  void MeasureNothing() {
    spec_.mutable_measurement()->set_fitness(v1::MeasurementSpec::ESTIMATED);
  }

  // A worker that has learnt of the data set and holds the first job.
  FakeRunner BusyWorker(const std::string& name) {
    FakeRunner worker = FakeWorker(name);
    Exchange(worker);  // It is told of it, …
    Exchange(worker);  // … and has it.
    EXPECT_EQ(worker.attempts.size(), 1u);
    return worker;
  }

  // What a changed request is answered.
  absl::Status Refusal(const std::function<void(v1::SynchronizeRequest&)>& change) {
    v1::SynchronizeRequest request = FakeAgent("agent-1").Request();
    change(request);
    const auto answer = Call(request);
    return answer.has_value() ? answer->status() : absl::OkStatus();
  }

  // A worker that knows of the data set, has not got it, and waits.
  FakeRunner PreparingWorker(const std::string& name, const std::string& id) {
    FakeRunner worker = FakeWorker(name);
    worker.keep_datasets = true;
    worker.datasets = {ReadyReport(Get(id).spec().dataset())};
    worker.datasets[0].set_state(v1::DatasetReport::PREPARING);
    worker.datasets[0].clear_summary();
    return worker;
  }

  std::string OnlyAttempt(const FakeRunner& runner) { return runner.attempts.begin()->first; }

  v1::ExperimentSpec spec_ = SmallSpec();
};

// --- Refusals --------------------------------------------------------------------

TEST_F(SynchronizeTest, MalformedRequestsAreRefusedNamingTheField) {
  const auto expect = [&](absl::string_view field,
                          const std::function<void(v1::SynchronizeRequest&)>& change) {
    const absl::Status status = Refusal(change);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << field << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(field)));
  };
  expect("runner.id", [](auto& r) { r.mutable_runner()->set_id(""); });
  expect("runner.id", [](auto& r) { r.mutable_runner()->set_id("Upper"); });
  expect("runner.id", [](auto& r) { r.mutable_runner()->set_id("a/b"); });
  expect("runner.id", [](auto& r) { r.mutable_runner()->set_id(std::string(65, 'a')); });
  expect("runner.kind", [](auto& r) { r.mutable_runner()->clear_kind(); });
  expect("runner.slots", [](auto& r) { r.mutable_runner()->set_slots(0); });
  expect("runner.slots", [](auto& r) { r.mutable_runner()->set_slots(65); });
  expect("runner.device_class", [](auto& r) { r.mutable_runner()->clear_device_class(); });
  expect("runner.engine", [](auto& r) { r.mutable_runner()->clear_engine(); });
  expect("runner.host", [](auto& r) { r.mutable_runner()->set_host(std::string(300, 'h')); });
  expect("runner.version", [](auto& r) { r.mutable_runner()->set_version(std::string(300, 'v')); });
  expect("attempts.attempt_id",
         [](auto& r) { r.add_attempts()->set_attempt_id(std::string(65, 'a')); });
  expect("attempts.note", [](auto& r) { r.add_attempts()->set_note(std::string(5000, 'n')); });
  expect("results.attempt_id", [](auto& r) { r.add_results(); });
  expect("datasets", [](auto& r) {
    for (int i = 0; i < 300; ++i) r.add_datasets();
  });
}

TEST_F(SynchronizeTest, AnotherProtocolVersionIsRefusedNamingBoth) {
  const absl::Status status =
      Refusal([](auto& r) { r.mutable_runner()->set_protocol_version(9); });
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("version 9"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("coordinator 1"));
}

TEST_F(SynchronizeTest, EarlierProcessWithTheSameIdIsRefused) {
  FakeRunner first = FakeWorker("worker-1"), second = FakeWorker("worker-1");
  second.info.set_incarnation(99);
  EXPECT_FALSE(Call(first.Request()).has_value());
  EXPECT_FALSE(Call(second.Request()).has_value());
  const auto answer = Call(first.Request());
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(absl::IsFailedPrecondition(answer->status())) << answer->status();
  EXPECT_FALSE(Call(second.Request()).has_value());
}

// --- Waiting -----------------------------------------------------------------------

TEST_F(SynchronizeTest, IdleRunnerWaitsUntilThereIsWork) {
  MeasureNothing();
  const std::string id = Submit(spec_)->id();
  FakeRunner worker = PreparingWorker("worker-1", id);
  Exchange(worker);
  EXPECT_TRUE(worker.waiting);
  Pin(id);
  EXPECT_FALSE(worker.waiting);
  EXPECT_EQ(worker.attempts.size(), 1u);
}

TEST_F(SynchronizeTest, IdleRunnerIsAnsweredAtTheParkLimit) {
  FakeRunner worker = FakeWorker("worker-1");
  Exchange(worker);
  Pass(absl::Seconds(9));
  EXPECT_TRUE(worker.waiting);
  Pass(absl::Seconds(1));
  EXPECT_FALSE(worker.waiting);
  EXPECT_EQ(worker.last.call_again_after().seconds(), 0) << "it is to wait here again";
}

TEST_F(SynchronizeTest, NextWakeIsAtTheParkLimitAtTheLatest) {
  FakeRunner worker = FakeWorker("worker-1");
  Exchange(worker);
  EXPECT_LE(coordinator_->NextWake() - clock_.Steady(), absl::Seconds(10));
}

TEST_F(SynchronizeTest, BusyRunnerIsAnsweredAtOnceAndCallsBeforeItsLeaseEnds) {
  SubmitAndPin();
  FakeRunner worker = BusyWorker("worker-1");
  const auto answer = Call(worker.Request());
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ((*answer)->call_again_after().seconds(), 10);
  ASSERT_EQ((*answer)->assignments_size(), 1);
  EXPECT_FALSE((*answer)->assignments(0).has_job()) << "it has the job already";
}

TEST_F(SynchronizeTest, LostAnswerIsRepeatedWithItsJob) {
  const std::string id = SubmitAndPin();
  FakeRunner worker = FakeWorker("worker-1");
  worker.datasets = {ReadyReport(Get(id).spec().dataset())};
  const auto lost = Call(worker.Request());
  const auto again = Call(worker.Request());
  ASSERT_TRUE(again.has_value());
  ASSERT_EQ((*again)->assignments_size(), 1);
  EXPECT_EQ((*again)->assignments(0).attempt_id(), (*lost)->assignments(0).attempt_id());
  EXPECT_TRUE((*again)->assignments(0).job().has_synthesize());
}

TEST_F(SynchronizeTest, CallOfARunnerThatHasGoneIsForgotten) {
  FakeRunner worker = FakeWorker("worker-1");
  Exchange(worker);
  RunBatch([&](Coordinator& c) { c.Abandon(worker.call); });
  EXPECT_FALSE(worker.waiting);
  const std::string id = SubmitAndPin();
  EXPECT_EQ(coordinator_->NextWake() > clock_.Steady(), true);
  EXPECT_TRUE(worker.attempts.empty());
}

TEST_F(SynchronizeTest, SecondCallOfARunnerEndsTheFirst) {
  FakeRunner worker = FakeWorker("worker-1");
  absl::Status first;
  RunBatch([&](Coordinator& c) {
    c.Synchronize(Caller{}, worker.Request(), 1000, [&](auto answer) { first = answer.status(); });
  });
  Exchange(worker);
  EXPECT_TRUE(absl::IsAborted(first)) << first;
  EXPECT_TRUE(worker.waiting);
}

TEST_F(SynchronizeTest, WhoWaitsLongestGetsWorkFirst) {
  MeasureNothing();
  const std::string id = Submit(spec_)->id();
  FakeRunner first = PreparingWorker("zebra", id), second = PreparingWorker("ape", id);
  Exchange(first);
  Exchange(second);
  Pin(id);
  EXPECT_EQ(first.attempts.size(), 1u);
  EXPECT_TRUE(second.attempts.empty());
}

TEST_F(SynchronizeTest, DrainingRunnerGetsNothingAndDoesNotWait) {
  SubmitAndPin();
  v1::SynchronizeRequest request = FakeWorker("worker-1").Request();
  request.set_draining(true);
  const auto answer = Call(request);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ((*answer)->assignments_size(), 0);
}

TEST_F(SynchronizeTest, RunnerWithSlotsGetsAsManyJobs) {
  spec_.set_offspring(5);
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(spec_)->id();
  while (Get(id).generation() == 0) {
    Step(worker);
    Step(agent);
  }
  FakeRunner wide = FakeWorker("wide");
  wide.info.set_slots(3);
  Exchange(wide);  // It is told of the data set.
  Exchange(wide);
  EXPECT_EQ(wide.attempts.size(), 3u);
}

// --- Data sets, devices ----------------------------------------------------------------

TEST_F(SynchronizeTest, WorkerIsToldOfDatasetsAndAgentIsNot) {
  const std::string id = Submit(spec_)->id();
  const auto worker = Call(FakeWorker("worker-1").Request());
  ASSERT_TRUE(worker.has_value());
  ASSERT_EQ((*worker)->datasets_size(), 1);
  EXPECT_EQ((*worker)->datasets(0).name(), "shapes");
  EXPECT_FALSE(Call(FakeAgent("agent-1").Request()).has_value());
}

TEST_F(SynchronizeTest, WorkerThatPreparesADatasetWaits) {
  const std::string id = Submit(spec_)->id();
  FakeRunner worker = PreparingWorker("worker-1", id);
  worker.datasets[0].set_fraction(0.42);
  Exchange(worker);
  EXPECT_TRUE(worker.waiting);
  EXPECT_EQ(Get(id).state(), v1::Experiment::WAITING_FOR_WORKER);
  EXPECT_THAT(Get(id).reason(), HasSubstr("worker-1 is preparing it, 42 %"));
}

TEST_F(SynchronizeTest, FirstReadyReportPinsTheDataset) {
  const std::string id = SubmitAndPin();
  FakeRunner other = FakeWorker("other");
  Exchange(other);
  other.datasets = {ReadyReport(spec_.dataset())};
  other.datasets[0].mutable_summary()->set_fingerprint(Sha256Hex("other pictures"));
  Exchange(other);
  EXPECT_EQ(Get(id).dataset().fingerprint(), Sha256Hex("shapes"));
  Restart();
  EXPECT_EQ(Get(id).dataset().fingerprint(), Sha256Hex("shapes"));
}

TEST_F(SynchronizeTest, UnusableSummaryPinsNothing) {
  const std::string id = Submit(spec_)->id();
  const auto try_with = [&](const std::function<void(v1::DatasetSummary&)>& change) {
    v1::SynchronizeRequest request = FakeWorker("worker-1").Request();
    *request.add_datasets() = ReadyReport(Get(id).spec().dataset());
    change(*request.mutable_datasets(0)->mutable_summary());
    Call(request);
    return Get(id).has_dataset();
  };
  EXPECT_FALSE(try_with([](auto& s) { s.set_fingerprint("short"); }));
  EXPECT_FALSE(try_with([](auto& s) { s.clear_class_names(); }));
  EXPECT_FALSE(try_with([](auto& s) { s.set_train_images(0); }));
  EXPECT_FALSE(try_with([](auto& s) { s.clear_mean(); }));
  EXPECT_FALSE(try_with([](auto& s) { s.set_std(1, 0); }));
  EXPECT_FALSE(try_with([](auto& s) { s.set_val_images(0); }));
  EXPECT_FALSE(try_with([](auto& s) { s.add_classes(); }));
  EXPECT_FALSE(try_with([](auto& s) {
    for (int i = 0; i < 21; ++i) s.add_unreadable("train/cat/7.jpg");
  }));
  EXPECT_FALSE(try_with([](auto& s) { s.add_unreadable(std::string(5000, 'x')); }));
  EXPECT_TRUE(try_with([](auto&) {}));
}

TEST_F(SynchronizeTest, SynthesisWithEngineFilesGoesOnlyToWorkersWithThePinnedFingerprint) {
  const std::string id = SubmitAndPin();
  FakeRunner other = FakeWorker("other");
  other.keep_datasets = true;
  other.datasets = {ReadyReport(Get(id).spec().dataset())};
  other.datasets[0].mutable_summary()->set_fingerprint(Sha256Hex("other pictures"));
  Exchange(other);
  EXPECT_TRUE(other.attempts.empty());
  EXPECT_EQ(Get(id).state(), v1::Experiment::WAITING_FOR_WORKER);
  EXPECT_THAT(Get(id).reason(), HasSubstr("no connected worker has the data set"));
  FakeRunner right = FakeWorker("right");
  right.datasets = {ReadyReport(Get(id).spec().dataset())};
  Exchange(right);
  ASSERT_EQ(right.attempts.size(), 1u);
  EXPECT_TRUE(right.attempts.begin()->second.synthesize().has_engine_files());
}

TEST_F(SynchronizeTest, TrainingGoesOnlyToWorkersWithThePinnedFingerprint) {
  MeasureNothing();
  const std::string id = SubmitAndPin();
  FakeRunner other = FakeWorker("other");
  other.keep_datasets = true;
  other.datasets = {ReadyReport(Get(id).spec().dataset())};
  other.datasets[0].mutable_summary()->set_fingerprint(Sha256Hex("other pictures"));
  Exchange(other);  // Synthesis: it needs no pictures.
  ASSERT_TRUE(other.FinishOne(artifacts()));
  Exchange(other);
  Exchange(other);
  EXPECT_TRUE(other.waiting);
  EXPECT_TRUE(other.attempts.empty());
  const v1::Experiment waits = Get(id);
  EXPECT_EQ(waits.state(), v1::Experiment::WAITING_FOR_WORKER);
  EXPECT_THAT(waits.reason(), HasSubstr(Sha256Hex("shapes")));
  EXPECT_THAT(waits.reason(), HasSubstr(absl::StrCat("other has fingerprint ",
                                                     Sha256Hex("other pictures"))));
  FakeRunner right = FakeWorker("right");
  right.datasets = {ReadyReport(Get(id).spec().dataset())};
  Exchange(right);
  EXPECT_EQ(right.attempts.size(), 1u);
}

TEST_F(SynchronizeTest, WorkersAreToldThePinnedFingerprintOfEachWantedSet) {
  const std::string id = Submit(spec_)->id();
  FakeRunner first = FakeWorker("first");
  Exchange(first);
  ASSERT_EQ(first.last.datasets_size(), 1);
  ASSERT_EQ(first.last.fingerprints_size(), 1);
  EXPECT_EQ(first.last.fingerprints(0), "") << "nobody has reported yet";
  Exchange(first);  // Pins it.
  FakeRunner second = FakeWorker("second");
  Exchange(second);
  ASSERT_EQ(second.last.fingerprints_size(), 1);
  EXPECT_EQ(second.last.fingerprints(0), Get(id).dataset().fingerprint());
}

TEST_F(SynchronizeTest, DifferenceFromThePinnedDatasetIsPartOfTheReason) {
  MeasureNothing();
  const std::string id = SubmitAndPin();
  FakeRunner other = FakeWorker("other");
  other.keep_datasets = true;
  other.datasets = {ReadyReport(Get(id).spec().dataset())};
  v1::DatasetReport& report = other.datasets[0];
  report.mutable_summary()->set_fingerprint(Sha256Hex("other pictures"));
  report.mutable_summary()->set_class_names(1, "emu");
  Exchange(other);
  ASSERT_TRUE(other.FinishOne(artifacts()));
  Exchange(other);
  Exchange(other);
  EXPECT_THAT(Get(id).reason(), HasSubstr("its 2 classes are not the experiment's 2"))
      << "as far as summaries tell";
  report.set_difference("train/cat/7.jpg has changed");
  Exchange(other);
  EXPECT_THAT(Get(id).reason(), HasSubstr("other has fingerprint " + Sha256Hex("other pictures") +
                                          ": train/cat/7.jpg has changed"));
  report.set_difference(std::string(5000, 'x'));
  EXPECT_EQ(CheckSynchronizeRequest(other.Request()).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(SynchronizeTest, WorkerWithoutTheDatasetIsQuotedInTheReason) {
  const std::string id = Submit(spec_)->id();
  EXPECT_EQ(Get(id).reason(), "no worker is connected");
  FakeRunner worker = FakeWorker("worker-1");
  Exchange(worker);
  worker.datasets[0].set_state(v1::DatasetReport::UNAVAILABLE);
  worker.datasets[0].set_message("start it with --data shapes=DIR");
  Exchange(worker);
  EXPECT_TRUE(worker.waiting);
  EXPECT_THAT(Get(id).reason(), HasSubstr("worker-1 says: start it with --data shapes=DIR"));
}

TEST_F(SynchronizeTest, CudaTrainingNeedsACudaWorker) {
  spec_.mutable_training()->set_device(v1::TrainingSpec::CUDA);
  const std::string id = SubmitAndPin();
  FakeRunner plain = FakeWorker("plain");
  plain.datasets = {ReadyReport(Get(id).spec().dataset())};
  Exchange(plain);
  plain.FinishOne(artifacts());
  Exchange(plain);
  Exchange(plain);
  EXPECT_TRUE(plain.attempts.empty());
  EXPECT_THAT(Get(id).reason(), HasSubstr("CUDA"));
  FakeRunner cuda = FakeWorker("cuda");
  cuda.info.set_cuda(true);
  cuda.datasets = plain.datasets;
  Exchange(cuda);
  EXPECT_TRUE(cuda.attempts.begin()->second.has_train());
}

TEST_F(SynchronizeTest, MeasurementGoesToTheNamedDeviceClass) {
  spec_.mutable_measurement()->set_device_class("board/named");
  const std::string id = SubmitAndPin();
  FakeRunner worker = BusyWorker("worker-1");
  worker.FinishOne(artifacts());
  Exchange(worker);  // Training; the measurement is queued.
  FakeRunner other = FakeAgent("other", "board/other"), named = FakeAgent("named", "board/named");
  Exchange(other);
  EXPECT_TRUE(other.waiting);
  const v1::Experiment waits = Get(id);
  EXPECT_EQ(waits.state(), v1::Experiment::WAITING_FOR_DEVICE);
  EXPECT_THAT(waits.reason(), HasSubstr("'board/named'"));
  EXPECT_THAT(waits.reason(), HasSubstr("board/other with torch"));
  Exchange(named);
  EXPECT_EQ(named.attempts.size(), 1u);
  EXPECT_EQ(Get(id).state(), v1::Experiment::RUNNING);
}

TEST_F(SynchronizeTest, WithoutAnyAgentTheExperimentWaitsForADeviceOnceThereIsSomethingToMeasure) {
  const std::string id = SubmitAndPin();
  FakeRunner worker = BusyWorker("worker-1");
  EXPECT_EQ(Get(id).state(), v1::Experiment::RUNNING) << "nothing is to be measured yet";
  worker.FinishOne(artifacts());
  Exchange(worker);  // Training; the measurement is queued.
  const v1::Experiment waits = Get(id);
  EXPECT_EQ(waits.state(), v1::Experiment::WAITING_FOR_DEVICE);
  EXPECT_EQ(waits.reason(), "no agent is connected");
  EXPECT_TRUE(worker.attempts.begin()->second.has_train()) << "meanwhile it trains on";
  Restart();
  EXPECT_EQ(Get(id).state(), v1::Experiment::WAITING_FOR_DEVICE) << "after a restart too";
  EXPECT_EQ(Get(id).reason(), "no agent is connected");

  FakeRunner agent = FakeAgent("agent-1");
  Exchange(agent);
  EXPECT_EQ(agent.attempts.size(), 1u);
  EXPECT_EQ(Get(id).state(), v1::Experiment::RUNNING);
  EXPECT_EQ(Get(id).reason(), "");
}

TEST_F(SynchronizeTest, WithoutAnyAgentTheReasonNamesWhatTheSpecAsksFor) {
  spec_.mutable_measurement()->set_device_class("board/named");
  const std::string id = SubmitAndPin();
  FakeRunner worker = BusyWorker("worker-1");
  worker.FinishOne(artifacts());
  Exchange(worker);
  EXPECT_EQ(Get(id).state(), v1::Experiment::WAITING_FOR_DEVICE);
  EXPECT_EQ(Get(id).reason(), "no agent of device class 'board/named' is connected");
}

TEST_F(SynchronizeTest, WithoutItsOnlyAgentTheExperimentWaitsForADevice) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(spec_)->id();
  while (Get(id).generation() == 0) {
    Step(worker);
    Step(agent);
  }
  v1::SynchronizeRequest end = agent.Request();
  end.set_draining(true);
  Call(end);
  Step(worker);
  Step(worker);  // A child is born; its measurement is queued.
  EXPECT_EQ(Get(id).state(), v1::Experiment::WAITING_FOR_DEVICE);
  EXPECT_EQ(Get(id).reason(),
            "no agent of device class 'board/test' with engine torch is connected");
}

TEST_F(SynchronizeTest, AncestorsMeasurementPinsClassAndEngine) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(spec_)->id();
  while (Get(id).generation() == 0) {
    Step(worker);
    Step(agent);
  }
  v1::SynchronizeRequest end = agent.Request();
  end.set_draining(true);
  Call(end);
  Step(worker);
  Step(worker);  // A child is born; its measurement is queued.
  FakeRunner other_class = FakeAgent("other-class", "board/other");
  FakeRunner other_engine = FakeAgent("other-engine");
  other_engine.info.set_engine("replay");
  Exchange(other_class);
  Exchange(other_engine);
  EXPECT_TRUE(other_class.waiting);
  EXPECT_TRUE(other_engine.waiting);
  EXPECT_THAT(Get(id).reason(), HasSubstr("with engine torch"));
  Restart();
  Exchange(other_class);
  EXPECT_TRUE(other_class.waiting) << "pinned after a restart too";
  Exchange(agent);
  EXPECT_EQ(agent.attempts.size(), 1u);
}

TEST_F(SynchronizeTest, WhileTheDiskIsNearlyFullNoNewWorkIsGivenOut) {
  int64_t free_bytes = 1050;
  options_.minimum_free_bytes = 1000;
  options_.free_bytes = [&free_bytes] { return absl::StatusOr<int64_t>(free_bytes); };
  Restart();
  FakeRunner worker = FakeWorker("worker-1");
  const std::string id = Submit(spec_)->id();
  for (int call = 0; call < 5 && worker.attempts.empty(); ++call) Exchange(worker);
  ASSERT_EQ(worker.attempts.size(), 1u);
  free_bytes = 999;
  Pass(absl::Seconds(2));
  worker.FinishOne(artifacts());
  Exchange(worker);  // Its result is taken, and nothing new is given.
  EXPECT_TRUE(worker.attempts.empty());
  Exchange(worker);
  EXPECT_TRUE(worker.waiting);
  EXPECT_EQ(Get(id).state(), v1::Experiment::WAITING_FOR_WORKER);
  EXPECT_THAT(Get(id).reason(), HasSubstr("disk is nearly full"));
  free_bytes = 1050;  // Not a tenth more yet.
  Pass(absl::Seconds(2));
  EXPECT_TRUE(worker.waiting);
  free_bytes = 1100;
  Pass(absl::Seconds(2));
  EXPECT_FALSE(worker.waiting) << "it is given work without calling again";
  EXPECT_EQ(worker.attempts.size(), 1u);
  EXPECT_NE(Get(id).state(), v1::Experiment::WAITING_FOR_WORKER);
}

// --- Runners that fail ------------------------------------------------------------------

class SetAsideTest : public SynchronizeTest {
 protected:
  SetAsideTest() {
    options_.set_aside.failures = 3;
    Restart();
    spec_.mutable_retry()->set_failures(100);
    id_ = SubmitAndPin();
  }

  // Lets the runner fail what it holds.
  void Fail(FakeRunner& runner) {
    ASSERT_EQ(runner.attempts.size(), 1u);
    runner.Finish(FailureAnswer("no such device"));
    Exchange(runner);
  }

  std::string id_;
};

TEST_F(SetAsideTest, WhoFailsTooOftenInARowGetsNoWorkForAWhile) {
  FakeRunner broken = BusyWorker("broken");
  for (int i = 0; i < 3; ++i) Fail(broken);
  EXPECT_TRUE(broken.attempts.empty());
  if (!broken.waiting) Exchange(broken);
  EXPECT_TRUE(broken.waiting);
  EXPECT_EQ(Get(id_).state(), v1::Experiment::WAITING_FOR_WORKER);
  EXPECT_THAT(Get(id_).reason(), HasSubstr("runner broken is set aside for a while: it failed 3 jobs in a row"));
  EXPECT_THAT(Get(id_).reason(), HasSubstr("no such device"));
  const auto runners = Ask(&Coordinator::ListRunners, v1::ListRunnersRequest());
  EXPECT_EQ(runners->runners(0).set_aside().failures(), 3);
  Pass(absl::Seconds(1));  // Gauges follow within a second.
  EXPECT_THAT(metrics_.Text(), HasSubstr("squish_runners_set_aside{kind=\"WORKER\"} 1"));

  FakeRunner sound = BusyWorker("sound");  // Another one is not kept from it.
  EXPECT_NE(Get(id_).state(), v1::Experiment::WAITING_FOR_WORKER);
}

TEST_F(SetAsideTest, EachChanceThatIsMissedDoublesTheTime) {
  FakeRunner broken = BusyWorker("broken");
  for (int i = 0; i < 3; ++i) Fail(broken);
  for (const int seconds : {60, 120}) {
    for (int passed = 1; passed < seconds; ++passed) {
      if (!broken.waiting) Exchange(broken);
      Pass(absl::Seconds(1));
      ASSERT_TRUE(broken.attempts.empty()) << passed << " of " << seconds;
    }
    if (!broken.waiting) Exchange(broken);
    Pass(absl::Seconds(1));
    Fail(broken);  // It was given one without calling again.
    EXPECT_TRUE(broken.attempts.empty());
  }
}

TEST_F(SetAsideTest, EarlierTimeAsideDoesNotEndALaterOne) {
  FakeRunner broken = BusyWorker("broken");
  for (int i = 0; i < 3; ++i) Fail(broken);
  if (broken.waiting) Pass(absl::Seconds(11));  // Its call is answered, and it falls silent.
  Pass(absl::Seconds(35));
  broken.Crash();
  broken.waiting = false;
  broken.datasets = {ReadyReport(Get(id_).spec().dataset())};
  Exchange(broken);  // Forgotten: it begins anew, fails as often, and is set aside again,
  for (int i = 0; i < 3; ++i) Fail(broken);
  for (int second = 0; second < 30; ++second) {  // beyond the end of the first time.
    if (!broken.waiting) Exchange(broken);
    Pass(absl::Seconds(1));
    ASSERT_TRUE(broken.attempts.empty()) << second;
  }
}

TEST_F(SetAsideTest, AJobThatIsDoneClearsIt) {
  FakeRunner worker = BusyWorker("worker-1");
  for (int round = 0; round < 2; ++round) {  // Born, and trained.
    Fail(worker);
    Fail(worker);
    ASSERT_TRUE(worker.FinishOne(artifacts()));
    Exchange(worker);
    EXPECT_FALSE(Ask(&Coordinator::ListRunners, v1::ListRunnersRequest())->runners(0).has_set_aside());
  }
}

TEST_F(SetAsideTest, DyingWithWorkInHandIsFailing) {
  FakeRunner worker = BusyWorker("worker-1");
  for (int i = 0; i < 3; ++i) {
    worker.Crash();
    Exchange(worker);
  }
  EXPECT_TRUE(worker.attempts.empty());
}

TEST_F(SetAsideTest, NobodyIsWhereItIsOff) {
  options_.set_aside.failures = 0;
  Restart();
  FakeRunner worker = BusyWorker("worker-1");
  for (int i = 0; i < 50; ++i) Fail(worker);
  EXPECT_EQ(worker.attempts.size(), 1u);
}

// Of two boards of a class one measures its ancestor at 70 images/s, the other one at 100.
TEST_F(SynchronizeTest, ABoardThatDriftsFromItsClassIsSetAsideAndTheOtherGoesOn) {
  spec_.set_offspring(8);
  const std::string id = Submit(spec_)->id();
  FakeRunner worker = FakeWorker("worker-1");
  FakeRunner sound = FakeAgent("sound"), slow = FakeAgent("slow");
  const auto measure_slowly = [&] {
    if (slow.attempts.empty()) return;
    v1::AttemptResult result =
        GoodAnswer(slow.attempts.begin()->second, slow.info, artifacts());
    result.mutable_measure()->set_ancestor_images_per_second(70);
    slow.Finish(std::move(result));
    Exchange(slow);
  };
  for (int i = 0; i < 200 && Get(id).state() != v1::Experiment::SUCCEEDED; ++i) {
    Step(worker);
    if (!sound.waiting) Exchange(sound);
    if (!slow.waiting) Exchange(slow);
    measure_slowly();
    if (sound.FinishOne(artifacts())) Exchange(sound);
  }
  EXPECT_EQ(Get(id).state(), v1::Experiment::SUCCEEDED);
  const auto runners = Ask(&Coordinator::ListRunners, v1::ListRunnersRequest());
  for (const v1::RunnerStatus& runner : runners->runners()) {
    EXPECT_EQ(runner.has_set_aside(), runner.info().id() == "slow") << runner.DebugString();
    if (runner.has_set_aside()) {
      EXPECT_THAT(runner.set_aside().why(), HasSubstr("at 70 images/s"));
      EXPECT_EQ(runner.set_aside().failures(), 0);
    }
  }
}

// --- Stragglers -------------------------------------------------------------------------

class StragglerTest : public SynchronizeTest {
 protected:
  // Generation 1 has four offspring. One worker holds the training of one of them and goes on
  // calling; all others are trained by the other, within two seconds each.
  void TrainAllButOne() {
    spec_.set_offspring(4);
    id_ = Submit(spec_)->id();
    FakeRunner agent = FakeAgent("agent-1");
    while (Get(id_).generation() < 1) {
      Step(quick_);
      Step(agent);
    }
    const auto training = [](const FakeRunner& runner) {
      return runner.attempts.size() == 1 && runner.attempts.begin()->second.has_train();
    };
    for (int i = 0; i < 20 && !training(slow_); ++i) {
      if (!slow_.waiting) Exchange(slow_);
      if (!training(slow_)) Step(slow_);
    }
    ASSERT_TRUE(training(slow_));
    kept_ = OnlyAttempt(slow_);
    for (int i = 0; i < 40 && !(quick_.waiting && quick_.attempts.empty()); ++i) {
      if (!quick_.waiting) Exchange(quick_);
      Pass(absl::Seconds(2));
      if (quick_.FinishOne(artifacts())) Exchange(quick_);
      Exchange(slow_);
    }
    ASSERT_TRUE(slow_.attempts.contains(kept_));
  }

  void Wait(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      Pass(absl::Seconds(1));
      if (i % 5 == 0) Exchange(slow_);
      if (!quick_.waiting) Exchange(quick_);
    }
  }

  FakeRunner quick_ = FakeWorker("quick"), slow_ = FakeWorker("slow");
  std::string id_, kept_;
};

TEST_F(StragglerTest, GetsASecondCopyWhoseResultStopsTheFirst) {
  TrainAllButOne();
  Wait(60);
  ASSERT_EQ(quick_.attempts.size(), 1u) << "the slow one's";
  EXPECT_TRUE(quick_.attempts.begin()->second.has_train());
  EXPECT_TRUE(slow_.attempts.contains(kept_)) << "and it goes on";
  ASSERT_TRUE(quick_.FinishOne(artifacts()));
  Exchange(quick_);
  Exchange(slow_);
  EXPECT_FALSE(slow_.attempts.contains(kept_));
}

TEST_F(StragglerTest, FirstCopyMayStillWin) {
  TrainAllButOne();
  Wait(60);
  ASSERT_EQ(quick_.attempts.size(), 1u);
  const std::string second = OnlyAttempt(quick_);
  ASSERT_TRUE(slow_.FinishOne(artifacts()));
  Exchange(slow_);
  Exchange(quick_);
  EXPECT_FALSE(quick_.attempts.contains(second));
}

// --- Leases and deliveries ------------------------------------------------------------

TEST_F(SynchronizeTest, SilentRunnerLosesItsAttemptToAnother) {
  SubmitAndPin();
  FakeRunner silent = BusyWorker("silent"), other = FakeWorker("other");
  const std::string lost = OnlyAttempt(silent);
  for (int i = 0; i < 4; ++i) {  // It keeps calling meanwhile.
    Exchange(other);
    Pass(absl::Seconds(8));
  }
  EXPECT_EQ(other.attempts.size(), 1u);
  EXPECT_EQ(coordinator_metrics_.IsDue(absl::InfiniteDuration()), true);
  EXPECT_THAT(metrics_.Text(), HasSubstr("squish_lease_expiries_total 1"));
  Exchange(silent);
  EXPECT_TRUE(silent.attempts.empty()) << "it is told to stop " << lost;
}

TEST_F(SynchronizeTest, LateResultOfALostAttemptIsAcceptedAndStopsTheOther) {
  const std::string id = SubmitAndPin();
  FakeRunner slow = BusyWorker("slow"), other = FakeWorker("other");
  Pass(absl::Seconds(31));
  Exchange(other);  // It is told of the data set.
  Exchange(other);
  ASSERT_EQ(other.attempts.size(), 1u);
  slow.FinishOne(artifacts());
  Exchange(slow);
  EXPECT_TRUE(slow.spool.empty()) << "acknowledged";
  EXPECT_EQ(Individuals(id)[0].state(), v1::Individual::TRAINING);
  const std::string stopped = OnlyAttempt(other);
  other.datasets[0].set_state(v1::DatasetReport::PREPARING);  // No training for it yet.
  Exchange(other);
  EXPECT_FALSE(other.attempts.contains(stopped));
}

TEST_F(SynchronizeTest, RestartedRunnerLosesItsAttemptsButNotItsSpool) {
  const std::string id = SubmitAndPin();
  FakeRunner worker = BusyWorker("worker-1");
  const std::string first = OnlyAttempt(worker);
  worker.Crash();
  Exchange(worker);
  ASSERT_EQ(worker.attempts.size(), 1u);
  EXPECT_NE(OnlyAttempt(worker), first);
  worker.FinishOne(artifacts());
  worker.Crash();
  Exchange(worker);
  EXPECT_TRUE(worker.spool.empty());
  EXPECT_EQ(Individuals(id)[0].state(), v1::Individual::TRAINING);
  EXPECT_EQ(population_->Jobs(1, 0)->at(0).lost, 1) << "the finished attempt was not lost";
}

TEST_F(SynchronizeTest, AttemptOfAnotherRunnerIsRefusedAndAcknowledged) {
  const std::string id = SubmitAndPin();
  FakeRunner worker = BusyWorker("worker-1"), thief = FakeWorker("thief");
  thief.attempts = worker.attempts;
  thief.FinishOne(artifacts());
  Exchange(thief);
  EXPECT_TRUE(thief.spool.empty());
  EXPECT_EQ(Individuals(id)[0].state(), v1::Individual::SYNTHESIZING);
}

TEST_F(SynchronizeTest, UnknownAttemptIsAcknowledged) {
  v1::SynchronizeRequest request = FakeWorker("worker-1").Request();
  request.add_results()->set_attempt_id("never-given");
  const auto answer = Call(request);
  ASSERT_TRUE(answer.has_value());
  EXPECT_THAT((*answer)->acknowledged(), ElementsAre("never-given"));
}

TEST_F(SynchronizeTest, GapInOurOwnClockGivesEveryLeaseAFullTerm) {
  SubmitAndPin();
  FakeRunner worker = BusyWorker("worker-1");
  const std::string attempt = OnlyAttempt(worker);
  clock_.Advance(absl::Hours(1));  // No batch ran: it was we who slept.
  coordinator_->RunBatch({});
  Pass(absl::Seconds(29));
  Exchange(worker);
  EXPECT_TRUE(worker.attempts.contains(attempt));
}

TEST_F(SynchronizeTest, RestartAdoptsRunningAttempts) {
  SubmitAndPin();
  FakeRunner worker = BusyWorker("worker-1");
  const std::string attempt = OnlyAttempt(worker);
  Pass(absl::Seconds(25));
  Restart();
  Pass(absl::Seconds(25));  // A full new term.
  Exchange(worker);
  EXPECT_TRUE(worker.attempts.contains(attempt));
  FakeRunner other = FakeWorker("other");
  Exchange(other);
  EXPECT_TRUE(other.attempts.empty()) << "nothing is given out twice";
}

TEST_F(SynchronizeTest, ProgressOfALostTrainingIsWasteUntilItDelivers) {
  const std::string id = SubmitAndPin();
  FakeRunner worker = BusyWorker("worker-1");
  worker.FinishOne(artifacts());
  Exchange(worker);
  Exchange(worker);
  ASSERT_TRUE(worker.attempts.begin()->second.has_train());
  v1::SynchronizeRequest request = worker.Request();
  request.mutable_attempts(0)->set_fraction(0.5);
  Call(request);
  Pass(absl::Seconds(31));
  EXPECT_EQ(Get(id).images_wasted(), 80) << "half of two epochs of 80";
  Restart();
  EXPECT_EQ(Get(id).images_wasted(), 80);
  worker.FinishOne(artifacts());
  Exchange(worker);
  EXPECT_EQ(Get(id).images_wasted(), 0);
  EXPECT_EQ(Get(id).images_planned(), 100);
}

TEST_F(SynchronizeTest, SecondResultIsWasteAndADifferentOneIsCounted) {
  const std::string id = SubmitAndPin();
  FakeRunner slow = BusyWorker("slow");
  slow.FinishOne(artifacts());
  Exchange(slow);
  Exchange(slow);  // Holds the training.
  Pass(absl::Seconds(31));
  FakeRunner fast = FakeWorker("fast");
  fast.datasets = {ReadyReport(Get(id).spec().dataset())};
  Exchange(fast);
  ASSERT_TRUE(fast.attempts.begin()->second.has_train());
  fast.FinishOne(artifacts());
  Exchange(fast);
  EXPECT_EQ(Get(id).images_wasted(), 0);
  v1::AttemptResult other = GoodAnswer(slow.attempts.begin()->second, slow.info, artifacts());
  other.mutable_train()->set_weights_digest(Sha256Hex("other weights"));
  slow.Finish(other);
  const v1::SynchronizeRequest delivery = slow.Request();
  Call(delivery);
  Call(delivery);  // The first answer was lost.
  EXPECT_EQ(Get(id).images_wasted(), 100);
  EXPECT_EQ(Get(id).images_planned(), 100);
  EXPECT_EQ(population_->FindExperiment(id)->nondeterministic, 1);
}

// --- Checkpoints -------------------------------------------------------------------

class CheckpointTest : public SynchronizeTest {
 protected:
  // A worker that holds the first training, of 100 images in two epochs of 80.
  FakeRunner TrainingWorker(const std::string& name) {
    FakeRunner worker = BusyWorker(name);
    worker.FinishOne(artifacts());
    Exchange(worker);
    Exchange(worker);
    EXPECT_TRUE(worker.attempts.begin()->second.has_train());
    return worker;
  }

  // Another worker, which is given what is lost.
  FakeRunner NextWorker(const std::string& id) {
    FakeRunner worker = FakeWorker("next");
    worker.datasets = {ReadyReport(Get(id).spec().dataset())};
    Exchange(worker);
    EXPECT_EQ(worker.attempts.size(), 1u);
    return worker;
  }

  v1::Checkpoint Uploaded(int64_t step) {
    v1::Checkpoint checkpoint;
    checkpoint.set_artifact(
        artifacts().Put(SerializeCheckpoint({"task", "class", step, {}, {}, {}})).value());
    checkpoint.set_step(step);
    checkpoint.set_fraction(0.1 * static_cast<double>(step));
    checkpoint.set_numerics_class("class");
    return checkpoint;
  }

  // The runner says of its attempt that it is so far, and names the checkpoint.
  void Report(const FakeRunner& runner, double fraction, const v1::Checkpoint& checkpoint) {
    v1::SynchronizeRequest request = runner.Request();
    request.mutable_attempts(0)->set_fraction(fraction);
    *request.mutable_attempts(0)->mutable_checkpoint() = checkpoint;
    Call(request);
  }

  static std::string Given(const FakeRunner& runner) {
    return runner.attempts.begin()->second.train().checkpoint().ShortDebugString();
  }
};

TEST_F(CheckpointTest, TheNextAttemptIsGivenTheLatestAlsoAfterARestart) {
  const std::string id = SubmitAndPin();
  FakeRunner worker = TrainingWorker("worker-1");
  EXPECT_EQ(Given(worker), "");
  const v1::Checkpoint first = Uploaded(2), latest = Uploaded(4);
  Report(worker, 0.3, first);
  Report(worker, 0.5, latest);
  EXPECT_FALSE(artifacts().Contains(first.artifact())) << "it is out of date";
  Restart();
  Report(worker, 0.5, latest);
  Pass(absl::Seconds(31));
  FakeRunner next = NextWorker(id);
  EXPECT_EQ(Given(next), latest.ShortDebugString());
  EXPECT_TRUE(artifacts().Contains(latest.artifact()));
}

TEST_F(CheckpointTest, OnlyWhatIsBehindItIsWasted) {
  const std::string id = SubmitAndPin();
  FakeRunner worker = TrainingWorker("worker-1");
  Report(worker, 0.5, Uploaded(4));
  Pass(absl::Seconds(31));
  EXPECT_EQ(Get(id).images_wasted(), 16) << "from 0.4 to 0.5 of two epochs of 80";
  FakeRunner next = NextWorker(id);
  v1::SynchronizeRequest request = next.Request();
  request.mutable_attempts(0)->set_fraction(0.6);
  request.mutable_attempts(0)->set_resumed_at(0.4);
  Call(request);
  Pass(absl::Seconds(31));
  EXPECT_EQ(Get(id).images_wasted(), 16 + 32) << "and from 0.4 to 0.6";
}

TEST_F(CheckpointTest, ItIsForgottenWhenTheTrainingIsDone) {
  const std::string id = SubmitAndPin();
  const int64_t row = population_->FindExperiment(id)->row;
  FakeRunner worker = TrainingWorker("worker-1");
  const v1::Checkpoint checkpoint = Uploaded(4);
  Report(worker, 0.5, checkpoint);
  EXPECT_EQ(population_->Checkpoints(row)->size(), 1u);
  worker.FinishOne(artifacts());
  Exchange(worker);
  EXPECT_TRUE(population_->Checkpoints(row)->empty());
  EXPECT_FALSE(artifacts().Contains(checkpoint.artifact()));
}

TEST_F(CheckpointTest, ItIsForgottenWhenTheTrainingIsWithdrawn) {
  const std::string id = SubmitAndPin();
  const int64_t row = population_->FindExperiment(id)->row;
  FakeRunner worker = TrainingWorker("worker-1");
  const v1::Checkpoint checkpoint = Uploaded(4);
  Report(worker, 0.5, checkpoint);
  v1::CancelRequest cancel;
  cancel.set_id(id);
  ASSERT_TRUE(Ask(&Coordinator::Cancel, cancel).ok());
  EXPECT_TRUE(population_->Checkpoints(row)->empty());
  EXPECT_FALSE(artifacts().Contains(checkpoint.artifact()));
}

TEST_F(CheckpointTest, WhatCannotBeOneIsIgnored) {
  const std::string id = SubmitAndPin();
  const int64_t row = population_->FindExperiment(id)->row;
  FakeRunner worker = TrainingWorker("worker-1");
  const std::string network = worker.attempts.begin()->second.train().network();
  const v1::Checkpoint good = Uploaded(4);
  for (const auto& change : std::vector<std::function<void(v1::Checkpoint&)>>{
           [](v1::Checkpoint& bad) { bad.set_artifact(Sha256Hex("never uploaded")); },
           [](v1::Checkpoint& bad) { bad.set_artifact("../../etc/passwd"); },
           [](v1::Checkpoint& bad) { bad.clear_artifact(); },
           [&](v1::Checkpoint& bad) { bad.set_artifact(network); },
           [](v1::Checkpoint& bad) { bad.set_step(0); },
           [](v1::Checkpoint& bad) { bad.set_fraction(std::nan("")); },
           [](v1::Checkpoint& bad) { bad.set_fraction(1.5); },
           [](v1::Checkpoint& bad) { bad.set_numerics_class(std::string(600, 'c')); }}) {
    v1::Checkpoint bad = good;
    change(bad);
    Report(worker, 0.5, bad);
    EXPECT_TRUE(population_->Checkpoints(row)->empty()) << bad.ShortDebugString();
  }
  Report(worker, 0.5, good);
  EXPECT_EQ(population_->Checkpoints(row)->size(), 1u);
  EXPECT_TRUE(artifacts().Contains(network));
}

TEST_F(CheckpointTest, OfAnAttemptThatIsLostNoneIsTakenAnyMore) {
  const std::string id = SubmitAndPin();
  FakeRunner worker = TrainingWorker("worker-1");
  const v1::Checkpoint latest = Uploaded(4);
  Report(worker, 0.5, latest);
  Pass(absl::Seconds(31));
  v1::SynchronizeRequest request = worker.Request();
  request.set_draining(true);  // Or it would be given the job again.
  *request.mutable_attempts(0)->mutable_checkpoint() = Uploaded(5);
  Call(request);
  FakeRunner next = NextWorker(id);
  EXPECT_EQ(Given(next), latest.ShortDebugString());
}

TEST_F(CheckpointTest, OneOfAnotherJobIsNeverTakenFromIt) {
  spec_.set_offspring(2);
  const std::string id = SubmitAndPin();
  const int64_t row = population_->FindExperiment(id)->row;
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  worker.info.set_slots(2);
  // Until both trainings of the first generation are under way.
  const auto both_train = [&] {
    return worker.attempts.size() == 2 &&
           std::all_of(worker.attempts.begin(), worker.attempts.end(),
                       [](const auto& attempt) { return attempt.second.has_train(); });
  };
  for (int step = 0; step < 50 && !both_train(); ++step) {
    Step(agent);
    worker.FinishOne(artifacts());
    Exchange(worker);
    Exchange(worker);
  }
  ASSERT_TRUE(both_train());
  const v1::Checkpoint shared = Uploaded(4);
  v1::SynchronizeRequest request = worker.Request();
  for (v1::AttemptProgress& attempt : *request.mutable_attempts()) {
    *attempt.mutable_checkpoint() = shared;
  }
  Call(request);
  EXPECT_EQ(population_->Checkpoints(row)->size(), 2u);
  worker.FinishOne(artifacts());
  Exchange(worker);
  EXPECT_EQ(population_->Checkpoints(row)->size(), 1u);
  EXPECT_TRUE(artifacts().Contains(shared.artifact())) << "the other one still needs it";
}

}  // namespace
}  // namespace squish
