#include "jetson-agent/engine/client.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

// A block's clock and ours need not tick alike (a device's timer, emulation).
constexpr double kClockTolerance = 1.05;
constexpr double kClockSlackSeconds = 0.001;

absl::Status Babble(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("the engine broke its contract: ", what));
}

// The answer as T; anything else is an error.
template <typename T>
absl::StatusOr<T> Expect(EngineReply reply) {
  if (auto* wanted = std::get_if<T>(&reply)) return std::move(*wanted);
  if (const auto* error = std::get_if<EngineError>(&reply)) {
    return absl::InternalError(error->message);
  }
  return Babble(absl::StrCat("unexpected answer ", ToLine(reply)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<EngineClient>> EngineClient::Spawn(const EngineOptions& options,
                                                                  Clock& clock) {
  SQUISH_ASSIGN_OR_RETURN(std::unique_ptr<Child> child, Child::Spawn(options.child));
  return std::unique_ptr<EngineClient>(
      new EngineClient(std::move(child), options.silence_limit, clock));
}

absl::Status EngineClient::AwaitReady() {
  if (ready_) return absl::OkStatus();
  SQUISH_ASSIGN_OR_RETURN(EngineReply reply, ReadReply(silence_limit_));
  SQUISH_ASSIGN_OR_RETURN(info_, Expect<EngineReady>(std::move(reply)));
  ready_ = true;
  return absl::OkStatus();
}

absl::Status EngineClient::Load(const LoadRequest& request) {
  SQUISH_ASSIGN_OR_RETURN(EngineReply reply, Ask(request, absl::Seconds(info_.load_seconds)));
  if (const auto* unsupported = std::get_if<Unsupported>(&reply)) {
    return absl::UnimplementedError(unsupported->message);
  }
  SQUISH_ASSIGN_OR_RETURN(Loaded loaded, Expect<Loaded>(std::move(reply)));
  if (loaded.id != request.id) return Babble(absl::StrCat("it loaded \"", loaded.id, "\""));
  networks_[request.id] = {request.batch, std::move(loaded.engine_sha256)};
  return absl::OkStatus();
}

absl::StatusOr<Block> EngineClient::Run(const std::string& id, int64_t calls) {
  const absl::Duration start = clock_.Steady();
  SQUISH_ASSIGN_OR_RETURN(EngineReply reply, Ask(RunRequest{id, calls}));
  const double passed = absl::ToDoubleSeconds(clock_.Steady() - start);
  SQUISH_ASSIGN_OR_RETURN(BlockReply block, Expect<BlockReply>(std::move(reply)));
  if (block.id != id) return Babble(absl::StrCat("it ran \"", block.id, "\""));
  const int64_t images = calls * networks_[id].batch;
  if (block.images != images) {
    return Babble(absl::StrFormat("it was asked for %d images and says that it ran %d", images,
                                  block.images));
  }
  if (!info_.synthetic && block.seconds > passed * kClockTolerance + kClockSlackSeconds) {
    return Babble(absl::StrFormat("it says that a block took %.3g s, but only %.3g s passed",
                                  block.seconds, passed));
  }
  if (static_cast<int64_t>(block.latencies.size()) > calls) {
    return Babble(absl::StrFormat("it says how long %d calls took, and made %d",
                                  block.latencies.size(), calls));
  }
  for (const double latency : block.latencies) {
    if (latency > block.seconds * kClockTolerance + kClockSlackSeconds) {
      return Babble(absl::StrFormat("it says that a call took %.3g s in a block of %.3g s", latency,
                                    block.seconds));
    }
  }
  return Block{block.images, block.seconds, std::move(block.latencies)};
}

absl::StatusOr<std::vector<std::vector<double>>> EngineClient::Outputs(const std::string& id) {
  SQUISH_ASSIGN_OR_RETURN(EngineReply reply, Ask(OutputsRequest{id}));
  if (const auto* unsupported = std::get_if<Unsupported>(&reply)) {
    return absl::UnimplementedError(unsupported->message);
  }
  SQUISH_ASSIGN_OR_RETURN(OutputsReply outputs, Expect<OutputsReply>(std::move(reply)));
  if (outputs.id != id) return Babble(absl::StrCat("it gave outputs of \"", outputs.id, "\""));
  return std::move(outputs.values);
}

absl::StatusOr<std::vector<LayerMilliseconds>> EngineClient::Profile(const std::string& id,
                                                                     int64_t calls) {
  SQUISH_ASSIGN_OR_RETURN(EngineReply reply, Ask(ProfileRequest{id, calls}));
  if (const auto* unsupported = std::get_if<Unsupported>(&reply)) {
    return absl::UnimplementedError(unsupported->message);
  }
  SQUISH_ASSIGN_OR_RETURN(Profiled profiled, Expect<Profiled>(std::move(reply)));
  if (profiled.id != id) return Babble(absl::StrCat("it profiled \"", profiled.id, "\""));
  return std::move(profiled.layers);
}

absl::Status EngineClient::Unload(const std::string& id) {
  SQUISH_ASSIGN_OR_RETURN(EngineReply reply, Ask(UnloadRequest{id}));
  SQUISH_ASSIGN_OR_RETURN(const Unloaded unloaded, Expect<Unloaded>(std::move(reply)));
  if (unloaded.id != id) return Babble(absl::StrCat("it unloaded \"", unloaded.id, "\""));
  networks_.erase(id);
  return absl::OkStatus();
}

absl::StatusOr<EngineReply> EngineClient::Ask(const EngineRequest& request,
                                              absl::Duration additional) {
  SQUISH_RETURN_IF_ERROR(child_->WriteLine(ToLine(request), silence_limit_));
  return ReadReply(silence_limit_ + additional);
}

absl::StatusOr<EngineReply> EngineClient::ReadReply(absl::Duration silence_limit) {
  absl::StatusOr<std::string> line = child_->ReadLine(silence_limit);
  if (absl::IsResourceExhausted(line.status())) return Babble(line.status().message());
  if (!line.ok()) return line.status();
  absl::StatusOr<EngineReply> reply = ParseReply(*line);
  if (!reply.ok()) {
    return Babble(absl::StrCat(reply.status().message(), "; it said: ",
                               absl::CHexEscape(line->substr(0, 200))));
  }
  return reply;
}

}  // namespace squish
