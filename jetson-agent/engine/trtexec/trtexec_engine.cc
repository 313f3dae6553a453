#include "jetson-agent/engine/trtexec/trtexec_engine.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/child/child.h"
#include "jetson-agent/engine/pictures.h"

namespace squish {
namespace {

namespace fs = std::filesystem;

constexpr int kChannels = 3;
constexpr int64_t kMaximumFileBytes = int64_t{1} << 30;
// Before the calls that are asked for: the device's clocks rise, and it says so little of
// itself that only time helps. As trtexec's own default.
constexpr int kWarmUpMilliseconds = 200;
constexpr absl::Duration kHelpLimit = absl::Minutes(1);
constexpr absl::Duration kLongestLimit = absl::Hours(1);
constexpr char kEngineSuffix[] = ".engine";

std::string Option(absl::string_view name, absl::string_view value) {
  return absl::StrCat("--", name, "=", value);
}

// Not durably: nobody wants them after a power cut.
absl::Status WritePictures(const std::vector<float>& values, const std::string& path) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(float)));
  file.close();
  if (file) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("cannot write ", path, ": is the disk full?"));
}

void Remove(const std::string& path) {
  std::error_code ignored;
  fs::remove(path, ignored);
}

// Leaves the most recently used engine files.
void ForgetOldEngines(const std::string& folder) {
  std::vector<std::pair<fs::file_time_type, fs::path>> engines;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() != kEngineSuffix) continue;
    engines.emplace_back(entry.last_write_time(ignored), entry.path());
  }
  std::sort(engines.rbegin(), engines.rend());
  for (size_t i = TrtexecEngine::kKeptEngines; i < engines.size(); ++i) {
    fs::remove(engines[i].second, ignored);
  }
}

class TrtexecNetwork : public LoadedNetwork {
 public:
  TrtexecNetwork(const TrtexecEngine& engine, std::string path, const LoadRequest& request,
                 Pictures pictures)
      : engine_(engine),
        path_(std::move(path)),
        batch_(request.batch),
        has_probe_(!request.probe.empty()),
        pictures_(std::move(pictures)),
        input_path_(engine.ScratchPath(absl::StrCat("pictures-", Sha256Hex(request.id)))) {}
  ~TrtexecNetwork() override { Remove(input_path_); }

  absl::Status Prepare() {
    SQUISH_RETURN_IF_ERROR(WritePictures(BatchOf(pictures_, 0, batch_), input_path_));
    SQUISH_ASSIGN_OR_RETURN(const std::string file, ReadFile(path_, kMaximumFileBytes));
    sha256_ = Sha256Hex(file);
    return absl::OkStatus();
  }

  // Whether the engine file is one that this TensorRT runs on this device.
  absl::Status Try() const { return Call("load the engine", input_path_, {}); }

  std::string EngineSha256() const override { return sha256_; }

  absl::StatusOr<RunTiming> Run(int64_t calls) override {
    const std::string times = engine_.ScratchPath("times.json");
    Remove(times);
    std::vector<std::string> arguments = Loaded(input_path_);
    arguments.insert(arguments.end(), {Option("iterations", absl::StrCat(calls)), "--duration=0",
                                       Option("warmUp", absl::StrCat(kWarmUpMilliseconds)),
                                       Option("exportTimes", times)});
    // Else the next call's input is copied while this one computes.
    if (engine_.Has("--exposeDMA")) arguments.push_back("--exposeDMA");
    SQUISH_RETURN_IF_ERROR(
        engine_.Invoke("run", std::move(arguments), engine_.options().run_limit));
    SQUISH_ASSIGN_OR_RETURN(const std::string file, ReadFile(times, kMaximumFileBytes));
    return ParseTrtexecTimes(file, calls);
  }

  absl::StatusOr<std::vector<std::vector<double>>> Outputs() override {
    if (!has_probe_) return absl::UnimplementedError("there are no pictures to give outputs for");
    const std::string input = engine_.ScratchPath("probe");
    const std::string output = engine_.ScratchPath("output.json");
    std::vector<std::vector<double>> all;
    for (int first = 0; first < pictures_.count; first += batch_) {
      Remove(output);
      SQUISH_RETURN_IF_ERROR(WritePictures(BatchOf(pictures_, first, batch_), input));
      SQUISH_RETURN_IF_ERROR(Call("give outputs", input, {Option("exportOutput", output)}));
      SQUISH_ASSIGN_OR_RETURN(const std::string file, ReadFile(output, kMaximumFileBytes));
      SQUISH_ASSIGN_OR_RETURN(std::vector<std::vector<double>> rows,
                              ParseTrtexecOutput(file, batch_));
      rows.resize(std::min(batch_, pictures_.count - first));
      all.insert(all.end(), rows.begin(), rows.end());
    }
    return all;
  }

