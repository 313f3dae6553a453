#include "common/rpc/log.h"

#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

#include "absl/base/call_once.h"

namespace squish {

void SendGrpcLogToSpdlog() {
  static absl::once_flag once;
  absl::call_once(once, [] {
    gpr_set_log_function([](gpr_log_func_args* line) {
      spdlog::debug("gRPC {}:{}: {}", line->file, line->line, line->message);
    });
  });
}

}  // namespace squish
