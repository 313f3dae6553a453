// What the swarm's runners are, and what they answer: made up, a pure function of the job,
// and such that the coordinator accepts it. Nothing is computed and nothing measured.
//
// Every network that is answered is one and the same small artifact, as if all individuals
// were alike: it is uploaded once, before anything is counted. Architectures differ, so
// that no measurement is answered from the cache. Thread-safe.
#ifndef SQUISH_BENCHMARKS_SWARM_ANSWERS_H_
#define SQUISH_BENCHMARKS_SWARM_ANSWERS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "squish/v1/dataset.pb.h"
#include "squish/v1/experiment.pb.h"
#include "squish/v1/job.pb.h"
#include "squish/v1/runner.pb.h"

namespace squish {

struct StandIn {
  std::string digest;  // Of the artifact that every result names.
  int64_t bytes = 0;
};

// An experiment that can be worked on for long: many offspring and generations, no pressure.
v1::ExperimentSpec SwarmSpec(absl::string_view name, int generations, int offspring);

// One of the swarm. Slots: 1.
v1::RunnerInfo SwarmRunner(v1::RunnerInfo::Kind kind, int number);

// What a worker says of a data set: it has it.
v1::DatasetReport SwarmDataset(const v1::DatasetSpec& spec);

// A valid result of the job, all but the attempt's id.
v1::AttemptResult AnswerJob(const v1::Job& job, const v1::RunnerInfo& runner,
                            const StandIn& stand_in);

// Makes a result that is shorter `bytes` long when serialised, by a field that nobody
// knows: the coordinator keeps what a newer runner may have to say.
void PadResult(int bytes, v1::AttemptResult& result);

}  // namespace squish

#endif  // SQUISH_BENCHMARKS_SWARM_ANSWERS_H_
