#include "coordinator/service/watch_stream.h"

namespace squish {

grpc::ServerWriteReactor<v1::WatchEvent>* WatchStream::Start(Loop& loop, const Caller& caller,
                                                             const v1::WatchRequest& request) {
  const std::shared_ptr<WatchStream> stream(new WatchStream);
  stream->self_ = stream;
  loop.Post([stream, caller, request](Coordinator& coordinator) {
    coordinator.Watch(caller, request, stream);
  });
  return stream.get();
}

void WatchStream::Push(const v1::Experiment& experiment) {
  absl::MutexLock lock(&mutex_);
  experiment_ = experiment;
  WriteNext();
}

void WatchStream::Push(const v1::Individual& individual) {
  absl::MutexLock lock(&mutex_);
  individuals_[{individual.name().generation(), individual.name().index()}] = individual;
  WriteNext();
}

void WatchStream::Push(const v1::Champion& champion) {
  absl::MutexLock lock(&mutex_);
  champions_[champion.index()] = champion;
  WriteNext();
}

void WatchStream::End(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  end_ = status;
  WriteNext();
}

bool WatchStream::gone() const {
  absl::MutexLock lock(&mutex_);
  return finished_;
}

void WatchStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  if (!ok) {
    Finish(absl::CancelledError("the caller has gone"));
  } else {
    WriteNext();
  }
}

void WatchStream::OnCancel() {
  absl::MutexLock lock(&mutex_);
  // A write that is under way ends first; its OnWriteDone finishes the call.
  if (!writing_) Finish(absl::CancelledError("the caller has gone"));
}

void WatchStream::OnDone() { self_.reset(); }

void WatchStream::WriteNext() {
  if (writing_ || finished_) return;
  if (TakeNext()) {
    writing_ = true;
    StartWrite(&event_);
  } else if (end_.has_value()) {
    Finish(*end_);
  }
}

bool WatchStream::TakeNext() {
  event_.Clear();
  const bool others = !individuals_.empty() || !champions_.empty();
  if (experiment_.has_value() && (!started_ || !others)) {
    *event_.mutable_experiment() = *std::move(experiment_);
    experiment_.reset();
    started_ = true;
    return true;
  }
  if (!others) return false;
  if (!individuals_.empty()) {
    *event_.mutable_individual() = std::move(individuals_.begin()->second);
    individuals_.erase(individuals_.begin());
  } else {
    *event_.mutable_champion() = std::move(champions_.begin()->second);
    champions_.erase(champions_.begin());
  }
  return true;
}

void WatchStream::Finish(const absl::Status& status) {
  if (finished_) return;
  finished_ = true;
  grpc::ServerWriteReactor<v1::WatchEvent>::Finish(ToGrpc(status));
}

}  // namespace squish
