// `squish-engine-opencv`: the engine `opencv`, OpenCV's dnn on the host's processor, fp32.
// Reads ONNX; speaks docs/engines.md on stdin and stdout. Started by the agent.
//
// One file of C++14 that wants OpenCV (core, dnn; 3.4 or newer) and nlohmann/json's header,
// and nothing else of this project, so that a board with another OpenCV builds it by itself:
//
//   g++ -std=c++14 -O2 main.cc -o squish-engine-opencv -pthread $(pkg-config --cflags --libs opencv4)
//
// One thread reads, computes and answers; a second one ends the process with its agent.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <new>
#include <opencv2/core.hpp>
#include <opencv2/core/version.hpp>
#include <opencv2/dnn.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#if CV_VERSION_MAJOR >= 4
#include <opencv2/core/utils/logger.hpp>
#endif
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace {

using Json = nlohmann::json;
using SteadyClock = std::chrono::steady_clock;

constexpr int kChannels = 3;
constexpr std::int64_t kMaximumLatencies = 1000;    // As the contract says.
constexpr std::uint64_t kMaximumHeader = 16 << 20;  // Bytes, of a safetensors file.
constexpr std::int64_t kMaximumPictures = 4096;
constexpr std::int64_t kMaximumProfiledCalls = 1 << 20;

// The network is one that OpenCV cannot run.
struct UnsupportedNetwork : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// There is no telling, from this engine.
struct UnsupportedRequest : std::runtime_error {
  using std::runtime_error::runtime_error;
};

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// Numbers below 2^-126 cost a hundred times as much on some processors, and trained networks
// are full of them. Threads inherit this: to be called before there are any.
void FlushDenormals() {
#if defined(__SSE__)
  _mm_setcsr(_mm_getcsr() | 0x8040u);  // Results and operands to zero.
#elif defined(__aarch64__)
  std::uint64_t control = 0;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  asm volatile("msr fpcr, %0" : : "r"(control | (std::uint64_t{1} << 24)));
#endif
}

// The kernel closes our input when the agent ends, also in the midst of a computation.
void EndWithAgent() {
  std::thread([] {
    pollfd input = {STDIN_FILENO, 0, 0};
    while (::poll(&input, 1, -1) <= 0) {
    }
    ::_exit(0);
  }).detach();
}

struct Pictures {
  int count;
  int side;
  std::vector<float> values;  // count × 3 × side × side
};

Pictures RandomPictures(int count, int side) {
  std::mt19937 random;  // Default seed.
  Pictures pictures{count, side, {}};
  pictures.values.resize(static_cast<std::size_t>(count) * kChannels * side * side);
  for (float& value : pictures.values) {
    value = static_cast<float>(static_cast<double>(random()) / (1 << 30)) - 2;  // [-2, 2]
  }
  return pictures;
}

// The tensor `pictures` of a safetensors file: eight bytes with the length of a JSON header,
// the header, the tensors' bytes.
Pictures ReadProbe(const std::string& path, int side) {
  const std::runtime_error bad(path + " has no tensor `pictures`, fp32, of 3 × " +
                               std::to_string(side) + " × " + std::to_string(side));
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length) throw bad;
  std::memcpy(&length, bytes.data(), sizeof length);  // Little-endian, as our processors are.
  if (length > kMaximumHeader || length > bytes.size() - sizeof length) throw bad;
  try {
    const Json header = Json::parse(bytes.substr(sizeof length, length));
    const Json& tensor = header.at("pictures");
    const auto shape = tensor.at("shape").get<std::vector<std::int64_t>>();
    const auto range = tensor.at("data_offsets").get<std::vector<std::uint64_t>>();
    const std::uint64_t data = bytes.size() - sizeof length - length;
    if (tensor.at("dtype") != "F32" || shape.size() != 4 || range.size() != 2 || shape[0] < 1 ||
        shape[0] > kMaximumPictures || shape[1] != kChannels || shape[2] != side ||
        shape[3] != side || range[0] > range[1] || range[1] > data) {
      throw bad;
    }
    Pictures pictures{static_cast<int>(shape[0]), side, {}};
    pictures.values.resize(static_cast<std::size_t>(shape[0] * shape[1] * shape[2] * shape[3]));
    if (range[1] - range[0] != pictures.values.size() * sizeof(float)) throw bad;
    std::memcpy(pictures.values.data(), bytes.data() + sizeof length + length + range[0],
                range[1] - range[0]);
    return pictures;
  } catch (const Json::exception&) {
    throw bad;
  }
}

