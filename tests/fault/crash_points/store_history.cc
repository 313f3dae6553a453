#include "tests/fault/crash_points/store_history.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/weights/checkpoint.h"
#include "coordinator/evolution/plan.h"
#include "coordinator/population/named_artifacts.h"
#include "coordinator/population/schema.h"
#include "coordinator/population/sqlite.h"
#include "coordinator/service/garbage.h"
#include "gtest/gtest.h"
#include "tests/fault/crash_points/recorded_disk.h"
#include "tests/unit/service/coordinator_fixture.h"

namespace squish {
namespace {

constexpr size_t kNever = std::numeric_limits<size_t>::max();

// A coordinator whose disk is recorded, and the promises that it makes.
class Life : public TestCoordinator {
 public:
  explicit Life(const std::string& folder)
      : TestCoordinator(folder),
        start_(ReadImage(folder).value()),
        disk_(folder, DiskModel(start_), /*seed=*/1) {
    options_.gather_every = absl::ZeroDuration();
    options_.on_named = [this](std::set<std::string> named) { named_ = std::move(named); };
  }
  ~Life() override { Close(); }

  void Start() {
    Restart();
    ASSERT_NE(coordinator_, nullptr);
    NoteContents();
  }

  void RunBatch(Coordinator::Task task) override {
    NoteUploads();  // Whoever calls now has been told that they are there.
    std::vector<Coordinator::Task> tasks;
    // The first to be told, so that no other knows earlier.
    tasks.push_back([this](Coordinator& coordinator) {
      coordinator.AfterCommit([this](const absl::Status& committed) {
        EXPECT_TRUE(committed.ok()) << committed;
        NoteContents();
      });
    });
    tasks.push_back(std::move(task));
    coordinator_->RunBatch(std::move(tasks));
  }

  void Upload(const std::string& bytes) {
    EXPECT_TRUE(artifacts().Put(bytes).ok());
    NoteUploads();
  }

  // The runner calls and finishes what it holds; of a training it leaves checkpoints before.
  void Work(FakeRunner& runner) {
    if (!runner.waiting) Exchange(runner);
    if (!runner.attempts.empty() && runner.attempts.begin()->second.has_train()) {
      for (const int step : {2, 4}) LeaveCheckpoint(runner, step);
    }
    if (runner.FinishOne(artifacts())) Exchange(runner);
  }

  void Fail(FakeRunner& runner) {
    for (int call = 0; call < 4 && runner.attempts.empty(); ++call) Exchange(runner);
    ASSERT_FALSE(runner.attempts.empty());
    runner.Finish(FailureAnswer("the child died"));
    Exchange(runner);
  }

  template <typename Request, typename Method>
  void Order(Method method, const std::string& id) {
    Request request;
    request.set_id(id);
    const auto done = Ask(method, request);
    EXPECT_TRUE(done.ok()) << done.status();
  }

  void CollectGarbage() {
    named_.reset();
    while (!named_.has_value()) RunBatch([](Coordinator&) {});
    GarbageCollector collector(&artifacts(), absl::ZeroDuration());
    EXPECT_TRUE(collector.Collect(*named_, absl::Now() + absl::Hours(1)).ok());
  }

  // As MaintenanceServiceAdapter does it.
  void Backup() {
    std::optional<DatabaseCopy> made;
    RunBatch([&made](Coordinator& coordinator) {
      coordinator.Backup(Caller{"test", "test"}, [&made](absl::StatusOr<DatabaseCopy> copy) {
        ASSERT_TRUE(copy.ok()) << copy.status();
        made.emplace(*std::move(copy));
      });
    });
    while (!made.has_value()) RunBatch([](Coordinator&) {});
    EXPECT_TRUE(ForgetCheckpoints(made->path()).ok());
    const auto named = NamedArtifacts(made->path());
    ASSERT_TRUE(named.ok()) << named.status();
    Upload(absl::StrJoin(*named, "\n"));
    EXPECT_TRUE(artifacts().PutFile(made->path()).ok());
    NoteUploads();
  }

  bool LogWasBegunAnew() const {
    int64_t beginnings = 0;
    for (const DiskOperation& operation : disk_.operations()) {
      if (operation.kind == DiskOperation::Kind::kRemove) beginnings = 0;
      if (operation.kind == DiskOperation::Kind::kWrite && operation.offset == 0 &&
          operation.path == "population.db-wal") {
        ++beginnings;
      }
    }
    return beginnings > 1;
  }

  StoreHistory End() {
    StoreHistory history;
    v1::ListExperimentsRequest all;
    const auto listed = Ask(&Coordinator::List, all);
    EXPECT_TRUE(listed.ok()) << listed.status();
    for (const v1::Experiment& one : listed->experiments()) {
      if (one.state() != v1::Experiment::SUCCEEDED) continue;
      history.ends[one.spec().name()] = Get(one.id()).population_digest();
    }
    Close();
    history.start = start_;
    history.operations = disk_.operations();
    history.moments = std::move(moments_);
    history.uploads = std::move(uploads_);
    for (StoreHistory::Upload& upload : history.uploads) {
      for (size_t i = upload.from; i < history.operations.size(); ++i) {
        const DiskOperation& operation = history.operations[i];
        if (operation.kind != DiskOperation::Kind::kRemove ||
            !absl::EndsWith(operation.path, upload.digest)) {
          continue;
        }
        upload.until = i + 1;
        break;
      }
    }
    return history;
  }

