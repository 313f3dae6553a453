#include "coordinator/service/fleet.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "spdlog/spdlog.h"

namespace squish {
namespace {

constexpr size_t kMaximumIdBytes = 64;
constexpr size_t kMaximumNameBytes = 256;
constexpr size_t kMaximumTextBytes = 4096;
constexpr int kMaximumSlots = 64;
constexpr int kMaximumItems = 256;

bool IsRunnerId(absl::string_view id) {
  return !id.empty() && id.size() <= kMaximumIdBytes &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '.' || c == '-';
         });
}

absl::Status Bad(absl::string_view what) { return absl::InvalidArgumentError(what); }

absl::Status CheckLength(absl::string_view field, absl::string_view text, size_t maximum) {
  if (text.size() <= maximum) return absl::OkStatus();
  return Bad(absl::StrCat(field, " has ", text.size(), " bytes; at most ", maximum));
}

absl::Status CheckInfo(const v1::RunnerInfo& info) {
  if (info.protocol_version() != kRunnerProtocolVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the runner speaks protocol version ", info.protocol_version(), " and this coordinator ",
        kRunnerProtocolVersion, "; use programs of the same release"));
  }
  if (!IsRunnerId(info.id())) return Bad("runner.id: 1 to 64 of [a-z0-9.-] are needed");
  if (info.kind() != v1::RunnerInfo::WORKER && info.kind() != v1::RunnerInfo::AGENT) {
    return Bad("runner.kind: WORKER or AGENT is needed");
  }
  if (info.slots() < 1 || info.slots() > kMaximumSlots) {
    return Bad(absl::StrCat("runner.slots: 1 to ", kMaximumSlots, " are needed"));
  }
  SQUISH_RETURN_IF_ERROR(CheckLength("runner.version", info.version(), kMaximumNameBytes));
  SQUISH_RETURN_IF_ERROR(CheckLength("runner.host", info.host(), kMaximumNameBytes));
  SQUISH_RETURN_IF_ERROR(CheckLength("runner.device_class", info.device_class(),
                                     kMaximumNameBytes));
  SQUISH_RETURN_IF_ERROR(CheckLength("runner.engine", info.engine(), kMaximumNameBytes));
  if (info.kind() == v1::RunnerInfo::AGENT &&
      (info.device_class().empty() || info.engine().empty())) {
    return Bad("runner.device_class and runner.engine: an agent must name both");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSynchronizeRequest(const v1::SynchronizeRequest& request) {
  SQUISH_RETURN_IF_ERROR(CheckInfo(request.runner()));
  if (request.datasets_size() > kMaximumItems || request.attempts_size() > kMaximumItems ||
      request.results_size() > kMaximumItems) {
    return Bad(absl::StrCat("datasets, attempts, results: at most ", kMaximumItems, " of each"));
  }
  for (const v1::DatasetReport& report : request.datasets()) {
    SQUISH_RETURN_IF_ERROR(CheckLength("datasets.message", report.message(), kMaximumTextBytes));
    SQUISH_RETURN_IF_ERROR(
        CheckLength("datasets.difference", report.difference(), kMaximumTextBytes));
  }
  for (const v1::AttemptProgress& progress : request.attempts()) {
    SQUISH_RETURN_IF_ERROR(CheckLength("attempts.attempt_id", progress.attempt_id(),
                                       kMaximumIdBytes));
    SQUISH_RETURN_IF_ERROR(CheckLength("attempts.note", progress.note(), kMaximumTextBytes));
  }
  for (const v1::AttemptResult& result : request.results()) {
    SQUISH_RETURN_IF_ERROR(CheckLength("results.attempt_id", result.attempt_id(), kMaximumIdBytes));
    if (result.attempt_id().empty()) return Bad("results.attempt_id: it is missing");
  }
  return absl::OkStatus();
}

// Without maps, one program serialises equal messages to equal bytes.
std::string DatasetKey(const v1::DatasetSpec& spec) { return spec.SerializeAsString(); }

const v1::DatasetReport* ConnectedRunner::FindDataset(const v1::DatasetSpec& spec) const {
  const auto found = datasets.find(DatasetKey(spec));
  return found == datasets.end() ? nullptr : &found->second;
}

absl::StatusOr<bool> Fleet::Hear(const v1::SynchronizeRequest& request, absl::Duration now) {
  const v1::RunnerInfo& info = request.runner();
  const auto found = runners_.find(info.id());
  const bool is_new = found == runners_.end();
  if (is_new && runners_.size() >= kMaximumRunners) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are ", kMaximumRunners, " runners already"));
  }
  ConnectedRunner& runner = is_new ? runners_[info.id()] : found->second;
  const bool restarted = !is_new && runner.info.incarnation() != info.incarnation();
  if (restarted && runner.superseded == info.incarnation()) {
    return absl::FailedPreconditionError(
        absl::StrCat("another process was started later with the runner id '", info.id(),
                     "'; give each runner a state folder of its own"));
  }
  if (restarted) {
    runner.superseded = runner.info.incarnation();
    class_speeds_.Forget(info.id());
    runner.times_drifted = 0;
    if (runner.aside.has_value() && runner.aside->drifted) ClearAside(info.id(), runner);
  }
  runner.info = info;
  runner.draining = request.draining();
  runner.heard = now;
  runner.datasets.clear();
  for (const v1::DatasetReport& report : request.datasets()) {
    v1::DatasetReport& kept = runner.datasets[DatasetKey(report.spec())];
    kept.set_difference(report.difference());
    kept.set_state(report.state());
    kept.set_message(report.message());
    if (report.fraction() > 0) kept.set_fraction(std::min(1.0, report.fraction()));  // No NaN.
    *kept.mutable_spec() = report.spec();
    kept.mutable_summary()->set_fingerprint(report.summary().fingerprint());
    kept.mutable_summary()->set_train_images(report.summary().train_images());
  }
  return is_new || restarted;
}

