#include "worker/daemon/dataset_shelf.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/base/text.h"
#include "worker/daemon/attempt_hook.h"
#include "worker/daemon/child_events.h"

namespace squish {
namespace {

constexpr absl::string_view kWho = "the decoder";
constexpr size_t kMaximumTextBytes = 4096;  // Of a DatasetReport.

// Whether the summary can be one: it is what every trainer and the experiment rely on.
absl::Status CheckDone(const v1::DecoderEvent::Done& done) {
  const v1::DatasetSummary& summary = done.summary();
  if (!IsSha256Hex(summary.fingerprint())) return Babbled(kWho, "a fingerprint that is none");
  if (summary.class_names().empty()) return Babbled(kWho, "a data set without classes");
  if (::access(done.cache_path().c_str(), R_OK) != 0) {
    return Babbled(kWho, absl::StrCat("the cache ", done.cache_path(), ", which is not there"));
  }
  return absl::OkStatus();
}

}  // namespace

DatasetShelf::DatasetShelf(DatasetOptions options, Clock& clock)
    : options_(std::move(options)), clock_(clock), thread_([this] { Work(); }) {}

DatasetShelf::~DatasetShelf() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    if (decoder_ != nullptr) decoder_->Kill();
  }
  thread_.join();
}

std::vector<v1::DatasetReport> DatasetShelf::Report(
    const std::vector<v1::DatasetSpec>& wanted, const std::vector<std::string>& fingerprints) {
  absl::MutexLock lock(&mutex_);
  ForgetAllBut(wanted);
  std::vector<v1::DatasetReport> reports;
  for (size_t i = 0; i < wanted.size(); ++i) {
    Entry& entry = entries_[wanted[i].SerializeAsString()];
    const bool to_be_pinned = i >= fingerprints.size() || fingerprints[i].empty();
    if (!to_be_pinned) {
      entry.expected = fingerprints[i];
    } else if (!entry.to_be_pinned) {
      entry.expected.clear();
      entry.outdated = entry.in_work || entry.report.state() == v1::DatasetReport::READY;
    }
    entry.to_be_pinned = to_be_pinned;
    reports.push_back(Look(wanted[i]).report);
  }
  return reports;
}

void DatasetShelf::ForgetAllBut(const std::vector<v1::DatasetSpec>& wanted) {
  std::set<std::string> keys;
  for (const v1::DatasetSpec& spec : wanted) keys.insert(spec.SerializeAsString());
  for (auto it = entries_.begin(); it != entries_.end();) {
    const bool is_wanted = keys.count(it->first) > 0;
    Entry& entry = it->second;
    entry.to_be_pinned = is_wanted && entry.to_be_pinned;
    const bool forget = !is_wanted && !entry.in_work && entry.awaited_by == 0 &&
                        entry.report.state() == v1::DatasetReport::READY;
    it = forget ? entries_.erase(it) : std::next(it);
  }
}

void DatasetShelf::OnChanged(std::function<void()> changed) {
  absl::MutexLock lock(&changed_mutex_);
  changed_ = std::move(changed);
}

DatasetShelf::Entry& DatasetShelf::Look(const v1::DatasetSpec& spec) {
  const std::string key = spec.SerializeAsString();
  Entry& entry = entries_[key];
  const bool is_new = entry.report.state() == v1::DatasetReport::STATE_UNSPECIFIED;
  if (is_new) {
    *entry.report.mutable_spec() = spec;
    if (!spec.has_built_in() && options_.sources.count(spec.name()) == 0) {
      entry.report.set_state(v1::DatasetReport::UNAVAILABLE);
      entry.report.set_message(
          absl::StrCat("no --data NAME=DIR was given for '", spec.name(), "'"));
      return entry;
    }
  }
  const bool gone = entry.report.state() == v1::DatasetReport::READY &&
                    ::access(entry.cache_path.c_str(), R_OK) != 0;
  if (is_new || gone || entry.outdated) {
    entry.report.set_state(v1::DatasetReport::PREPARING);
    entry.report.clear_summary();
    entry.report.clear_difference();
    entry.report.clear_fraction();
  }
  const bool unexplained = entry.report.state() == v1::DatasetReport::READY &&
                           entry.expected != entry.asked &&
                           entry.expected != entry.report.summary().fingerprint();
  if (!entry.in_work && (is_new || gone || entry.outdated || unexplained ||
                         clock_.Steady() >= entry.retry_at)) {
    entry.in_work = true;
    entry.outdated = false;
    queue_.push_back(key);
  }
  return entry;
}

