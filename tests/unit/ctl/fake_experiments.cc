#include "tests/unit/ctl/fake_experiments.h"

#include <unistd.h>

#include "common/base/await.h"
#include "common/base/sha256.h"
#include "common/genome/ancestors.h"
#include "common/rpc/rpc.h"
#include "tests/unit/ctl/individuals.h"

namespace squish {
namespace {

const std::string kOnnx = "an ONNX model";
const std::string kPredictions = "picture,class,predicted,log_loss\n";

std::vector<v1::Individual> AllIndividuals() {
  v1::Individual selected = Evaluated(1, 0, 700'000, 0.85, 0.5, 1.2);
  selected.set_selected(true);
  v1::Individual smallest = Evaluated(1, 1, 680'000, 0.8, 0.6, 1.3);
  smallest.set_trained_artifact(Sha256Hex(FakeExperiments::ChampionNetwork().ToSafetensors()));
  for (v1::Individual* one : {&selected, &smallest}) {
    one->set_born_artifact(smallest.trained_artifact());
  }
  return {Evaluated(0, 0, 727'626, 0.9, 0.4, 1.0), selected, smallest};
}

// Hangs as a broken coordinator would. gRPC's synchronous services can only be asked.
grpc::Status UntilCancelled(const grpc::ServerContext& context) {
  AwaitCondition(absl::InfiniteDuration(), [&] { return context.IsCancelled(); });
  return grpc::Status::CANCELLED;
}

// The bytes of what individuals and champions name.
std::string BytesOf(const std::string& digest) {
  for (const std::string& bytes :
       {kOnnx, kPredictions, FakeExperiments::ChampionNetwork().ToSafetensors()}) {
    if (Sha256Hex(bytes) == digest) return bytes;
  }
  for (const v1::Individual& individual : AllIndividuals()) {
    const std::string bytes = absl::StrCat("network ", individual.parameters());
    if (Sha256Hex(bytes) == digest) return bytes;
  }
  return "";
}

std::vector<v1::Champion> AllChampions() {
  using Role = v1::Champion::Role;
  const std::vector<v1::Individual> individuals = AllIndividuals();
  std::vector<v1::Champion> champions(2);
  const std::pair<int, std::vector<Role::Kind>> roles[] = {
      {0, {Role::MOST_ACCURATE}}, {2, {Role::SMALLEST, Role::FASTEST, Role::KNEE}}};
  for (int i = 0; i < 2; ++i) {
    v1::Champion& champion = champions[i];
    champion.set_index(i);
    champion.set_state(v1::Champion::READY);
    champion.set_feasible(true);
    *champion.mutable_individual() = individuals[roles[i].first];
    champion.set_artifact(champion.individual().trained_artifact());
    for (const Role::Kind kind : roles[i].second) {
      champion.add_roles()->set_kind(kind);
      champion.mutable_roles(champion.roles_size() - 1)->set_met(true);
    }
    champion.mutable_evaluation()->set_images(10);
    champion.mutable_evaluation()->set_accuracy(0.7);
    champion.set_predictions(Sha256Hex(kPredictions));
    v1::ExportedFile& file = *champion.add_files();
    file.set_name("model.onnx");
    file.set_artifact(Sha256Hex(kOnnx));
    file.set_bytes(static_cast<int64_t>(kOnnx.size()));
  }
  return champions;
}

}  // namespace

Network FakeExperiments::ChampionNetwork() {
  Network network{*SqueezeNetV11(2, 0.05), {}, {"cat", "dog"}, {}};
  network.weights = FreshWeights(network.genome, 1, 0, 0);
  network.preprocessing.set_input_size(64);
  network.provenance.set_note("has seen the val pictures");
  for (int channel = 0; channel < 3; ++channel) {
    network.preprocessing.add_mean(0.5f);
    network.preprocessing.add_std(0.25f);
  }
  return network;
}

grpc::Status FakeExperiments::ListChampions(grpc::ServerContext*,
                                            const v1::ListChampionsRequest* request,
                                            v1::ListChampionsResponse* answer) {
  v1::Experiment known;
  const grpc::Status status =
      Answer(request->experiment(), v1::Experiment::STATE_UNSPECIFIED, &known);
  if (!status.ok()) return status;
  for (v1::Champion& champion : AllChampions()) {
    if (known.spec().seed() == kUnready) champion.set_state(v1::Champion::FINISHING);
    if (known.spec().seed() == kHangs) continue;
    *answer->add_champions() = champion;
  }
  return grpc::Status::OK;
}

grpc::Status FakeExperiments::ListRunners(grpc::ServerContext*, const v1::ListRunnersRequest*,
                                          v1::ListRunnersResponse* answer) {
  answer->add_runners()->mutable_info()->set_id("worker-1");
  return grpc::Status::OK;
}

grpc::Status FakeExperiments::Estimate(grpc::ServerContext*, const v1::EstimateRequest* request,
                                       v1::EstimateResponse* answer) {
  answer->set_train_jobs(1 + request->spec().generations() * request->spec().offspring());
  answer->set_images(2 * request->train_images());
  answer->add_notes("a note");
  return grpc::Status::OK;
}

v1::ExperimentSpec FakeExperiments::submitted() const {
  absl::MutexLock lock(&mutex_);
  return experiment_.spec();
}

std::string FakeExperiments::uploaded(const std::string& digest) const {
  absl::MutexLock lock(&mutex_);
  const auto found = blobs_.find(digest);
  return found == blobs_.end() ? "" : found->second;
}

grpc::Status FakeExperiments::Submit(grpc::ServerContext*, const v1::SubmitRequest* request,
                                     v1::Experiment* answer) {
  absl::MutexLock lock(&mutex_);
  if (request->idempotency_key().empty()) return ToGrpc(absl::InvalidArgumentError("no key"));
  experiment_.set_id("fake-1");
  *experiment_.mutable_spec() = request->spec();
  experiment_.set_state(v1::Experiment::RUNNING);
  experiment_.mutable_dataset()->clear_class_names();
  for (const char* name : {"cat", "dog"}) experiment_.mutable_dataset()->add_class_names(name);
  *answer = experiment_;
  return grpc::Status::OK;
}

grpc::Status FakeExperiments::Answer(const std::string& id, v1::Experiment::State state,
                                     v1::Experiment* answer) {
  absl::MutexLock lock(&mutex_);
  if (id != experiment_.id() || id.empty()) {
    return ToGrpc(absl::NotFoundError(absl::StrCat("there is no experiment ", id)));
  }
  if (state != v1::Experiment::STATE_UNSPECIFIED) experiment_.set_state(state);
  *answer = experiment_;
  return grpc::Status::OK;
}

grpc::Status FakeExperiments::Get(grpc::ServerContext*, const v1::GetExperimentRequest* request,
                                  v1::Experiment* answer) {
  return Answer(request->id(), v1::Experiment::STATE_UNSPECIFIED, answer);
}
grpc::Status FakeExperiments::Pause(grpc::ServerContext*, const v1::PauseRequest* request,
                                    v1::Experiment* answer) {
  return Answer(request->id(), v1::Experiment::PAUSED, answer);
}
grpc::Status FakeExperiments::Resume(grpc::ServerContext*, const v1::ResumeRequest* request,
                                     v1::Experiment* answer) {
  return Answer(request->id(), v1::Experiment::RUNNING, answer);
}
grpc::Status FakeExperiments::Retry(grpc::ServerContext*, const v1::RetryRequest* request,
                                    v1::Experiment* answer) {
  return Answer(request->id(), v1::Experiment::RUNNING, answer);
}
grpc::Status FakeExperiments::Cancel(grpc::ServerContext*, const v1::CancelRequest* request,
                                     v1::Experiment* answer) {
  return Answer(request->id(), v1::Experiment::CANCELLED, answer);
}

grpc::Status FakeExperiments::List(grpc::ServerContext*, const v1::ListExperimentsRequest*,
                                   v1::ListExperimentsResponse* answer) {
  absl::MutexLock lock(&mutex_);
  if (!experiment_.id().empty()) *answer->add_experiments() = experiment_;
  return grpc::Status::OK;
}

grpc::Status FakeExperiments::ListIndividuals(grpc::ServerContext*,
                                              const v1::ListIndividualsRequest* request,
                                              v1::ListIndividualsResponse* answer) {
  v1::Experiment known;
  const grpc::Status status =
      Answer(request->experiment(), v1::Experiment::STATE_UNSPECIFIED, &known);
  if (!status.ok()) return status;
  for (const v1::Individual& individual : AllIndividuals()) {
    *answer->add_individuals() = individual;
  }
  return grpc::Status::OK;
}

grpc::Status FakeExperiments::Watch(grpc::ServerContext* context, const v1::WatchRequest* request,
                                    grpc::ServerWriter<v1::WatchEvent>* writer) {
  v1::Experiment experiment;
  const grpc::Status status =
      Answer(request->experiment(), v1::Experiment::STATE_UNSPECIFIED, &experiment);
  if (!status.ok()) return status;
  const auto send_experiment = [&](v1::Experiment::State state, const char* reason) {
    experiment.set_state(state);
    experiment.set_reason(reason);
    v1::WatchEvent event;
    *event.mutable_experiment() = experiment;
    writer->Write(event);
  };
  const auto send_individual = [&](const v1::Individual& individual) {
    v1::WatchEvent event;
    *event.mutable_individual() = individual;
    writer->Write(event);
  };
  const std::vector<v1::Individual> individuals = AllIndividuals();
  send_experiment(v1::Experiment::RUNNING, "");
  v1::Individual open = individuals[0];
  open.set_state(v1::Individual::TRAINING);
  open.clear_images_per_second();
  send_individual(open);
  send_individual(individuals[0]);
  int watched = 0;
  {
    absl::MutexLock lock(&mutex_);
    watched = ++watched_;
  }
  switch (experiment.spec().seed()) {
    case kHangs:
      return UntilCancelled(*context);
    case kCrashes:
      ::_exit(9);
    case kAttention:
      send_experiment(v1::Experiment::NEEDS_ATTENTION, "1:0 TRAIN is out of retries");
      return UntilCancelled(*context);
    case kWaits:
      send_experiment(v1::Experiment::WAITING_FOR_WORKER, "");
      Answer(experiment.id(), v1::Experiment::WAITING_FOR_WORKER, &experiment);
      return UntilCancelled(*context);
    case kFails:
      send_experiment(v1::Experiment::FAILED, "the ancestor diverged");
      return grpc::Status::OK;
    case kBreaks:
      if (watched == 1) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "going away");
      break;
    default:
      break;
  }
  send_individual(individuals[0]);  // Once more: as after a reconnection.
  send_individual(individuals[2]);
  send_individual(individuals[1]);
  send_experiment(v1::Experiment::SUCCEEDED, "");
  return grpc::Status::OK;
}

grpc::Status FakeExperiments::Upload(grpc::ServerContext*,
                                     grpc::ServerReader<v1::UploadRequest>* reader,
                                     v1::UploadResponse*) {
  v1::UploadRequest request;
  std::string digest, bytes;
  while (reader->Read(&request)) {
    if (request.has_start()) digest = request.start().digest();
    bytes += request.chunk();
  }
  absl::MutexLock lock(&mutex_);
  blobs_[digest] = bytes;
  return grpc::Status::OK;
}

grpc::Status FakeExperiments::Download(grpc::ServerContext*, const v1::DownloadRequest* request,
                                       grpc::ServerWriter<v1::DownloadResponse>* writer) {
  std::string bytes = uploaded(request->digest());
  if (bytes.empty()) bytes = BytesOf(request->digest());
  if (bytes.empty()) return ToGrpc(absl::NotFoundError("there is no such artifact"));
  v1::DownloadResponse part;
  part.set_size(static_cast<int64_t>(bytes.size()));
  part.set_chunk(bytes);
  writer->Write(part);
  return grpc::Status::OK;
}

}  // namespace squish
