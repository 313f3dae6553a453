// What the tests start in the place of an engine: it keeps the contract but for one
// event, at which it does something else.
//
//   fake_engine [EVENT ACTION [MARKER]]
//
// EVENT is start, load, load-ancestor, run, outputs, profile or unload. With MARKER it
// misbehaves only while that file does not exist, and makes it. Written without the agent's own
// code, as a stranger would.
//
// Its networks' outputs are 1, 2, 3 for the first picture, 2, 3, 4 for the next, ….
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

using Json = nlohmann::json;

namespace {

void Say(const std::string& line) { std::cout << line << std::endl; }

[[noreturn]] void Hang() {
  while (true) pause();
}

// Works for about 20 µs a call.
double Work(long calls) {
  const auto start = std::chrono::steady_clock::now();
  const auto end = start + std::chrono::microseconds(20 * calls);
  while (std::chrono::steady_clock::now() < end) {
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Things that do not depend on the request. Returns false for others.
bool Misbehave(const std::string& action) {
  if (action == "crash") std::abort();
  if (action == "exit") std::exit(3);
  if (action == "hang") Hang();
  if (action == "babble") return Say("warning: this is no JSON"), true;
  if (action == "binary") return Say("\xff\xfe{\"x\":\x01}"), true;
  if (action == "array") return Say("[1,2,3]"), true;
  if (action == "empty") return Say(""), true;
  if (action == "unknown") return Say(R"({"finished":{}})"), true;
  if (action == "ready") return Say(R"({"ready":{"contract":1,"engine":"x"}})"), true;
  if (action == "other-contract") {
    return Say(R"({"ready":{"contract":2,"engine":"fake","precision":"fp32","version":"1",)"
               R"("synthetic":false}})"),
           true;
  }
  if (action == "flood") {
    const std::string noise(1 << 16, 'x');
    while (std::cout << noise) {
    }
    Hang();
  }
  if (action == "unsupported") {
    return Say(R"({"unsupported":{"message":"no kernel for layer features.3"}})"), true;
  }
  if (action == "error") return Say(R"({"error":{"message":"the board is on fire"}})"), true;
  return false;
}

std::string BlockWith(const std::string& action, const std::string& id, long images,
                      double seconds) {
  if (action == "more") ++images;
  if (action == "fewer") --images;
  if (action == "none") images = 0;
  if (action == "zero") seconds = 0;
  if (action == "negative") seconds = -seconds;
  if (action == "too-long") seconds = 1000 + 2 * seconds;
  Json block = {{"id", action == "wrong-id" ? "somebody" : id},
                {"images", images},
                {"seconds", seconds}};
  if (action == "nan") block["seconds"] = nullptr;
  if (action == "text") block["seconds"] = "0.01";
  if (action == "fraction") block["images"] = images + 0.5;
  if (action == "huge-count") block["images"] = 18446744073709551615ull;
  if (action == "missing") block.erase("seconds");
  if (action == "additional") block["something_newer"] = {1, 2, 3};
  if (action == "latencies") block["latencies"] = Json::array({seconds / 2});
  if (action == "latency-beyond") block["latencies"] = Json::array({1000 + seconds});
  if (action == "too-many-latencies") block["latencies"] = std::vector<double>(900, seconds / 1000);
  if (action == "infinite") {
    return R"({"block":{"id":")" + id + R"(","images":1,"seconds":1e999}})";
  }
  return Json{{"block", block}}.dump();
}

}  // namespace

int main(int argc, char** argv) {
  std::string event = argc > 2 ? argv[1] : "";
  const std::string action = argc > 2 ? argv[2] : "";
  if (argc > 3) {
    if (std::ifstream(argv[3]).good()) event.clear();
    std::ofstream(argv[3]) << "was here";
  }
  const bool synthetic = event == "run" && action == "synthetic";
  const bool onnx = event == "start" && action == "onnx";
  const bool no_outputs = event == "start" && action == "no-outputs";
  const bool builds = event == "start" && action == "builds";
  if (event != "start" || !Misbehave(action)) {
    Json ready = {{"contract", 1},
                  {"engine", "fake"},
                  {"precision", "fp32"},
                  {"version", "fake 1.0"},
                  {"synthetic", synthetic},
                  {"something_newer", {1, 2}}};
    if (onnx) ready["formats"] = Json::array({"onnx"});
    if (!no_outputs) ready["outputs"] = true;
    if (builds) ready["builds"] = ready["restarts_per_block"] = true;
    Say(Json{{"ready", ready}}.dump());
  }
  std::map<std::string, long> batches;
  for (std::string line; std::getline(std::cin, line);) {
    const Json request = Json::parse(line);
    const std::string kind = request.begin().key();
    const Json body = request.begin().value();
    const std::string id = body["id"];
    const bool now = kind == event || kind + "-" + id == event;
    if (now && Misbehave(action)) continue;
    if (kind == "load") {
      batches[id] = body["batch"];
      Json loaded = {{"id", now && action == "wrong-id" ? "somebody" : id}};
      if (builds) loaded["engine_sha256"] = std::string(64, '0' + body.value("build", 1));
      Say(Json{{"loaded", loaded}}.dump());
    } else if (kind == "run") {
      const long calls = body["calls"];
      const double seconds = synthetic ? 1e-3 * calls : Work(calls);
      Say(BlockWith(now ? action : "", id, calls * batches[id], seconds));
    } else if (kind == "outputs") {
      Json values = Json::array();
      for (int i = 1; i <= 8; ++i) values.push_back({i, i + 1, i + 2});
      if (now && action == "off") values[3][1] = 5.5;
      if (now && action == "not-a-number") values[3][1] = nullptr;
      if (now && action == "too-few") values.erase(0);
      if (now && action == "texts") values[0][0] = "1";
      Say(Json{{"outputs",
                {{"id", now && action == "wrong-id" ? "somebody" : id}, {"values", values}}}}
              .dump());
    } else if (kind == "profile") {
      const Json layers = Json::array({{{"layer", "features.0"}, {"milliseconds", 0.25}},
                                       {{"layer", "classifier.1"}, {"milliseconds", 0.5}}});
      Say(Json{{"profiled",
                {{"id", now && action == "wrong-id" ? "somebody" : id}, {"layers", layers}}}}
              .dump());
    } else {
      Say(Json{{"unloaded", {{"id", id}}}}.dump());
    }
  }
}
