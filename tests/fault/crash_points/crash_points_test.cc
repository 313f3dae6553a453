// The store's power is cut after every write and sync of its life (store_history.h) in turn; what
// its disk may then hold (disk_model.h) is made, opened as a coordinator would, and compared
// with what callers had been promised:
//
//   - it opens, without anybody's help, and fsck finds nothing;
//   - it holds what the last transaction that was acknowledged left, or what the one under way
//     would have left, to the last record, and nothing between the two;
//   - artifacts whose upload was acknowledged are there; no artifact is there in part; nothing
//     else is left over;
//   - after an upgrade of the schema the copy of what there was is there and whole;
//   - at some moments: work goes on, and ends in the population of the undisturbed life.
//
// A run plays a sample. Environment:
//   SQUISH_CRASH_POINTS  at least so many moments of each life are played, or `all` (many minutes)
//   SQUISH_CRASH_SEED    another sample (1); and of what was not synced another part is kept
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/file.h"
#include "coordinator/fsck/fsck.h"
#include "coordinator/population/schema.h"
#include "coordinator/population/sqlite.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fault/crash_points/disk_model.h"
#include "tests/fault/crash_points/recorded_disk.h"
#include "tests/fault/crash_points/store_history.h"
#include "tests/support/sanitized.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/service/coordinator_fixture.h"

