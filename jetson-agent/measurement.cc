#include "jetson-agent/measurement.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/base/text.h"
#include "jetson-agent/measure/latency.h"
#include "jetson-agent/measure/output_check.h"
#include "jetson-agent/measure/protocol.h"
#include "jetson-agent/measure/warm_up.h"
#include "jetson-agent/telemetry/power_meter.h"

namespace squish {
namespace {

constexpr char kAncestor[] = "ancestor";
constexpr char kCandidate[] = "candidate";

// By which the engine knows a build of a network: "candidate", "candidate.2", …
std::string IdOf(const char* network, int build) {
  return build == 0 ? std::string(network) : absl::StrCat(network, ".", build + 1);
}

// Calls of a block, by build.
struct BlockCalls {
  std::vector<int64_t> ancestor, candidate;
};

// One measurement in progress.
class Session {
 public:
  Session(EngineClient& engine, const MeasurementInputs& inputs, Clock& clock)
      : engine_(engine),
        inputs_(inputs),
        protocol_(inputs.protocol),
        clock_(clock),
        start_(clock.Steady()),
        traits_{engine.info().restarts_per_block,
                engine.info().builds ? std::max(1, inputs.engine_builds) : 1} {}

  const EngineTraits& traits() const { return traits_; }

  // Empty: the engine has what it reads networks from.
  std::string MissingFile() const {
    if (engine_.info().format != NetworkFormat::kOnnx) return "";
    const bool of_candidate = inputs_.candidate_onnx.empty();
    if (!of_candidate && !inputs_.ancestor_onnx.empty()) return "";
    return absl::StrCat("the engine ", engine_.info().engine, " reads ONNX, and the job has no ",
                        "ONNX file of the ", of_candidate ? kCandidate : kAncestor,
                        " for a batch of ", protocol_.batch());
  }

  // All builds of it.
  absl::Status Load(const char* network) {
    const bool is_candidate = network == kCandidate;
    for (int build = 0; build < traits_.builds; ++build) {
      SQUISH_RETURN_IF_ERROR(engine_.Load(
          {.id = IdOf(network, build),
           .path = is_candidate ? inputs_.candidate_path : inputs_.ancestor_path,
           .batch = protocol_.batch(),
           .input_size = protocol_.input_size(),
           .threads = protocol_.threads(),
           .onnx = is_candidate ? inputs_.candidate_onnx : inputs_.ancestor_onnx,
           .probe = inputs_.probe,
           .build = build + 1}));
    }
    return absl::OkStatus();
  }

  absl::Status Unload() {
    for (int build = 0; build < traits_.builds; ++build) {
      SQUISH_RETURN_IF_ERROR(engine_.Unload(IdOf(kAncestor, build)));
      SQUISH_RETURN_IF_ERROR(engine_.Unload(IdOf(kCandidate, build)));
    }
    return absl::OkStatus();
  }

  // Of all builds of both networks.
  absl::StatusOr<v1::OutputCheck> CheckAllOutputs() {
    if (!engine_.info().outputs) {
      return OutputsNotChecked(absl::StrCat("the engine ", engine_.info().engine, " gives none"));
    }
    if (inputs_.probe.empty()) return OutputsNotChecked("the job has no probe");
    std::vector<v1::OutputCheck> checks;
    for (int build = 0; build < traits_.builds; ++build) {
      SQUISH_ASSIGN_OR_RETURN(checks.emplace_back(),
                              Compare(IdOf(kCandidate, build), inputs_.candidate_outputs));
      SQUISH_ASSIGN_OR_RETURN(checks.emplace_back(),
                              Compare(IdOf(kAncestor, build), inputs_.ancestor_outputs));
    }
    v1::OutputCheck all = checks.front();
    for (const v1::OutputCheck& check : checks) all = Worse(all, check);
    return all;
  }

  // From here on time counts: a build of an engine may take longer than its measurement.
  void StartCounting() { loaded_seconds_ = WallSeconds(); }

  // What comes before groups, and forgets what was measured before it. Ends early when time is
  // up.
  absl::StatusOr<BlockCalls> RunWarmUps() {
    latencies_ = LatencySample();
    BlockCalls calls;
    for (int build = 0; build < traits_.builds; ++build) {
      SQUISH_ASSIGN_OR_RETURN(calls.ancestor.emplace_back(), RunWarmUp(IdOf(kAncestor, build)));
      SQUISH_ASSIGN_OR_RETURN(calls.candidate.emplace_back(), RunWarmUp(IdOf(kCandidate, build)));
    }
    return calls;
  }

