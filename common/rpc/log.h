// For the room's own use.
#ifndef SQUISH_COMMON_RPC_LOG_H_
#define SQUISH_COMMON_RPC_LOG_H_

namespace squish {

// What gRPC has to say of a failure we say ourselves, in a sentence. Thread-safe; once is
// enough.
void SendGrpcLogToSpdlog();

}  // namespace squish

#endif  // SQUISH_COMMON_RPC_LOG_H_