 private:
  std::vector<std::string> Loaded(const std::string& input) const {
    std::vector<std::string> arguments = {Option("loadEngine", path_),
                                          Option("loadInputs", absl::StrCat("pictures:", input))};
    if (engine_.Has("--explicitBatch")) arguments.push_back("--explicitBatch");
    return arguments;
  }

  // One call.
  absl::Status Call(absl::string_view action, const std::string& input,
                    std::vector<std::string> additional) const {
    std::vector<std::string> arguments = Loaded(input);
    arguments.insert(arguments.end(), {"--iterations=1", "--duration=0", "--warmUp=0"});
    arguments.insert(arguments.end(), additional.begin(), additional.end());
    return engine_.Invoke(action, std::move(arguments), engine_.options().run_limit);
  }

  const TrtexecEngine& engine_;
  const std::string path_;
  const int batch_;
  const bool has_probe_;
  const Pictures pictures_;
  const std::string input_path_;
  std::string sha256_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TrtexecEngine>> TrtexecEngine::Create(TrtexecOptions options) {
  if (options.precision != "fp32" && options.precision != "fp16") {
    return absl::InvalidArgumentError(
        absl::StrCat("the precision ", options.precision, " is not fp32 or fp16"));
  }
  for (const absl::Duration limit : {options.build_limit, options.run_limit}) {
    if (limit <= absl::ZeroDuration() || limit > kLongestLimit) {
      return absl::InvalidArgumentError("a limit of trtexec's time is not above 0 and to an hour");
    }
  }
  absl::StatusOr<std::string> program = ReadFile(options.trtexec, kMaximumFileBytes);
  if (!program.ok()) return program.status();
  std::unique_ptr<TrtexecEngine> engine(
      new TrtexecEngine(std::move(options), Sha256Hex(*program)));
  SQUISH_RETURN_IF_ERROR(MakeFolder(engine->ScratchPath("")));
  SQUISH_RETURN_IF_ERROR(engine->Invoke("say how it is used", {"--help"}, kHelpLimit));
  SQUISH_ASSIGN_OR_RETURN(const std::string help, ReadFile(engine->ScratchPath("log")));
  absl::StatusOr<TrtexecHelp> parsed = ParseTrtexecHelp(help);
  if (!parsed.ok()) return Annotate(parsed.status(), engine->options_.trtexec);
  engine->help_ = *std::move(parsed);
  return engine;
}

EngineReady TrtexecEngine::Describe() const {
  EngineReady ready;
  ready.engine = "trtexec";
  ready.precision = options_.precision;
  ready.version = absl::StrCat(
      "trtexec of TensorRT ", help_.version.empty() ? "that does not say which" : help_.version,
      ", SHA-256 ", identity_.substr(0, 12));
  ready.format = NetworkFormat::kOnnx;
  ready.outputs = true;
  ready.restarts_per_block = true;
  ready.builds = true;
  // A kept engine is tried, and may have to be built anew and tried again.
  ready.load_seconds = std::min(
      kMaximumLoadSeconds, absl::ToDoubleSeconds(options_.build_limit + 2 * options_.run_limit));
  return ready;
}

absl::StatusOr<std::unique_ptr<LoadedNetwork>> TrtexecEngine::Load(const LoadRequest& request) {
  if (request.onnx.empty()) {
    return absl::InvalidArgumentError("`onnx` is missing: trtexec reads ONNX");
  }
  Pictures pictures;
  if (request.probe.empty()) {
    pictures = RandomPictures(request.batch, kChannels, request.input_size);
  } else {
    SQUISH_ASSIGN_OR_RETURN(pictures, ReadProbe(request.probe, kChannels, request.input_size));
  }
  SQUISH_ASSIGN_OR_RETURN(const std::string path, EnginePath(request));
  auto network = std::make_unique<TrtexecNetwork>(*this, path, request, std::move(pictures));
  const bool kept = fs::exists(path);
  if (!kept) SQUISH_RETURN_IF_ERROR(Build(request, path));
  SQUISH_RETURN_IF_ERROR(network->Prepare());
  const absl::Status runs = network->Try();
  if (!runs.ok()) {
    // Of another version, damaged, …: whatever it is, a new one is not.
    Remove(path);
    if (!kept) return runs;
    SQUISH_RETURN_IF_ERROR(Build(request, path));
    SQUISH_RETURN_IF_ERROR(network->Prepare());
    SQUISH_RETURN_IF_ERROR(network->Try());
  }
  std::error_code ignored;
  fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
  ForgetOldEngines(options_.cache_folder);
  return network;
}

absl::Status TrtexecEngine::Invoke(absl::string_view action, std::vector<std::string> arguments,
                                   absl::Duration limit) const {
  const std::string log = ScratchPath("log");
  Remove(log);
  ChildOptions child;
  child.command = std::move(arguments);
  child.command.insert(child.command.begin(), options_.trtexec);
  child.environment = InheritedEnvironment();
  child.stdout_path = child.stderr_path = log;
  child.own_group = false;  // Whoever kills us kills it.
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Child> trtexec, Child::Spawn(child));
  const absl::Duration start = Clock::System().Steady();
  const std::string ending = trtexec->CloseAndWait(limit);
  if (ending == "exit status 0") return absl::OkStatus();
  if (Clock::System().Steady() - start >= limit) {
    return absl::DeadlineExceededError(absl::StrCat("trtexec did not ", action, " within ",
                                                    absl::FormatDuration(limit), " and was killed"));
  }
  // What has been said is a message's worth: without it there is still the ending.
  return TrtexecFailure(action, ending, ReadFile(log).value_or(""));
}