// OpenCV names a layer after its ONNX node, which has the genome's name: "onnx_node!NAME";
// before 4.5 after the node's output, "NAME:0". Empty: what it has added, or the Flatten behind
// the genome's last layer.
std::string GenomeName(std::string name) {
  const std::string prefix = "onnx_node!", suffix = ":0";
  if (name.compare(0, prefix.size(), prefix) == 0) {
    name.erase(0, prefix.size());
  } else if (name.size() > suffix.size() &&
             name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0) {
    name.erase(name.size() - suffix.size());
  } else {
    return "";
  }
  return name.compare(0, 6, "logits") == 0 ? "" : name;
}

class Network {
 public:
  explicit Network(const Json& load)
      : batch_(load.at("batch").get<int>()),
        threads_(load.at("threads").get<int>()),
        has_probe_(load.contains("probe")) {
    const int side = load.at("input_size").get<int>();
    if (batch_ < 1 || batch_ > 4096 || side < 1 || side > 8192 || threads_ < 1) {
      throw std::runtime_error("batch, input_size or threads are out of range");
    }
    if (!load.contains("onnx")) {
      throw std::runtime_error("`onnx` is missing: this engine reads ONNX");
    }
    const auto onnx = load.at("onnx").get<std::string>();
    if (!std::ifstream(onnx)) throw std::runtime_error("cannot open " + onnx);
    pictures_ = has_probe_ ? ReadProbe(load.at("probe").get<std::string>(), side)
                           : RandomPictures(batch_, side);
    input_ = Input(0);
    cv::setNumThreads(threads_);
    try {
      net_ = cv::dnn::readNetFromONNX(onnx);
      net_.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
      net_.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
      Call(input_);  // What it cannot run it refuses at the first call.
    } catch (const cv::Exception& error) {
      // The codes of its importer and layers for operations that they do not know. A file that
      // is none, memory that does not suffice, … have others, and say nothing of the network.
      if (error.code != cv::Error::StsError && error.code != cv::Error::StsNotImplemented) throw;
      throw UnsupportedNetwork("OpenCV cannot run it: " + error.err);
    }
  }

  int batch() const { return batch_; }

  // A call is what a user would wait for: the pictures go in, the logits come out.
  Json Run(std::int64_t calls) {
    cv::setNumThreads(threads_);
    const std::int64_t calls_per_latency = (calls + kMaximumLatencies - 1) / kMaximumLatencies;
    std::vector<double> latencies;
    latencies.reserve(static_cast<std::size_t>(kMaximumLatencies));
    const SteadyClock::time_point start = SteadyClock::now();
    double last = 0;
    for (std::int64_t i = 0; i < calls; ++i) {
      Call(input_);
      const double now = SecondsSince(start);
      if (i % calls_per_latency == 0 && now > last) latencies.push_back(now - last);
      last = now;
    }
    return {{"images", calls * batch_}, {"seconds", last}, {"latencies", latencies}};
  }

  Json Outputs() {
    if (!has_probe_) throw UnsupportedRequest("there are no pictures to give outputs for");
    cv::setNumThreads(threads_);
    Json values = Json::array();
    for (int first = 0; first < pictures_.count; first += batch_) {
      Call(Input(first));
      const int classes = static_cast<int>(logits_.size()) / batch_;
      for (int i = 0; i < batch_ && first + i < pictures_.count; ++i) {
        const auto row = logits_.begin() + static_cast<std::ptrdiff_t>(i) * classes;
        values.push_back(std::vector<float>(row, row + classes));
      }
    }
    return {{"values", values}};
  }

  // What is fused with another layer has no time of its own, and is left out.
  Json Profile(std::int64_t calls) {
    cv::setNumThreads(threads_);
    const std::vector<cv::String> names = net_.getLayerNames();
    std::vector<std::vector<double>> ticks(names.size());
    for (std::int64_t i = 0; i < std::min(calls, kMaximumProfiledCalls); ++i) {
      Call(input_);
      std::vector<double> of_layers;
      net_.getPerfProfile(of_layers);
      for (std::size_t l = 0; l < std::min(of_layers.size(), ticks.size()); ++l) {
        ticks[l].push_back(of_layers[l]);
      }
    }
    Json layers = Json::array();
    for (std::size_t l = 0; l < ticks.size(); ++l) {
      if (ticks[l].empty()) continue;
      const auto middle = ticks[l].begin() + static_cast<std::ptrdiff_t>(ticks[l].size() / 2);
      std::nth_element(ticks[l].begin(), middle, ticks[l].end());
      const std::string name = GenomeName(names[l]);
      if (*middle <= 0 || name.empty()) continue;
      layers.push_back(
          {{"layer", name}, {"milliseconds", 1000 * *middle / cv::getTickFrequency()}});
    }
    return {{"layers", layers}};
  }

