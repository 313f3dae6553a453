#include "jetson-agent/measurement.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "jetson-agent/measure/protocol.h"
#include "jetson-agent/measure/warm_up.h"
#include "jetson-agent/telemetry/power_meter.h"

namespace squish {
namespace {

constexpr char kAncestor[] = "ancestor";
constexpr char kCandidate[] = "candidate";

// One measurement in progress.
class Session {
 public:
  Session(EngineClient& engine, const v1::MeasurementSpec& protocol, Clock& clock)
      : engine_(engine), protocol_(protocol), clock_(clock), start_(clock.Steady()) {}

  absl::Status Load(const std::string& id, const std::string& path) {
    return engine_.Load({.id = id,
                         .path = path,
                         .batch = protocol_.batch(),
                         .input_size = protocol_.input_size(),
                         .threads = protocol_.threads()});
  }

  // Returns the calls of a block. Ends early when time is up.
  absl::StatusOr<int64_t> RunWarmUp(const std::string& id) {
    WarmUp warm_up(protocol_);
    do {
      SQUISH_ASSIGN_OR_RETURN(const Block block, engine_.Run(id, warm_up.NextCalls()));
      warm_up.Add(block.seconds);
    } while (!warm_up.done() && Elapsed() < protocol_.time_limit_seconds());
    return warm_up.CallsPerBlock();
  }

  absl::StatusOr<AbbaGroup> RunGroup(int64_t ancestor_calls, int64_t candidate_calls,
                                     BoardMonitor& board) {
    AbbaGroup group;
    SQUISH_ASSIGN_OR_RETURN(group.ancestor_first, engine_.Run(kAncestor, ancestor_calls));
    SQUISH_ASSIGN_OR_RETURN(group.candidate_first, engine_.Run(kCandidate, candidate_calls));
    board.Sample();
    SQUISH_ASSIGN_OR_RETURN(group.candidate_second, engine_.Run(kCandidate, candidate_calls));
    SQUISH_ASSIGN_OR_RETURN(group.ancestor_second, engine_.Run(kAncestor, ancestor_calls));
    return group;
  }

  // Of the candidate, into a result that is VALID.
  absl::Status AddProfile(int64_t calls_of_block, v1::MeasureResult& result) {
    constexpr int64_t kLeastCalls = 20;  // For a median that a disturbance does not move.
    const auto layers = engine_.Profile(kCandidate, std::max(kLeastCalls, calls_of_block));
    if (absl::IsUnimplemented(layers.status())) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the experiment wants a profile of layers (measurement.profile, or a resource that is "
          "TIME), and the engine ", engine_.info().engine, " gives none: ",
          layers.status().message()));
    }
    SQUISH_RETURN_IF_ERROR(layers.status());
    for (const LayerMilliseconds& time : *layers) {
      v1::LayerTime& of_layer = *result.add_profile();
      of_layer.set_layer(time.layer);
      of_layer.set_milliseconds(time.milliseconds);
    }
    return absl::OkStatus();
  }

  // Of the candidate, into a result that is VALID; nothing where time is nearly up.
  absl::Status AddEnergy(const Telemetry& rails, v1::MeasureResult& result) {
    const double wanted_seconds = absl::ToDoubleSeconds(PowerMeter::kRun);
    if (Elapsed() + 2 * wanted_seconds > protocol_.time_limit_seconds()) return absl::OkStatus();
    Block total;
    double images_per_second = result.images_per_second();
    PowerMeter meter(rails);
    while (total.seconds < wanted_seconds) {  // One run, but for a network that was disturbed.
      const double calls = std::ceil(images_per_second / protocol_.batch() *
                                     (wanted_seconds - total.seconds));
      SQUISH_ASSIGN_OR_RETURN(
          const Block block,
          engine_.Run(kCandidate, static_cast<int64_t>(
                                      std::clamp<double>(calls, 1, WarmUp::kMaximumCalls))));
      total.images += block.images;
      total.seconds += block.seconds;
      images_per_second = static_cast<double>(total.images) / total.seconds;
      if (!(Elapsed() < protocol_.time_limit_seconds())) break;
    }
    std::optional<v1::BoardEnergy> energy = meter.Stop(images_per_second);
    if (energy.has_value()) *result.mutable_board()->mutable_energy() = *std::move(energy);
    return absl::OkStatus();
  }