std::string TrtexecEngine::ScratchPath(absl::string_view name) const {
  return JoinPath(JoinPath(options_.cache_folder, "scratch"), name);
}

absl::StatusOr<std::string> TrtexecEngine::EnginePath(const LoadRequest& request) const {
  SQUISH_ASSIGN_OR_RETURN(const std::string onnx, ReadFile(request.onnx, kMaximumFileBytes));
  const std::string key =
      absl::StrCat(Sha256Hex(onnx), " ", identity_, " ", options_.workspace_mib);
  return JoinPath(options_.cache_folder,
                  absl::StrCat(Sha256Hex(key), "-", options_.precision, "-batch", request.batch,
                               "-build", request.build, kEngineSuffix));
}

absl::Status TrtexecEngine::Build(const LoadRequest& request, const std::string& path) const {
  const std::string fresh = ScratchPath("fresh.engine");
  Remove(fresh);
  std::vector<std::string> arguments = {Option("onnx", request.onnx), Option("saveEngine", fresh)};
  const std::string workspace = absl::StrCat(options_.workspace_mib);
  if (Has("--memPoolSize")) {
    arguments.push_back(Option("memPoolSize", absl::StrCat("workspace:", workspace)));
  } else if (Has("--workspace")) {
    arguments.push_back(Option("workspace", workspace));
  }
  if (Has("--explicitBatch")) arguments.push_back("--explicitBatch");
  if (options_.precision == "fp16") arguments.push_back("--fp16");
  if (options_.precision == "fp32" && Has("--noTF32")) arguments.push_back("--noTF32");
  if (request.build == 1 && Has("--timingCacheFile")) {
    arguments.push_back(
        Option("timingCacheFile",
               JoinPath(options_.cache_folder,
                        absl::StrCat(identity_, "-", options_.precision, ".timing"))));
  }
  if (Has("--buildOnly")) {
    arguments.push_back("--buildOnly");
  } else if (Has("--skipInference")) {
    arguments.push_back("--skipInference");
  } else {
    arguments.insert(arguments.end(), {"--iterations=1", "--duration=0", "--warmUp=0"});
  }
  SQUISH_RETURN_IF_ERROR(
      Invoke("build an engine", std::move(arguments), options_.build_limit));
  std::error_code error;
  if (fs::file_size(fresh, error) == 0 || error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("trtexec wrote no engine to ", fresh, ": is the disk full?"));
  }
  fs::rename(fresh, path, error);
  if (error) return ErrnoStatus(error.value(), "cannot rename to", path);
  return absl::OkStatus();
}

}  // namespace squish