absl::StatusOr<v1::DecoderEvent::Done> DatasetShelf::Await(const v1::DatasetSpec& spec,
                                                           Attempt& attempt) {
  bool cancelled = false;  // Guarded by mutex_: what Await waits for lies under it.
  const CancelHook hook(attempt, [this, &cancelled] {
    absl::MutexLock lock(&mutex_);
    cancelled = true;
  });
  absl::MutexLock lock(&mutex_);
  Entry& entry = Look(spec);
  ++entry.awaited_by;  // It is not forgotten meanwhile.
  const auto settled = [&] {
    return cancelled || entry.report.state() != v1::DatasetReport::PREPARING;
  };
  mutex_.Await(absl::Condition(&settled));
  --entry.awaited_by;
  if (cancelled) return absl::CancelledError("the attempt was cancelled");
  if (entry.report.state() != v1::DatasetReport::READY) {
    return absl::UnavailableError(entry.report.message());
  }
  v1::DecoderEvent::Done done;
  *done.mutable_summary() = entry.report.summary();
  done.set_cache_path(entry.cache_path);
  return done;
}

void DatasetShelf::Work() {
  while (true) {
    std::string key, expected;
    v1::DatasetSpec spec;
    {
      absl::MutexLock lock(&mutex_);
      const auto something_to_do = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopping_ || !queue_.empty();
      };
      mutex_.Await(absl::Condition(&something_to_do));
      if (stopping_) return;
      key = std::move(queue_.front());
      queue_.pop_front();
      Entry& entry = entries_.at(key);
      spec = entry.report.spec();
      expected = entry.asked = entry.expected;
    }
    const auto progress = [&](double fraction) {
      absl::MutexLock lock(&mutex_);
      entries_.at(key).report.set_fraction(std::clamp(fraction, 0.0, 1.0));
    };
    Settle(key, Prepare(spec, expected, progress));
    absl::MutexLock lock(&changed_mutex_);
    if (changed_) changed_();
  }
}

absl::StatusOr<v1::DecoderEvent::Done> DatasetShelf::Prepare(
    const v1::DatasetSpec& spec, const std::string& expected,
    absl::FunctionRef<void(double)> progress) {
  SQUISH_ASSIGN_OR_RETURN(
      const std::unique_ptr<Child> decoder,
      Child::Spawn(OurChild(options_.decoder_command, /*threads=*/1, options_.stderr_path)));
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return absl::CancelledError("the worker is stopping");
    decoder_ = decoder.get();
  }
  auto outcome = Converse(*decoder, spec, expected, progress);
  absl::MutexLock lock(&mutex_);
  decoder_ = nullptr;
  return outcome;
}

absl::StatusOr<v1::DecoderEvent::Done> DatasetShelf::Converse(
    Child& decoder, const v1::DatasetSpec& spec, const std::string& expected,
    absl::FunctionRef<void(double)> progress) {
  v1::DecoderEvent event;
  SQUISH_RETURN_IF_ERROR(ReadEvent(decoder, kWho, options_.silence_limit, event));
  if (!event.has_ready()) return Babbled(kWho, "its first line is not `ready`");
  v1::DecoderRequest request;
  *request.mutable_dataset() = spec;
  const auto source = options_.sources.find(spec.name());
  if (!spec.has_built_in()) request.set_source_dir(source->second);
  request.set_cache_dir(options_.cache_folder);
  request.set_expected_fingerprint(expected);
  SQUISH_RETURN_IF_ERROR(WriteRequest(decoder, kWho, request));
  SQUISH_RETURN_IF_ERROR(ReadEvent(decoder, kWho, options_.silence_limit, event));
  while (event.has_progress()) {
    progress(event.progress().fraction());
    SQUISH_RETURN_IF_ERROR(ReadEvent(decoder, kWho, options_.silence_limit, event));
  }
  if (event.has_failed()) return absl::UnavailableError(event.failed().message());
  if (!event.has_done()) return Babbled(kWho, "neither `progress`, `done` nor `failed`");
  SQUISH_RETURN_IF_ERROR(CheckDone(event.done()));
  return std::move(*event.mutable_done());
}

void DatasetShelf::Settle(const std::string& key, absl::StatusOr<v1::DecoderEvent::Done> outcome) {
  absl::MutexLock lock(&mutex_);
  Entry& entry = entries_.at(key);
  entry.in_work = entry.outdated;
  if (entry.outdated) {  // It became so while the decoder looked.
    entry.outdated = false;
    queue_.push_back(key);
    return;
  }
  entry.report.clear_fraction();
  const std::string& name = entry.report.spec().name();
  if (outcome.ok()) {
    entry.report.set_state(v1::DatasetReport::READY);
    entry.report.clear_message();
    entry.report.set_difference(
        std::string(Utf8Prefix(outcome->difference(), kMaximumTextBytes)));
    *entry.report.mutable_summary() = std::move(*outcome->mutable_summary());
    entry.cache_path = outcome->cache_path();
    entry.retry_at = absl::InfiniteDuration();
    spdlog::info("data set '{}' is ready: {}", name, entry.report.summary().fingerprint());
    return;
  }
  entry.report.set_state(v1::DatasetReport::UNAVAILABLE);
  entry.report.set_message(std::string(Utf8Prefix(outcome.status().message(), kMaximumTextBytes)));
  entry.retry_at = clock_.Steady() + options_.retry_after;
  spdlog::warn("data set '{}' is unavailable: {}", name, entry.report.message());
}

}  // namespace squish
