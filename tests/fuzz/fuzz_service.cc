// Every request message, asked of a coordinator in this process. An input is a row of
//
//   what to do (an index of kMethods) │ length of its argument (2 bytes, little-endian) │ argument
//
// where an argument of a method is a message on the wire. Since ids and digests are drawn by
// chance, a text of one byte stands for one that exists (Fill).
#include <google/protobuf/message.h>
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/metrics/metrics.h"
#include "coordinator/population/named_artifacts.h"
#include "coordinator/population/population.h"
#include "coordinator/service/coordinator.h"
#include "spdlog/spdlog.h"
#include "squish/v1/maintenance.pb.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/service/fake_runner.h"

namespace squish {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int kMaximumRequests = 32;
constexpr int kMaximumSteps = 64;

uint8_t FirstByte(absl::string_view argument) {
  return argument.empty() ? 0 : static_cast<uint8_t>(argument[0]);
}

class Sink : public WatchSink {
 public:
  void Push(const v1::Experiment& experiment) override { Look(experiment); }
  void Push(const v1::Individual& individual) override { Look(individual); }
  void Push(const v1::Champion& champion) override { Look(champion); }
  void End(const absl::Status&) override { ended_ = true; }
  bool gone() const override { return false; }

 private:
  void Look(const Message&) { Require(!ended_, "a watch goes on behind its end"); }
  bool ended_ = false;
};

class World {
 public:
  // Takes up the population in the folder.
  explicit World(const std::string& folder) : folder_(folder) {
    spdlog::set_level(spdlog::level::off);
    google::protobuf::SetLogHandler(nullptr);  // It has a line for all that is not UTF-8.
    Open();
    const auto digest = population_->artifacts().Put("a blob");
    Require(digest.status(), "a blob cannot be stored");
    digest_ = *digest;
    Ask(&Coordinator::List, v1::ListExperimentsRequest());
  }

  void Begin() {
    v1::SubmitRequest request;
    *request.mutable_spec() = SmallSpec();
    Ask(&Coordinator::Submit, std::move(request));
  }

  void Run(absl::string_view input);

 private:
  void Open();
  void Batch(Coordinator::Task task);
  void SynchronizeAs(FakeRunner& runner, absl::string_view argument);
  void Synchronize(FakeRunner* runner, v1::SynchronizeRequest request);
  void Take(FakeRunner* runner, v1::SynchronizeResponse response);
  void Fill(Message& message);
  void FillText(const FieldDescriptor& field, std::string& text);
  void Complete(v1::SynchronizeRequest& request, const v1::RunnerInfo& runner);

  void Note(const v1::Experiment& experiment) {
    if (absl::c_linear_search(experiments_, experiment.id())) return;
    experiments_.push_back(experiment.id());
  }
  void Note(const v1::ListExperimentsResponse& list) {
    for (const v1::Experiment& experiment : list.experiments()) Note(experiment);
  }
  void Note(const Message&) {}

  template <typename Response, typename Request>
  void Ask(absl::StatusOr<Response> (Coordinator::*method)(const Caller&, const Request&),
           Request request) {
    Fill(request);
    Batch([&](Coordinator& coordinator) {
      const absl::StatusOr<Response> answer = (coordinator.*method)(caller_, request);
      ExamineStatus(answer.status());
      if (!answer.ok()) return;
      ExamineAnswer(*answer);
      Note(*answer);
    });
  }
  template <typename Response, typename Request>
  void AskParsed(absl::StatusOr<Response> (Coordinator::*method)(const Caller&, const Request&),
                 absl::string_view argument) {
    Request request;
    if (Parse(argument, request)) Ask(method, std::move(request));
  }

