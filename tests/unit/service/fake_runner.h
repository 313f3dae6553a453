// A runner without a process: answers jobs at once, with results that are a pure
// function of the job, so that every order of events must end in the same population.
#ifndef SQUISH_TESTS_UNIT_SERVICE_FAKE_RUNNER_H_
#define SQUISH_TESTS_UNIT_SERVICE_FAKE_RUNNER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/artifacts/blob_store.h"
#include "squish/v1/runner.pb.h"

namespace squish {

struct FakeRunner {
  v1::RunnerInfo info;
  std::map<std::string, v1::Job> attempts;  // Held, by attempt id.
  std::vector<v1::AttemptResult> spool;     // Finished, not acknowledged.
  std::vector<v1::DatasetReport> datasets;
  bool keep_datasets = false;  // Else it has every data set that is wanted.
  uint64_t call = 0;     // The call under way.
  bool waiting = false;  // It is not answered yet.
  v1::SynchronizeResponse last;

  v1::SynchronizeRequest Request() const;
  void Take(const v1::SynchronizeResponse& response);
  // Finishes the first attempt with GoodAnswer; false when it holds none.
  bool FinishOne(BlobStore& artifacts);
  // Puts a result for the first attempt into the spool.
  void Finish(v1::AttemptResult result);
  // Starts anew: attempts are gone, the spool is kept.
  void Crash();
};

FakeRunner FakeWorker(const std::string& id);
FakeRunner FakeAgent(const std::string& id, const std::string& device_class = "board/test");

// What a worker with the right data reports.
v1::DatasetReport ReadyReport(const v1::DatasetSpec& spec);

// A valid result; networks are put into `artifacts`.
v1::AttemptResult GoodAnswer(const v1::Job& job, const v1::RunnerInfo& runner,
                             BlobStore& artifacts);
v1::AttemptResult FailureAnswer(const std::string& message);

// A small experiment on the built-in set: 2 generations of 2, one parent, champions that
// are trained further.
v1::ExperimentSpec SmallSpec();

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_SERVICE_FAKE_RUNNER_H_
