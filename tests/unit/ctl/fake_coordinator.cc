// What tests of the demo start in the coordinator's place.
#include <iostream>

#include "common/rpc/rpc.h"
#include "tests/unit/ctl/fake_experiments.h"

int main() {
  squish::FakeExperiments service;
  auto running = squish::StartServer(
      "127.0.0.1:0", {static_cast<squish::v1::ExperimentService::Service*>(&service),
                      static_cast<squish::v1::ArtifactService::Service*>(&service)});
  if (!running.ok()) return 1;
  std::cout << "listening on 127.0.0.1:" << running->port << " metrics 127.0.0.1:1" << std::endl;
  running->server->Wait();
}
