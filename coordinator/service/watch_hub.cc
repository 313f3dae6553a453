#include "coordinator/service/watch_hub.h"

#include <algorithm>
#include <utility>

#include "coordinator/population/population.h"

namespace squish {

void WatchHub::Add(std::shared_ptr<WatchSink> sink, const v1::Experiment& experiment,
                   const std::vector<v1::Individual>& individuals,
                   const std::vector<v1::Champion>& champions) {
  sink->Push(experiment);
  for (const v1::Individual& individual : individuals) sink->Push(individual);
  for (const v1::Champion& champion : champions) sink->Push(champion);
  if (HasEnded(experiment.state())) {
    sink->End(absl::OkStatus());
    return;
  }
  Watched& watched = watched_[experiment.id()];
  // The others hear of what only this sink has seen with the next change.
  if (watched.sinks.empty()) watched.told = experiment.SerializeAsString();
  watched.sinks.push_back(std::move(sink));
}

template <typename Event>
void WatchHub::TellAll(const std::string& experiment, const Event& event) {
  const auto found = watched_.find(experiment);
  if (found == watched_.end()) return;
  for (const auto& sink : found->second.sinks) sink->Push(event);
}

void WatchHub::Tell(const std::string& experiment, const v1::Individual& individual) {
  TellAll(experiment, individual);
}

void WatchHub::Tell(const std::string& experiment, const v1::Champion& champion) {
  TellAll(experiment, champion);
}

void WatchHub::Tell(const v1::Experiment& experiment) {
  const auto found = watched_.find(experiment.id());
  if (found == watched_.end()) return;
  auto& sinks = found->second.sinks;
  sinks.erase(std::remove_if(sinks.begin(), sinks.end(),
                             [](const auto& sink) { return sink->gone(); }),
              sinks.end());
  std::string now = experiment.SerializeAsString();
  if (now != found->second.told) {
    for (const auto& sink : sinks) sink->Push(experiment);
    found->second.told = std::move(now);
  }
  if (HasEnded(experiment.state())) {
    for (const auto& sink : sinks) sink->End(absl::OkStatus());
    sinks.clear();
  }
  if (sinks.empty()) watched_.erase(found);
}

void WatchHub::EndAll(const absl::Status& status) {
  for (const auto& [id, watched] : watched_) {
    for (const auto& sink : watched.sinks) sink->End(status);
  }
  watched_.clear();
}

}  // namespace squish