  double Elapsed() const { return absl::ToDoubleSeconds(clock_.Steady() - start_); }

  v1::MeasurementSetting Setting() const {
    v1::MeasurementSetting setting;
    setting.set_engine(engine_.info().engine);
    setting.set_precision(engine_.info().precision);
    setting.set_synthetic(engine_.info().synthetic);
    setting.set_batch(protocol_.batch());
    setting.set_threads(protocol_.threads());
    setting.set_input_size(protocol_.input_size());
    setting.set_protocol_version(kProtocolVersion);
    return setting;
  }

 private:
  EngineClient& engine_;
  const v1::MeasurementSpec& protocol_;
  Clock& clock_;
  const absl::Duration start_;
};

v1::MeasureResult Refused(const Session& session, absl::string_view reason) {
  v1::MeasureResult result;
  result.set_verdict(v1::MeasureResult::UNSUPPORTED);
  result.add_reasons(std::string(reason));
  result.set_wall_seconds(session.Elapsed());
  *result.mutable_setting() = session.Setting();
  return result;
}

}  // namespace

absl::StatusOr<v1::MeasureResult> Measure(
    EngineClient& engine, const MeasurementInputs& inputs, Clock& clock,
    const std::function<void(double, std::string)>& progress) {
  SQUISH_RETURN_IF_ERROR(engine.AwaitReady());
  const v1::MeasurementSpec& protocol = inputs.protocol;
  Session session(engine, protocol, clock);
  BoardMonitor board(inputs.board, engine.info().synthetic, clock);  // Before anything is hot.
  const absl::Status loaded = session.Load(kCandidate, inputs.candidate_path);
  if (absl::IsUnimplemented(loaded)) return Refused(session, loaded.message());
  SQUISH_RETURN_IF_ERROR(loaded);
  const absl::Status ancestor_loaded = session.Load(kAncestor, inputs.ancestor_path);
  if (absl::IsUnimplemented(ancestor_loaded)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the engine refuses the ancestor: ", ancestor_loaded.message()));
  }
  SQUISH_RETURN_IF_ERROR(ancestor_loaded);

  v1::MeasureResult result;
  int64_t candidate_calls = 0;
  const auto cooling = [&progress](std::string note) { progress(0, std::move(note)); };
  const auto alive = [&engine] { return !engine.Exited(); };
  const auto time_left = [&] {
    return absl::Seconds(protocol.time_limit_seconds() - session.Elapsed());
  };
  do {
    board.Begin();
    SQUISH_ASSIGN_OR_RETURN(const int64_t ancestor_calls, session.RunWarmUp(kAncestor));
    SQUISH_ASSIGN_OR_RETURN(candidate_calls, session.RunWarmUp(kCandidate));
    std::vector<AbbaGroup> groups;
    while (board.quiet() && WantsMore(protocol, groups, session.Elapsed())) {
      SQUISH_ASSIGN_OR_RETURN(const AbbaGroup group,
                              session.RunGroup(ancestor_calls, candidate_calls, board));
      groups.push_back(group);
      const int wanted = std::max(1, protocol.minimum_blocks());
      progress(std::min(0.99, static_cast<double>(groups.size()) / wanted),
               absl::StrCat(groups.size(), " A B B A groups"));
    }
    result = Summarize(protocol, groups, session.Elapsed());
    board.Judge(result);
  } while (!board.quiet() && board.CoolDown(time_left(), cooling, alive));
  board.Report(result);
  *result.mutable_setting() = session.Setting();
  if (board.rails() != nullptr && result.verdict() == v1::MeasureResult::VALID) {
    SQUISH_RETURN_IF_ERROR(session.AddEnergy(*board.rails(), result));
  }
  if (protocol.profile() && result.verdict() == v1::MeasureResult::VALID) {
    SQUISH_RETURN_IF_ERROR(session.AddProfile(candidate_calls, result));
  }
  SQUISH_RETURN_IF_ERROR(engine.Unload(kAncestor));
  SQUISH_RETURN_IF_ERROR(engine.Unload(kCandidate));
  return result;
}

}  // namespace squish
