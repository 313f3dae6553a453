// squish-exporter: the child process in which networks become ONNX files and are run by
// OpenCV's dnn, so that neither library is in a process that serves others. Reads an
// ExporterRequest a line on stdin and answers each with `progress` lines and one `done` or
// `failed` (ExporterEvent, JSON); see proto/squish/v1/trainer.proto. Its first line is
// `ready`; it ends with its input.
#include <google/protobuf/util/json_util.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <string>

#include "common/child/parent_watch.h"
#include "common/child/protocol_output.h"
#include "worker/exporter/answer.h"
#include "worker/exporter/opencv_network.h"

namespace squish {
namespace {

void Say(ProtocolOutput& output, const v1::ExporterEvent& event) {
  std::string line;
  if (!google::protobuf::util::MessageToJsonString(event, &line).ok()) std::abort();
  if (!output.WriteLine(line)) std::exit(EXIT_FAILURE);
}

void Serve(ProtocolOutput& output) {
  v1::ExporterEvent ready;
  ready.mutable_ready();
  Say(output, ready);
  const FractionReporter report = [&](double fraction) {
    v1::ExporterEvent event;
    event.mutable_progress()->set_fraction(fraction);
    Say(output, event);
  };
  for (std::string line; std::getline(std::cin, line);) Say(output, AnswerLine(line, report));
}

}  // namespace
}  // namespace squish

int main(int argc, char** argv) {
  CLI::App app(
      "Exports networks as ONNX files. Started by worker daemons: reads one ExporterRequest "
      "(JSON) a line on stdin, writes ExporterEvents on stdout.");
  CLI11_PARSE(app, argc, argv);
  squish::EndWithParent();
  squish::ProtocolOutput output;
  squish::PrepareOpenCvProcess();
  squish::Serve(output);
}