  // Of kMethods.
  template <auto method>
  void Ask(absl::string_view argument) {
    AskParsed(method, argument);
  }
  void SynchronizeAny(absl::string_view argument);
  void SynchronizeWorker(absl::string_view argument) { SynchronizeAs(worker_, argument); }
  void SynchronizeAgent(absl::string_view argument) { SynchronizeAs(agent_, argument); }
  void Watch(absl::string_view argument);
  void Backup(absl::string_view argument);
  void HonestSteps(absl::string_view argument);
  void Time(absl::string_view argument);
  void Restart(absl::string_view argument);

  struct Method {
    absl::string_view name;  // As tests/lint/fuzzed_methods.py looks for it.
    void (World::*ask)(absl::string_view argument);
  };
  static const Method kMethods[];

  static bool Parse(absl::string_view argument, Message& request) {
    return request.ParseFromArray(argument.data(), static_cast<int>(argument.size()));
  }

  // What a stranger's request may be answered with.
  static void ExamineStatus(const absl::Status& status) {
    switch (status.code()) {
      case absl::StatusCode::kInternal:
      case absl::StatusCode::kUnknown:
      case absl::StatusCode::kDataLoss:
        Require(status, "a request is answered as if it were our fault");
        break;
      default:
        break;
    }
  }

  template <typename Response>
  static void ExamineAnswer(const Response& answer) {
    Response read;
    Require(read.ParseFromString(answer.SerializeAsString()), "an answer cannot be read");
  }

  const Caller caller_{"fuzz", "fuzz"};
  const std::string folder_;
  FakeClock clock_;
  Metrics metrics_;
  CoordinatorMetrics coordinator_metrics_{&metrics_};
  std::unique_ptr<Population> population_;
  std::unique_ptr<Coordinator> coordinator_;
  uint64_t next_call_ = 1;
  std::vector<uint64_t> calls_;  // Of this input.

