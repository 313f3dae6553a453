// An ExperimentService and an ArtifactService without an evolution behind them: one
// submitted experiment "fake-1" whose individuals are made up at once. What it does
// depends on the spec's seed, so that a process that runs it needs no other channel.
#ifndef SQUISH_TESTS_UNIT_CTL_FAKE_EXPERIMENTS_H_
#define SQUISH_TESTS_UNIT_CTL_FAKE_EXPERIMENTS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/weights/network.h"
#include "squish/v1/artifact.grpc.pb.h"
#include "squish/v1/experiment_service.grpc.pb.h"

namespace squish {

class FakeExperiments : public v1::ExperimentService::Service, public v1::ArtifactService::Service {
 public:
  // Seeds: what a watcher sees after the ancestor.
  static constexpr uint64_t kSucceeds = 1;   // Two more individuals, SUCCEEDED.
  static constexpr uint64_t kHangs = 2;      // Nothing more.
  static constexpr uint64_t kCrashes = 3;    // The process ends with status 9.
  static constexpr uint64_t kAttention = 4;  // NEEDS_ATTENTION.
  static constexpr uint64_t kFails = 5;      // FAILED.
  static constexpr uint64_t kBreaks = 6;     // The first stream breaks, the second is kSucceeds.
  static constexpr uint64_t kWaits = 7;      // WAITING_FOR_WORKER.
  static constexpr uint64_t kUnready = 8;    // Its champions are not ready.

  grpc::Status Submit(grpc::ServerContext*, const v1::SubmitRequest*, v1::Experiment*) override;
  grpc::Status Get(grpc::ServerContext*, const v1::GetExperimentRequest*, v1::Experiment*) override;
  grpc::Status List(grpc::ServerContext*, const v1::ListExperimentsRequest*,
                    v1::ListExperimentsResponse*) override;
  grpc::Status ListIndividuals(grpc::ServerContext*, const v1::ListIndividualsRequest*,
                               v1::ListIndividualsResponse*) override;
  grpc::Status ListChampions(grpc::ServerContext*, const v1::ListChampionsRequest*,
                             v1::ListChampionsResponse*) override;
  grpc::Status ListRunners(grpc::ServerContext*, const v1::ListRunnersRequest*,
                           v1::ListRunnersResponse*) override;
  grpc::Status Estimate(grpc::ServerContext*, const v1::EstimateRequest*,
                        v1::EstimateResponse*) override;
  grpc::Status Watch(grpc::ServerContext*, const v1::WatchRequest*,
                     grpc::ServerWriter<v1::WatchEvent>*) override;
  grpc::Status Pause(grpc::ServerContext*, const v1::PauseRequest*, v1::Experiment*) override;
  grpc::Status Resume(grpc::ServerContext*, const v1::ResumeRequest*, v1::Experiment*) override;
  grpc::Status Retry(grpc::ServerContext*, const v1::RetryRequest*, v1::Experiment*) override;
  grpc::Status Cancel(grpc::ServerContext*, const v1::CancelRequest*, v1::Experiment*) override;
  grpc::Status Upload(grpc::ServerContext*, grpc::ServerReader<v1::UploadRequest>*,
                      v1::UploadResponse*) override;
  grpc::Status Download(grpc::ServerContext*, const v1::DownloadRequest*,
                        grpc::ServerWriter<v1::DownloadResponse>*) override;

  // The network of champion 1:1: two classes, eight pixels.
  static Network ChampionNetwork();

  v1::ExperimentSpec submitted() const;
  std::string uploaded(const std::string& digest) const;

 private:
  // The experiment, put into a state if one is given.
  grpc::Status Answer(const std::string& id, v1::Experiment::State state, v1::Experiment* answer);

  mutable absl::Mutex mutex_;
  v1::Experiment experiment_ ABSL_GUARDED_BY(mutex_);
  int watched_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::string> blobs_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_CTL_FAKE_EXPERIMENTS_H_