namespace squish {
namespace {

uint64_t Seed() {
  const char* text = std::getenv("SQUISH_CRASH_SEED");
  uint64_t seed = 1;
  return text != nullptr && absl::SimpleAtoi(text, &seed) ? seed : 1;
}

bool PlaysAll() {
  const char* text = std::getenv("SQUISH_CRASH_POINTS");
  return text != nullptr && std::string(text) == "all";
}

// Instrumented code is far slower, and there it is what the code does that is looked at: a quarter.
size_t SampleSize(size_t otherwise) {
  if (kSanitized) otherwise /= 4;
  const char* text = std::getenv("SQUISH_CRASH_POINTS");
  size_t size = 0;
  return text != nullptr && absl::SimpleAtoi(text, &size) ? std::max(size, otherwise) : otherwise;
}

bool IsSync(const DiskOperation& operation) {
  return operation.kind == DiskOperation::Kind::kSyncFile ||
         operation.kind == DiskOperation::Kind::kSyncFolder;
}

// Moments to be played: all, or so many of a seed's choice. Most operations are writes of pages
// to SQLite's log, one like the other. So a third of the choice is among what is no write, and
// a third among the writes that a sync follows: then the most is at stake.
std::set<size_t> Positions(const StoreHistory& history, size_t sample) {
  std::vector<size_t> writes, last_writes, others;
  for (size_t i = 0; i < history.operations.size(); ++i) {
    const bool is_write = history.operations[i].kind == DiskOperation::Kind::kWrite;
    const bool is_last = i + 1 < history.operations.size() && IsSync(history.operations[i + 1]);
    (!is_write ? others : is_last ? last_writes : writes).push_back(i + 1);
  }
  std::set<size_t> chosen;
  std::mt19937_64 random(Seed());
  for (std::vector<size_t>* all : {&writes, &last_writes, &others}) {
    const size_t size = PlaysAll() ? all->size() : std::min(SampleSize(sample) / 3, all->size());
    for (size_t i = 0; i < size; ++i) {
      std::swap((*all)[i], (*all)[i + random() % (all->size() - i)]);
    }
    chosen.insert(all->begin(), all->begin() + static_cast<std::ptrdiff_t>(size));
  }
  return chosen;
}

// What is wrong with the copy that an upgrade keeps of the population as it was.
std::string ProblemOfKeptCopy(const std::string& folder, int version) {
  const std::string path = CopyOfSchema(PopulationIn(folder), version);
  if (!std::filesystem::exists(path)) return absl::StrCat("there is no ", path);
  const auto copy = Database::Open(path);
  if (!copy.ok()) return copy.status().ToString();
  const auto damage = (*copy)->Number("SELECT count(*) FROM pragma_integrity_check "
                                      "WHERE integrity_check <> 'ok'");
  if (damage.value_or(1) != 0) return absl::StrCat(path, " is damaged");
  if ((*copy)->Number("PRAGMA user_version").value_or(0) != version ||
      (*copy)->Number("SELECT count(*) FROM attempts").value_or(0) != 1) {
    return absl::StrCat(path, " is not what there was");
  }
  return "";
}

// Everything that is wrong with what lies in `folder`, after so many operations of the history.
std::vector<std::string> ProblemsOf(const StoreHistory& history, size_t position,
                                    const std::string& folder) {
  const auto population = Population::Open(PopulationIn(folder));
  if (!population.ok()) return {absl::StrCat("it does not open: ", population.status().ToString())};
  std::vector<std::string> problems;
  const auto report = CheckPopulation(**population);
  if (!report.ok()) return {report.status().ToString()};
  problems = report->problems;

  const auto contents = ContentsOf(**population);
  if (!contents.ok()) return {contents.status().ToString()};
  const size_t moment = history.MomentAt(position);
  const StoreContents& known = history.moments[moment].contents;
  // Under way, or done and not yet acknowledged.
  const StoreContents& next =
      history.moments[std::min(moment + 1, history.moments.size() - 1)].contents;
  if (contents->digest != known.digest && contents->digest != next.digest) {
    problems.push_back(absl::StrCat("it holds ", contents->summary, "; acknowledged was ",
                                    known.summary, ", and under way ", next.summary));
  }

  BlobStore& artifacts = (*population)->artifacts();
  for (const StoreHistory::Upload& upload : history.uploads) {
    if (position < upload.from || position >= upload.until) continue;
    const absl::Status there = artifacts.Verify(upload.digest);
    if (!there.ok()) problems.push_back(absl::StrCat("an upload: ", there.ToString()));
  }
  const auto all = artifacts.List();
  if (!all.ok()) return {all.status().ToString()};
  for (const std::string& digest : *all) {
    const absl::Status whole = artifacts.Verify(digest);
    if (!whole.ok()) problems.push_back(absl::StrCat("half an artifact: ", whole.ToString()));
  }
  if (history.version > 0) {
    const std::string problem = ProblemOfKeptCopy(folder, history.version);
    if (!problem.empty()) problems.push_back(problem);
  }
  const auto left = ReadImage(folder);
  for (const auto& [path, content] : left->files) {
    if (absl::StrContains(path, "/tmp/") || absl::StrContains(path, ".copy-")) {
      problems.push_back(absl::StrCat("left over: ", path));
    }
  }
  return problems;
}

// Work goes on in `folder` until every experiment has ended; those that did so undisturbed must
// have the same population.
std::vector<std::string> ProblemsOfGoingOn(const StoreHistory& history,
                                           const std::string& folder) {
  TestCoordinator coordinator(folder);
  coordinator.Restart();
  FakeRunner worker = FakeWorker("next-worker"), agent = FakeAgent("next-agent");
  coordinator.Pass(absl::Seconds(31));  // Who held a lease before has gone.
  std::vector<std::string> problems;
  v1::ListExperimentsRequest list;
  const auto experiments = coordinator.Ask(&Coordinator::List, list);
  if (!experiments.ok()) return {experiments.status().ToString()};
  for (const v1::Experiment& one : experiments->experiments()) {
    const auto end = history.ends.find(one.spec().name());
    if (end == history.ends.end()) {  // It was cancelled.
      v1::CancelRequest cancel;
      cancel.set_id(one.id());
      coordinator.Ask(&Coordinator::Cancel, cancel).status().IgnoreError();
      continue;
    }
    coordinator.Retry(one.id()).IgnoreError();
    coordinator.RunToEnd(one.id(), {&worker, &agent});
    const v1::Experiment ended = coordinator.Get(one.id());
    if (ended.state() != v1::Experiment::SUCCEEDED || ended.population_digest() != end->second) {
      problems.push_back(absl::StrCat(one.id(), " ends in another population, ",
                                      v1::Experiment::State_Name(ended.state()), " ",
                                      ended.reason()));
    }
  }
  return problems;
}

// The recorder must have seen everything that was done in `folder`.
StoreHistory Checked(StoreHistory history, const std::string& folder) {
  DiskModel disk(history.start);
  for (const DiskOperation& operation : history.operations) disk.Apply(operation);
  EXPECT_EQ(Difference(disk.Now(), ReadImage(folder).value()), "");
  return history;
}

class CrashPointsTest : public testing::Test {
 protected:
  // What becomes of that which was not synced.
  enum class Unsynced { kLost, kKept, kInPart };