  FakeRunner worker_ = FakeWorker("worker");
  FakeRunner agent_ = FakeAgent("agent");
  // What placeholders stand for, in the order of coming: ids themselves differ each time.
  std::vector<std::string> experiments_, attempts_;
  std::map<std::string, v1::Job> jobs_;  // Of attempts_: all that were ever given out.
  std::string digest_;
};

void World::Open() {
  coordinator_.reset();
  population_.reset();
  auto population = Population::Open(JoinPath(folder_, "population.db"));
  Require(population.status(), "the population cannot be opened");
  population_ = *std::move(population);
  Coordinator::Options options;
  options.on_fatal = [](const absl::Status& status) { Require(status, "memory cannot be built"); };
  auto coordinator =
      Coordinator::Create(population_.get(), &clock_, &coordinator_metrics_, std::move(options));
  Require(coordinator.status(), "what the coordinator has written cannot be read");
  coordinator_ = *std::move(coordinator);
}

void World::Batch(Coordinator::Task task) {
  std::vector<Coordinator::Task> tasks;
  tasks.push_back([&task](Coordinator& coordinator) {
    coordinator.AfterCommit([](const absl::Status& committed) {
      Require(committed, "what a request made cannot be written");
    });
    if (task) task(coordinator);
  });
  coordinator_->RunBatch(std::move(tasks));
}

// New ones come last: the corpus names them by their place.
const World::Method World::kMethods[] = {
    // Of whatever runner the message names; then what an honest one would say, merged with it.
    {"RunnerService.Synchronize", &World::SynchronizeAny},
    {"RunnerService.Synchronize", &World::SynchronizeWorker},
    {"RunnerService.Synchronize", &World::SynchronizeAgent},
    {"ExperimentService.Submit", &World::Ask<&Coordinator::Submit>},
    {"ExperimentService.Get", &World::Ask<&Coordinator::Get>},
    {"ExperimentService.List", &World::Ask<&Coordinator::List>},
    {"ExperimentService.ListIndividuals", &World::Ask<&Coordinator::ListIndividuals>},
    {"ExperimentService.ListChampions", &World::Ask<&Coordinator::ListChampions>},
    {"ExperimentService.ListRunners", &World::Ask<&Coordinator::ListRunners>},
    {"ExperimentService.Estimate", &World::Ask<&Coordinator::Estimate>},
    {"ExperimentService.Pause", &World::Ask<&Coordinator::Pause>},
    {"ExperimentService.Resume", &World::Ask<&Coordinator::Resume>},
    {"ExperimentService.Cancel", &World::Ask<&Coordinator::Cancel>},
    {"ExperimentService.Watch", &World::Watch},
    {"both honest runners go on", &World::HonestSteps},
    {"time goes by", &World::Time},
    {"the coordinator is started again", &World::Restart},
    {"MaintenanceService.Backup", &World::Backup},
    {"ExperimentService.Retry", &World::Ask<&Coordinator::Retry>},
};

void World::Run(absl::string_view input) {
  uint8_t what = 0;
  absl::string_view argument;
  for (int i = 0; i < kMaximumRequests && TakeRequest(input, what, argument); ++i) {
    (this->*kMethods[what % std::size(kMethods)].ask)(argument);
  }
  for (const uint64_t call : std::exchange(calls_, {})) {
    Batch([call](Coordinator& coordinator) { coordinator.Abandon(call); });
  }
}

void World::SynchronizeAny(absl::string_view argument) {
  v1::SynchronizeRequest request;
  if (!Parse(argument, request)) return;
  Fill(request);
  Complete(request, request.runner());
  Synchronize(nullptr, std::move(request));
}

void World::SynchronizeAs(FakeRunner& runner, absl::string_view argument) {
  v1::SynchronizeRequest said;
  if (!Parse(argument, said)) return;
  Fill(said);
  Complete(said, runner.info);
  v1::SynchronizeRequest request = runner.Request();
  request.MergeFrom(said);
  Synchronize(&runner, std::move(request));
}

void World::Watch(absl::string_view argument) {
  v1::WatchRequest request;
  if (!Parse(argument, request)) return;
  Fill(request);
  Batch([&](Coordinator& coordinator) {
    coordinator.Watch(caller_, request, std::make_shared<Sink>());
  });
}

// The copy is made while the batches that follow go on.
void World::Backup(absl::string_view argument) {
  v1::BackupRequest request;
  if (!Parse(argument, request)) return;
  Batch([&](Coordinator& coordinator) {
    coordinator.Backup(caller_, [](const absl::StatusOr<DatabaseCopy>& copy) {
      Require(copy.status(), "the database cannot be copied");
      Require(NamedArtifacts(copy->path()).status(), "a copy of the database cannot be read");
    });
  });
}

// The argument's first byte says for how long, here and for Time.
void World::HonestSteps(absl::string_view argument) {
  int steps = FirstByte(argument) % kMaximumSteps;
  // Nothing comes of waiting longer.
  for (int idle = 0; steps > 0 && idle < 2; --steps) {
    ++idle;
    for (FakeRunner* runner : {&worker_, &agent_}) {
      Synchronize(runner, runner->Request());
      if (!runner->FinishOne(population_->artifacts())) continue;
      Synchronize(runner, runner->Request());
      idle = 0;
    }
  }
}

void World::Time(absl::string_view argument) {
  clock_.Advance(absl::Seconds(FirstByte(argument)));
  Batch(nullptr);
}

// It must read what it has written.
void World::Restart(absl::string_view) {
  calls_.clear();
  Open();
}

// `runner` takes the answer; null: nobody does.
void World::Synchronize(FakeRunner* runner, v1::SynchronizeRequest request) {
  const uint64_t call = next_call_++;
  calls_.push_back(call);
  Batch([&](Coordinator& coordinator) {
    coordinator.Synchronize(caller_, request, call,
                            [this, runner](const absl::StatusOr<v1::SynchronizeResponse>& answer) {
                              ExamineStatus(answer.status());
                              if (!answer.ok()) return;
                              ExamineAnswer(*answer);
                              Take(runner, *answer);
                            });
  });
}

void World::Take(FakeRunner* runner, v1::SynchronizeResponse response) {
  for (v1::Assignment& assignment : *response.mutable_assignments()) {
    if (assignment.has_job()) {
      if (jobs_.try_emplace(assignment.attempt_id(), assignment.job()).second) {
        attempts_.push_back(assignment.attempt_id());
      }
    } else if (const auto known = jobs_.find(assignment.attempt_id()); known != jobs_.end()) {
      *assignment.mutable_job() = known->second;
    } else {
      Require(false, "an attempt comes without a job that was ever told");
    }
  }
  if (runner != nullptr) runner->Take(response);
}

// --- Placeholders -------------------------------------------------------------------

// The id that a text of one byte stands for: "0" is the latest, "1" the one before it.
const std::string* Pick(const std::vector<std::string>& ids, const std::string& text) {
  if (ids.empty()) return nullptr;
  const auto back = static_cast<uint8_t>(text[0] - '0');
  return &ids[ids.size() - 1 - back % ids.size()];
}

void World::FillText(const FieldDescriptor& field, std::string& text) {
  static constexpr absl::string_view kDigests[] = {"artifact", "digest", "fingerprint",
                                                   "predictions", "strengths"};
  const std::string* picked = nullptr;
  if (text.size() != 1) return;
  if (field.name() == "attempt_id") {
    picked = Pick(attempts_, text);
  } else if (field.name() == "experiment" ||
             (field.name() == "id" && absl::EndsWith(field.containing_type()->name(), "Request"))) {
    picked = Pick(experiments_, text);
  } else if (absl::c_linear_search(kDigests, field.name()) ||
             absl::EndsWith(field.name(), "_digest")) {
    picked = &digest_;
  }
  if (picked != nullptr) text = *picked;
}

// Puts what exists in the place of texts of one byte.
void World::Fill(Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!field->is_repeated()) Fill(*reflection.MutableMessage(&message, field));
      for (int i = 0; field->is_repeated() && i < reflection.FieldSize(message, field); ++i) {
        Fill(*reflection.MutableRepeatedMessage(&message, field, i));
      }
    } else if (field->type() == FieldDescriptor::TYPE_STRING && !field->is_repeated()) {
      std::string text = reflection.GetString(message, field);
      FillText(*field, text);
      reflection.SetString(&message, field, std::move(text));
    }
  }
}