void Fleet::NoteDifference(const std::string& id, const v1::DatasetSpec& spec,
                           const std::string& difference) {
  runners_.at(id).datasets.at(DatasetKey(spec)).set_difference(difference);
}

void Fleet::NoteDone(const std::string& id) {
  const auto found = runners_.find(id);
  if (found == runners_.end()) return;
  ConnectedRunner& runner = found->second;
  runner.streak = {};
  if (runner.aside.has_value() && !runner.aside->drifted) ClearAside(id, runner);
}

void Fleet::NoteFailed(const std::string& id, const std::string& error, absl::Duration now) {
  const auto found = runners_.find(id);
  if (found == runners_.end()) return;
  FailureStreak& streak = found->second.streak;
  ++streak.failures;
  if (limits_.failures == 0 || found->second.aside.has_value()) return;
  // One chance after each time aside.
  if (streak.times_aside == 0 && streak.failures < limits_.failures) return;
  SetAside(id, found->second, streak.times_aside++, /*drifted=*/false,
           absl::StrCat("failed ", streak.failures, " jobs in a row; the last: ", error), now);
}

void Fleet::NoteAncestorSpeed(const std::string& id, const std::string& kind,
                              double images_per_second, absl::Duration now) {
  const auto found = runners_.find(id);
  if (found == runners_.end() || limits_.drift == 0) return;
  const std::optional<ClassSpeeds::Standing> standing =
      class_speeds_.Note(kind, id, images_per_second);
  if (!standing.has_value() ||
      std::abs(std::log(standing->own / standing->of_class)) <= std::log1p(limits_.drift)) {
    return;
  }
  class_speeds_.Forget(id);
  ConnectedRunner& runner = found->second;
  if (runner.aside.has_value()) return;
  SetAside(id, runner, runner.times_drifted++, /*drifted=*/true,
           absl::StrFormat("measures its ancestor at %.4g images/s, the %d boards of its class at "
                           "%.4g; that is more than %.3g %% apart",
                           standing->own, standing->boards, standing->of_class,
                           100 * limits_.drift),
           now);
}

void Fleet::SetAside(const std::string& id, ConnectedRunner& runner, int times_before,
                     bool drifted, std::string why, absl::Duration now) {
  absl::Duration term = kFirstAside;
  for (int i = 0; i < times_before && term < kLongestAside; ++i) term *= 2;
  term = std::min(term, kLongestAside);
  spdlog::warn("runner {} is set aside for {}: it {}", id, absl::FormatDuration(term),
               absl::Utf8SafeCEscape(why));
  runner.aside = Aside{now + term, drifted, std::move(why)};
  aside_.insert({runner.aside->until, id});
}

void Fleet::ClearAside(const std::string& id, ConnectedRunner& runner) {
  aside_.erase({runner.aside->until, id});
  runner.aside.reset();
}

absl::Duration Fleet::NextChance() const {
  return aside_.empty() ? absl::InfiniteDuration() : aside_.begin()->first;
}

bool Fleet::Tend(absl::Duration now, absl::Duration silence) {
  bool changed = false;
  while (!aside_.empty() && aside_.begin()->first <= now) {
    const auto& [until, id] = *aside_.begin();
    const auto found = runners_.find(id);
    // One that was forgotten meanwhile and came back may be set aside anew.
    if (found != runners_.end() && found->second.aside.has_value() &&
        found->second.aside->until == until) {
      found->second.aside.reset();
    }
    aside_.erase(aside_.begin());
    changed = true;
  }
  if (now - all_heard_since_ <= silence) return changed;
  const size_t before = runners_.size();
  all_heard_since_ = now;
  for (auto it = runners_.begin(); it != runners_.end();) {
    if (now - it->second.heard > silence) {
      class_speeds_.Forget(it->first);
      it = runners_.erase(it);
    } else {
      all_heard_since_ = std::min(all_heard_since_, it->second.heard);
      ++it;
    }
  }
  return changed || runners_.size() < before;
}

void Fleet::ExcuseAll(absl::Duration now) {
  for (auto& [id, runner] : runners_) runner.heard = now;
}

const ConnectedRunner* Fleet::Find(const std::string& id) const {
  const auto found = runners_.find(id);
  return found == runners_.end() ? nullptr : &found->second;
}

}  // namespace squish