  // One life for all tests.
  static const StoreHistory& History() {
    static const StoreHistory* const history = [] {
      const std::string folder = TemporaryFolder(Below::kMemory);
      auto lived = std::make_unique<StoreHistory>(Checked(LiveThrough(folder), folder));
      std::filesystem::remove_all(folder);
      return lived.release();
    }();
    return *history;
  }

  // Plays power cuts at a sample of the moments; after every so many of them work goes on.
  // Where all that was not synced is lost, only syncs make a difference: those are few, and all
  // are played; every fourth where code is instrumented.
  void Play(const StoreHistory& history, Unsynced unsynced, size_t sample, int go_on_every) {
    const std::set<size_t> positions =
        Positions(history, unsynced == Unsynced::kLost ? history.operations.size() * 3 : sample);
    DiskModel disk(history.start);
    int played = 0, failures = 0, syncs = 0;
    for (size_t position = 1; position <= history.operations.size(); ++position) {
      disk.Apply(history.operations[position - 1]);
      if (positions.count(position) == 0 || IsAsBefore(history, position, unsynced)) continue;
      const bool thinned = kSanitized && !PlaysAll() && unsynced == Unsynced::kLost;
      if (thinned && ++syncs % 4 != 0) continue;
      const DiskImage image = Cut(disk, position, unsynced);
      const std::string folder = JoinPath(scratch_, absl::StrCat(position));
      ASSERT_TRUE(WriteImage(image, folder).ok());
      std::vector<std::string> problems = ProblemsOf(history, position, folder);
      if (++played % go_on_every == 0 && problems.empty()) {
        problems = ProblemsOfGoingOn(history, folder);
      }
      std::filesystem::remove_all(folder);
      if (problems.empty()) continue;
      const std::string kept =
          JoinPath(testing::TempDir(), absl::StrCat("squish-crash-point-", position));
      std::filesystem::remove_all(kept);
      ASSERT_TRUE(WriteImage(image, kept).ok());
      ADD_FAILURE() << "after operation " << position << " of " << history.operations.size()
                    << ", " << Describe(history.operations[position - 1]) << ":\n  "
                    << absl::StrJoin(problems, "\n  ") << "\nwhat the disk held is kept in "
                    << kept;
      ASSERT_LT(++failures, 3) << "the rest is not played";
    }
    std::printf("%d power cuts were played, of %zu moments\n", played,
                history.operations.size());
  }

  const std::string scratch_ = TemporaryFolder(Below::kMemory);  // What a disk does, a model does.

 private:
  DiskImage Cut(const DiskModel& disk, size_t position, Unsynced unsynced) const {
    switch (unsynced) {
      case Unsynced::kLost:
        return disk.AfterPowerCut();
      case Unsynced::kKept:
        return disk.Now();
      case Unsynced::kInPart:
        break;
    }
    return disk.AfterPowerCut(Seed() * 1'000'003 + position);
  }