 private:
  // `batch_` pictures from number `first` on, after the last the first again.
  cv::Mat Input(int first) const {
    const int sides[] = {batch_, kChannels, pictures_.side, pictures_.side};
    cv::Mat input(4, sides, CV_32F);
    const std::size_t size = static_cast<std::size_t>(kChannels) * pictures_.side * pictures_.side;
    for (int i = 0; i < batch_; ++i) {
      const float* const picture =
          pictures_.values.data() + static_cast<std::size_t>((first + i) % pictures_.count) * size;
      std::copy(picture, picture + size, input.ptr<float>() + static_cast<std::size_t>(i) * size);
    }
    return input;
  }

  void Call(const cv::Mat& input) {
    net_.setInput(input);
    const cv::Mat logits = net_.forward();
    if (logits.type() != CV_32F || !logits.isContinuous() || logits.total() == 0 ||
        logits.total() % static_cast<std::size_t>(batch_) != 0) {
      throw std::runtime_error("the network's output is no row of numbers for each picture");
    }
    logits_.assign(logits.ptr<float>(), logits.ptr<float>() + logits.total());
  }

  const int batch_;
  const int threads_;
  const bool has_probe_;
  Pictures pictures_;
  cv::Mat input_;
  cv::dnn::Net net_;
  std::vector<float> logits_;  // Of the last call.
};

class Engine {
 public:
  // The answer to a request: one object with one key.
  Json Answer(const std::string& line) {
    try {
      const Json request = Json::parse(line);
      if (!request.is_object() || request.size() != 1) {
        throw std::runtime_error("a request is an object with one key");
      }
      return Answer(request.begin().key(), request.begin().value());
    } catch (const UnsupportedNetwork& error) {
      return Said("unsupported", error.what());
    } catch (const UnsupportedRequest& error) {
      return Said("unsupported", error.what());
    } catch (const std::bad_alloc&) {
      return Said("error", "there is not enough memory for it");
    } catch (const std::exception& error) {
      return Said("error", error.what());
    }
  }

 private:
  static Json Said(const char* kind, const std::string& message) {
    return {{kind, {{"message", message}}}};
  }

  Json Answer(const std::string& kind, const Json& body) {
    const auto id = body.at("id").get<std::string>();
    if (kind == "load") {
      networks_.erase(id);
      networks_[id].reset(new Network(body));
      return {{"loaded", {{"id", id}}}};
    }
    const auto found = networks_.find(id);
    if (found == networks_.end() || found->second == nullptr) {
      throw std::runtime_error("no network is loaded as \"" + id + "\"");
    }
    if (kind == "unload") {
      networks_.erase(found);
      return {{"unloaded", {{"id", id}}}};
    }
    Json answer;
    if (kind == "outputs") {
      answer["outputs"] = found->second->Outputs();
    } else if (kind == "run" || kind == "profile") {
      const auto calls = body.at("calls").get<std::int64_t>();
      if (calls < 1) throw std::runtime_error("`calls` must be at least 1");
      if (kind == "run") {
        answer["block"] = found->second->Run(calls);
      } else {
        answer["profiled"] = found->second->Profile(calls);
      }
    } else {
      throw std::runtime_error("a request is one of load, run, outputs, profile, unload");
    }
    answer.begin().value()["id"] = id;
    return answer;
  }

  std::map<std::string, std::unique_ptr<Network>> networks_;
};

// Foreign text may be anything: replaced, not thrown at.
void Say(const Json& message) {
  std::cout << message.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n' << std::flush;
}

}  // namespace

int main() {
  FlushDenormals();
  EndWithAgent();
#if CV_VERSION_MAJOR >= 4
  // The importer reports errors by this, too, beside the exception that we answer with.
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
#endif
  Say({{"ready",
        {{"contract", 1},
         {"engine", "opencv"},
         {"precision", "fp32"},
         {"version", std::string("OpenCV dnn ") + CV_VERSION},
         {"synthetic", false},
         {"formats", Json::array({"onnx"})},
         {"outputs", true}}}});
  Engine engine;
  for (std::string line; std::getline(std::cin, line);) Say(engine.Answer(line));
}