  // The board is looked at in the middle.
  absl::StatusOr<AbbaGroup> RunGroup(int build, const BlockCalls& calls, BoardMonitor& board) {
    const auto run_ancestor = [&] { return Run(IdOf(kAncestor, build), calls.ancestor[build]); };
    const auto run_candidate = [&] {
      return Run(IdOf(kCandidate, build), calls.candidate[build], &latencies_);
    };
    AbbaGroup group;
    group.build = build;
    SQUISH_ASSIGN_OR_RETURN(group.ancestor_first, run_ancestor());
    SQUISH_ASSIGN_OR_RETURN(group.candidate_first, run_candidate());
    board.Sample();
    SQUISH_ASSIGN_OR_RETURN(group.candidate_second, run_candidate());
    SQUISH_ASSIGN_OR_RETURN(group.ancestor_second, run_ancestor());
    return group;
  }

  // All that is measured beside the speeds, into a result.
  void Describe(v1::MeasureResult& result) {
    *result.mutable_setting() = Setting();
    result.set_wall_seconds(WallSeconds());
    result.set_restart_seconds(restart_seconds_);
    if (protocol_.batch() == 1 && !latencies_.empty()) {
      *result.mutable_latency() = latencies_.Quantiles();
    }
    if (!engine_.info().builds) return;
    if (result.builds().empty()) result.add_builds()->set_ratio(result.ratio());
    for (int build = 0; build < result.builds_size(); ++build) {
      result.mutable_builds(build)->set_engine_sha256(
          engine_.EngineSha256(IdOf(kCandidate, build)));
    }
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

  // What counts against the time limit.
  double Elapsed() const {
    return CountedSeconds(WallSeconds() - loaded_seconds_, restart_seconds_);
  }

  double WallSeconds() const { return absl::ToDoubleSeconds(clock_.Steady() - start_); }

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
  absl::StatusOr<v1::OutputCheck> Compare(const std::string& id, const Logits& reference) {
    if (reference.empty()) {
      return OutputsNotChecked(absl::StrCat("the job has no outputs of the ", id));
    }
    const absl::StatusOr<Logits> outputs = engine_.Outputs(id);
    if (absl::IsUnimplemented(outputs.status())) {
      return OutputsNotChecked(std::string(Utf8Prefix(outputs.status().message(), kNoteBytes)));
    }
    SQUISH_RETURN_IF_ERROR(outputs.status());
    return CheckOutputs(engine_.info().precision, *outputs, reference);
  }

  // Single latencies go into the sample alone: groups are kept, and there may be many.
  absl::StatusOr<Block> Run(const std::string& id, int64_t calls,
                            LatencySample* sample = nullptr) {
    const double before = WallSeconds();
    SQUISH_ASSIGN_OR_RETURN(Block block, engine_.Run(id, calls));
    if (traits_.restarts_per_block) {
      restart_seconds_ += std::max(0.0, WallSeconds() - before - block.seconds);
    }
    const std::vector<double> latencies = std::move(block.latencies);
    if (sample != nullptr) sample->Add(latencies);
    return block;
  }

  // Returns the calls of a block.
  absl::StatusOr<int64_t> RunWarmUp(const std::string& id) {
    WarmUp warm_up(protocol_, traits_.restarts_per_block);
    do {
      SQUISH_ASSIGN_OR_RETURN(const Block block, Run(id, warm_up.NextCalls()));
      warm_up.Add(block.seconds);
    } while (!warm_up.done() && Elapsed() < protocol_.time_limit_seconds());
    return warm_up.CallsPerBlock();
  }

  static constexpr size_t kNoteBytes = 512;  // Of OutputCheck.note.

  EngineClient& engine_;
  const MeasurementInputs& inputs_;
  const v1::MeasurementSpec& protocol_;
  Clock& clock_;
  const absl::Duration start_;
  const EngineTraits traits_;
  double loaded_seconds_ = 0;  // Spent before the warm-up.
  double restart_seconds_ = 0;
  LatencySample latencies_;
};

v1::MeasureResult Refused(const Session& session, absl::string_view reason) {
  v1::MeasureResult result;
  result.set_verdict(v1::MeasureResult::UNSUPPORTED);
  result.add_reasons(std::string(reason));
  result.set_wall_seconds(session.WallSeconds());
  *result.mutable_setting() = session.Setting();
  return result;
}

// Of what is wrong with the engine, or with what it was given, before anything is measured.
v1::MeasureResult NotMeasured(const Session& session, std::string rule, v1::OutputCheck check) {
  v1::MeasureResult result;
  result.set_verdict(v1::MeasureResult::INVALID);
  result.add_reasons(std::move(rule));
  result.set_wall_seconds(session.WallSeconds());
  *result.mutable_setting() = session.Setting();
  *result.mutable_output_check() = std::move(check);
  return result;
}

}  // namespace

absl::StatusOr<v1::MeasureResult> Measure(
    EngineClient& engine, const MeasurementInputs& inputs, Clock& clock,
    const std::function<void(double, std::string)>& progress) {
  SQUISH_RETURN_IF_ERROR(engine.AwaitReady());
  const v1::MeasurementSpec& protocol = inputs.protocol;
  Session session(engine, inputs, clock);
  BoardMonitor board(inputs.board, engine.info().synthetic, clock);  // Before anything is hot.
  if (std::string missing = session.MissingFile(); !missing.empty()) {
    return NotMeasured(session, missing, OutputsNotChecked(missing));
  }
  const absl::Status loaded = session.Load(kCandidate);
  if (absl::IsUnimplemented(loaded)) return Refused(session, loaded.message());
  SQUISH_RETURN_IF_ERROR(loaded);
  const absl::Status ancestor_loaded = session.Load(kAncestor);
  if (absl::IsUnimplemented(ancestor_loaded)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the engine refuses the ancestor: ", ancestor_loaded.message()));
  }
  SQUISH_RETURN_IF_ERROR(ancestor_loaded);

  SQUISH_ASSIGN_OR_RETURN(const v1::OutputCheck outputs, session.CheckAllOutputs());
  if (outputs.outcome() == v1::OutputCheck::DIFFERS) {
    SQUISH_RETURN_IF_ERROR(session.Unload());
    return NotMeasured(session, BrokenOutputRule(outputs), outputs);
  }
  session.StartCounting();
  const auto cooling = [&progress](std::string note) { progress(0, std::move(note)); };
  const auto alive = [&engine] { return !engine.Exited(); };
  const auto time_left = [&] {
    return absl::Seconds(protocol.time_limit_seconds() - session.Elapsed());
  };
  v1::MeasureResult result;
  BlockCalls calls;
  do {
    board.Begin();
    SQUISH_ASSIGN_OR_RETURN(calls, session.RunWarmUps());
    std::vector<AbbaGroup> groups;
    while (board.quiet() && WantsMore(protocol, groups, session.Elapsed(), session.traits())) {
      const int build = BuildOfGroup(static_cast<int>(groups.size()), session.traits());
      SQUISH_ASSIGN_OR_RETURN(AbbaGroup group, session.RunGroup(build, calls, board));
      groups.push_back(std::move(group));
      const int wanted = std::max(1, protocol.minimum_blocks() * session.traits().builds);
      progress(std::min(0.99, static_cast<double>(groups.size()) / wanted),
               absl::StrCat(groups.size(), " A B B A groups"));
    }
    result = Summarize(protocol, groups, session.Elapsed(), session.traits());
    board.Judge(result);
  } while (!board.quiet() && board.CoolDown(time_left(), cooling, alive));
  board.Report(result);
  session.Describe(result);
  *result.mutable_output_check() = outputs;
  if (board.rails() != nullptr && result.verdict() == v1::MeasureResult::VALID) {
    SQUISH_RETURN_IF_ERROR(session.AddEnergy(*board.rails(), result));
  }
  if (protocol.profile() && result.verdict() == v1::MeasureResult::VALID) {
    SQUISH_RETURN_IF_ERROR(session.AddProfile(calls.candidate.front(), result));
  }
  SQUISH_RETURN_IF_ERROR(session.Unload());
  return result;
}

}  // namespace squish
