#include "coordinator/service/watch_hub.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/population/population.h"

namespace squish {

namespace {

void DropGone(std::vector<std::shared_ptr<WatchSink>>& sinks) {
  std::erase_if(sinks, [](const auto& sink) { return sink->gone(); });
}

}  // namespace

size_t WatchHub::CountWatchers() {
  size_t count = 0;
  for (auto& [id, watched] : watched_) {
    DropGone(watched.sinks);
    count += watched.sinks.size();
  }
  return count;
}

absl::Status WatchHub::Add(std::shared_ptr<WatchSink> sink, const v1::Experiment& experiment,
                           const std::vector<v1::Individual>& individuals,
                           const std::vector<v1::Champion>& champions) {
  if (CountWatchers() >= kMaximumWatchers) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are ", kMaximumWatchers, " watchers already; try again later"));
  }
  sink->Push(experiment);
  for (const v1::Individual& individual : individuals) sink->Push(individual);
  for (const v1::Champion& champion : champions) sink->Push(champion);
  if (HasEnded(experiment.state())) {
    sink->End(absl::OkStatus());
    return absl::OkStatus();
  }
  Watched& watched = watched_[experiment.id()];
  // The others hear of what only this sink has seen with the next change.
  if (watched.sinks.empty()) watched.told = experiment.SerializeAsString();
  watched.sinks.push_back(std::move(sink));
  return absl::OkStatus();
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
  DropGone(sinks);
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