 private:
  void NoteContents() {
    absl::StatusOr<StoreContents> contents = ContentsOf(*population_);
    ASSERT_TRUE(contents.ok()) << contents.status();
    if (!moments_.empty() && moments_.back().contents.digest == contents->digest) return;
    // Before the first transaction there was what was there at the start.
    moments_.push_back({moments_.empty() ? 0 : disk_.size(), *std::move(contents)});
  }

  void NoteUploads() {
    const auto listed = artifacts().List();
    ASSERT_TRUE(listed.ok()) << listed.status();
    const std::set<std::string> now(listed->begin(), listed->end());
    for (const std::string& digest : now) {
      if (there_.count(digest) == 0) uploads_.push_back({digest, disk_.size(), kNever});
    }
    there_ = now;
  }

  void LeaveCheckpoint(FakeRunner& runner, int step) {
    const auto stored = artifacts().Put(SerializeCheckpoint({"task", "class", step, {}, {}, {}}));
    ASSERT_TRUE(stored.ok()) << stored.status();
    v1::SynchronizeRequest request = runner.Request();
    v1::Checkpoint& checkpoint = *request.mutable_attempts(0)->mutable_checkpoint();
    checkpoint.set_artifact(*stored);
    checkpoint.set_step(step);
    checkpoint.set_fraction(0.1 * step);
    checkpoint.set_numerics_class("class");
    Call(request);
  }