// Reports without a spec are of data that is wanted; results of known attempts are good
// ones but for what they say otherwise.
void World::Complete(v1::SynchronizeRequest& request, const v1::RunnerInfo& runner) {
  for (v1::DatasetReport& report : *request.mutable_datasets()) {
    if (report.has_spec() || worker_.last.datasets().empty()) continue;
    v1::DatasetReport good = ReadyReport(worker_.last.datasets(0));
    good.MergeFrom(report);
    report = std::move(good);
  }
  for (v1::AttemptResult& result : *request.mutable_results()) {
    const auto known = jobs_.find(result.attempt_id());
    if (known == jobs_.end()) continue;
    v1::AttemptResult good = GoodAnswer(known->second, runner, population_->artifacts());
    good.set_experiment(known->second.experiment());
    *good.mutable_key() = known->second.key();
    good.MergeFrom(result);
    result = std::move(good);
  }
}

}  // namespace
}  // namespace squish

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace squish;
  static const std::string folder = TemporaryFolder(Below::kMemory);
  static const std::string begun = JoinPath(folder, "begun");
  static const bool is_begun = [] {
    Require(MakeFolder(begun), "no folder can be made");
    World(begun).Begin();
    return true;
  }();
  (void)is_begun;
  // Each input has a population of its own, so that findings can be repeated.
  const std::string own = JoinPath(folder, "own");
  std::filesystem::remove_all(own);
  std::filesystem::copy(begun, own, std::filesystem::copy_options::recursive);
  World(own).Run(TextOf(data, size));
  return 0;
}