  // Whether the disk holds what it did a moment before, and no more was promised meanwhile.
  static bool IsAsBefore(const StoreHistory& history, size_t position, Unsynced unsynced) {
    if (unsynced == Unsynced::kInPart) return false;
    const bool changed = IsSync(history.operations[position - 1]) == (unsynced == Unsynced::kLost);
    return !changed && history.MomentAt(position) == history.MomentAt(position - 1) &&
           std::none_of(history.uploads.begin(), history.uploads.end(),
                        [position](const auto& upload) { return upload.from == position; });
  }
};

TEST_F(CrashPointsTest, WhatWasNotSyncedIsLost) { Play(History(), Unsynced::kLost, 0, 40); }

TEST_F(CrashPointsTest, WhatWasNotSyncedIsKept) { Play(History(), Unsynced::kKept, 240, 40); }

TEST_F(CrashPointsTest, WhatWasNotSyncedIsKeptInPart) {
  Play(History(), Unsynced::kInPart, 390, 40);
}

// First the coordinator is killed, which leaves all that it wrote to be read, synced or not. The
// next one tells its callers what it finds; then the power is cut.
TEST_F(CrashPointsTest, WhatARestartAfterAKillHasShownIsOnDisk) {
  const StoreHistory& history = History();
  const std::set<size_t> positions = Positions(history, 120);
  DiskModel disk(history.start);
  for (size_t position = 1; position <= history.operations.size(); ++position) {
    disk.Apply(history.operations[position - 1]);
    if (positions.count(position) == 0) continue;
    SCOPED_TRACE(absl::StrCat("killed after operation ", position, ", ",
                              Describe(history.operations[position - 1])));
    const std::string folder = JoinPath(scratch_, "killed"), cut = JoinPath(scratch_, "cut");
    ASSERT_TRUE(WriteImage(disk.Now(), folder).ok());
    DiskModel after = disk;
    StoreContents shown;
    std::vector<std::string> uploaded;
    {
      const RecordedDisk recorded(folder, after, Seed() + position);
      const auto population = Population::Open(PopulationIn(folder));
      ASSERT_TRUE(population.ok()) << population.status();
      shown = ContentsOf(**population).value();
      // Whoever has not heard that an upload is done makes it again.
      uploaded = (*population)->artifacts().List().value();
      for (const std::string& digest : uploaded) {
        const auto bytes = (*population)->artifacts().Get(digest);
        ASSERT_TRUE(bytes.ok()) << bytes.status();
        ASSERT_TRUE((*population)->artifacts().Put(*bytes).ok());
      }
      for (const DiskOperation& operation : recorded.operations()) after.Apply(operation);
    }
    ASSERT_TRUE(WriteImage(after.AfterPowerCut(), cut).ok());
    {
      const auto population = Population::Open(PopulationIn(cut));
      ASSERT_TRUE(population.ok()) << population.status();
      const StoreContents found = ContentsOf(**population).value();
      ASSERT_EQ(found.digest, shown.digest) << "shown was " << shown.summary << "; there is "
                                            << found.summary;
      for (const std::string& digest : uploaded) {
        const absl::Status there = (*population)->artifacts().Verify(digest);
        ASSERT_TRUE(there.ok()) << there;
      }
    }
    std::filesystem::remove_all(folder);
    std::filesystem::remove_all(cut);
  }
}

TEST_F(CrashPointsTest, AnUpgradeIsDoneOrNot) {
  for (int version = 1; version < kSchemaVersion; ++version) {
    SCOPED_TRACE(absl::StrCat("from version ", version));
    const std::string folder = JoinPath(scratch_, absl::StrCat("version-", version));
    ASSERT_TRUE(MakeFolder(folder).ok());
    const StoreHistory history = Checked(LiveThroughUpgrade(folder, version), folder);
    for (const Unsynced unsynced : {Unsynced::kLost, Unsynced::kKept, Unsynced::kInPart}) {
      Play(history, unsynced, 120, 20);
    }
  }
}

}  // namespace
}  // namespace squish