  const DiskImage start_;
  RecordedDisk disk_;
  std::vector<StoreHistory::Moment> moments_;
  std::vector<StoreHistory::Upload> uploads_;
  std::set<std::string> there_;
  std::optional<std::set<std::string>> named_;
};

v1::ExperimentSpec Spec(const std::string& name) {
  v1::ExperimentSpec spec = SmallSpec();
  spec.set_name(name);
  spec.set_offspring(3);
  spec.set_parents(2);
  spec.mutable_synthesis()->set_mates(2);
  spec.mutable_training()->add_halving()->set_keep(2);
  spec.mutable_measurement()->add_beside()->set_batch(4);
  spec.mutable_retention()->set_generations(1);
  spec.mutable_retry()->set_failures(1);
  return spec;
}

// So long names of classes that each change of the experiment's row takes 400 kB of the log.
void WriteMuch(Life& life) {
  v1::ExperimentSpec spec = Spec("wide");
  spec.mutable_dataset()->set_name("wide");
  FakeRunner worker = FakeWorker("wide");
  v1::DatasetReport report = ReadyReport(spec.dataset());
  report.mutable_summary()->clear_class_names();
  for (int i = 0; i < 1000; ++i) {
    report.mutable_summary()->add_class_names(absl::StrCat(i, std::string(400, 'x')));
  }
  const std::string id = life.Submit(spec)->id();
  *report.mutable_spec() = life.Get(id).spec().dataset();
  worker.datasets = {report};
  worker.keep_datasets = true;
  life.Exchange(worker);
  ASSERT_TRUE(life.Get(id).has_dataset()) << life.Get(id).reason();
  for (int round = 0; round < 100 && !life.LogWasBegunAnew(); ++round) {
    life.Order<v1::PauseRequest>(&Coordinator::Pause, id);
    life.Order<v1::ResumeRequest>(&Coordinator::Resume, id);
  }
  EXPECT_TRUE(life.LogWasBegunAnew());
  life.Order<v1::CancelRequest>(&Coordinator::Cancel, id);
}

template <typename Message>
void Add(const Message& message, std::string& text) {
  const std::string bytes = message.SerializeAsString();
  absl::StrAppend(&text, bytes.size(), ":", bytes);
}

}  // namespace

std::string PopulationIn(const std::string& folder) { return JoinPath(folder, "population.db"); }

absl::StatusOr<StoreContents> ContentsOf(Population& population) {
  std::string text, summary;
  SQUISH_ASSIGN_OR_RETURN(const std::vector<StoredExperiment> experiments,
                          population.ListExperiments());
  for (const StoredExperiment& stored : experiments) {
    Add(stored.experiment, text);
    Add(stored.summary, text);
    absl::StrAppend(&text, stored.row, " ", stored.nondeterministic, "\n");
    SQUISH_ASSIGN_OR_RETURN(const auto individuals, population.Individuals(stored.row));
    for (const v1::Individual& one : individuals) Add(one, text);
    SQUISH_ASSIGN_OR_RETURN(const auto champions, population.Champions(stored.row));
    for (const v1::Champion& one : champions) Add(one, text);
    SQUISH_ASSIGN_OR_RETURN(const auto jobs, population.Jobs(stored.row, 0));
    for (const BoardJob& job : jobs) {
      Add(job.key, text);
      absl::StrAppend(&text, job.id, JobStateName(job.state), job.lost, " ", job.failed, " ",
                      job.invalid, job.last_error, job.result_digest, "\n");
    }
    SQUISH_ASSIGN_OR_RETURN(const auto attempts, population.Attempts(stored.row, 0));
    for (const StoredAttempt& one : attempts) {
      absl::StrAppend(&text, one.attempt.id, " ", one.attempt.job, one.attempt.runner,
                      one.attempt.incarnation, AttemptStateName(one.attempt.state),
                      one.images_wasted, "\n");
    }
    SQUISH_ASSIGN_OR_RETURN(const auto checkpoints, population.Checkpoints(stored.row));
    for (const auto& [job, checkpoint] : checkpoints) {
      absl::StrAppend(&text, job);
      Add(checkpoint, text);
    }
    size_t facts = 0;
    // The champions' generation is the one after the last.
    for (int generation = 0; generation <= stored.experiment.spec().generations() + 1;
         ++generation) {
      SQUISH_ASSIGN_OR_RETURN(const auto results, population.ResultFacts(stored.row, generation));
      facts += results.size();
      for (const v1::AttemptResult& one : results) Add(one, text);
    }
    absl::StrAppend(&summary, summary.empty() ? "" : ", ", stored.experiment.spec().name(), " ",
                    v1::Experiment::State_Name(stored.experiment.state()), " with ", jobs.size(),
                    " jobs, ", attempts.size(), " attempts, ", facts, " facts");
  }
  return StoreContents{Sha256Hex(text), summary.empty() ? "nothing" : summary};
}

size_t StoreHistory::MomentAt(size_t position) const {
  const auto after = std::upper_bound(
      moments.begin(), moments.end(), position,
      [](size_t wanted, const Moment& moment) { return wanted < moment.position; });
  return static_cast<size_t>(after - moments.begin()) - 1;
}

StoreHistory LiveThrough(const std::string& folder) {
  Life life(folder);
  life.Start();
  life.Upload("somebody's own ancestor, before anything is submitted");
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string first = life.Submit(Spec("first"), "key")->id();
  life.Fail(worker);
  EXPECT_EQ(life.Get(first).state(), v1::Experiment::NEEDS_ATTENTION);
  EXPECT_TRUE(life.Retry(first).ok());
  const std::string second = life.Submit(Spec("second"))->id();
  for (int step = 0; step < 24; ++step) life.Work(step % 2 == 0 ? worker : agent);
  life.Order<v1::PauseRequest>(&Coordinator::Pause, second);
  for (int step = 0; step < 16; ++step) life.Work(step % 2 == 0 ? worker : agent);
  life.CollectGarbage();
  life.Backup();
  life.Order<v1::ResumeRequest>(&Coordinator::Resume, second);
  for (int step = 0; step < 8; ++step) life.Work(step % 2 == 0 ? worker : agent);
  life.Order<v1::CancelRequest>(&Coordinator::Cancel, second);
  life.Start();  // Once more: the log is copied back and removed.
  WriteMuch(life);
  for (int step = 0; step < 12; ++step) life.Work(step % 2 == 0 ? worker : agent);
  life.Start();
  life.RunToEnd(first, {&worker, &agent});
  EXPECT_EQ(life.Get(first).state(), v1::Experiment::SUCCEEDED);
  life.CollectGarbage();
  return life.End();
}

StoreHistory LiveThroughUpgrade(const std::string& folder, int version) {
  {
    const auto database = Database::Open(PopulationIn(folder));
    EXPECT_TRUE(database.ok()) << database.status();
    EXPECT_TRUE(
        PrepareSchemaOfVersion(**database, PopulationIn(folder), version).ok());
    v1::EvolutionSummary nothing_yet;
    nothing_yet.set_closed_generation(-1);
    const absl::Status filled = (*database)->Execute(absl::StrCat(
        "PRAGMA journal_mode = WAL;"
        "INSERT INTO experiments VALUES (1, 'old-1', 'key', 'CANCELLED', '', x'', NULL, x'",
        absl::BytesToHexString(nothing_yet.SerializeAsString()), "', 0, 7, 0, '",
        PopulationDigest({}), "', 5, 6);"
        "INSERT INTO jobs VALUES (7, 1, 0, 0, 'TRAIN', 0, 'WITHDRAWN', 1, 2, 0, 'it fell', '',"
        "                         x'');"
        "INSERT INTO attempts VALUES ('a', 7, 'worker', 9, 'STOPPED', 7, 5, 6);"));
    EXPECT_TRUE(filled.ok()) << filled;
  }
  Life life(folder);
  life.Start();
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  EXPECT_TRUE(life.Submit(Spec("new")).ok());
  for (int step = 0; step < 4; ++step) life.Work(step % 2 == 0 ? worker : agent);
  StoreHistory history = life.End();
  history.version = version;
  return history;
}

}  // namespace squish
