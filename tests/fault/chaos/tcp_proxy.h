// What lies between a runner and the coordinator: a port on loopback whose connections are
// carried on to another, well or badly.
//
//   TcpProxy proxy;                        // listens at proxy.address()
//   proxy.SetTarget("127.0.0.1:7461");     // until then connections are refused late
//   proxy.SetMode(TcpProxy::Mode::kDrop);
//   proxy.SetMode(TcpProxy::Mode::kPass);  // what a fault has broken ends with RST
//
// One thread of its own. All methods are thread-safe.
#ifndef SQUISH_TESTS_FAULT_CHAOS_TCP_PROXY_H_
#define SQUISH_TESTS_FAULT_CHAOS_TCP_PROXY_H_

#include <cstddef>
#include <deque>
#include <list>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace squish {

class TcpProxy {
 public:
  enum class Mode {
    kPass,      // After kWire, as a near network.
    kDelay,     // After kLate.
    kDrop,      // Read and swallowed, both ways.
    kHalfOpen,  // What comes from the target is not read; the rest passes.
  };
  static constexpr absl::Duration kWire = absl::Milliseconds(3);
  static constexpr absl::Duration kLate = absl::Milliseconds(150);

  TcpProxy();
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  const std::string& address() const { return address_; }  // "127.0.0.1:PORT"
  // Where new connections lead.
  void SetTarget(const std::string& address) ABSL_LOCKS_EXCLUDED(mutex_);
  // Leaving kDrop or kHalfOpen resets every connection that the mode has seen: what it
  // should have carried is gone.
  void SetMode(Mode mode) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends every connection with RST on both sides. Returns how many there were.
  int Reset() ABSL_LOCKS_EXCLUDED(mutex_);
  int Connections() ABSL_LOCKS_EXCLUDED(mutex_);

  // A trap for large transfers: while it is set, the first connection to bring kBulk bytes
  // from the client at once is held after the first of them, until the trap is let go.
  static constexpr size_t kBulk = 4 * 1024;
  void SetTrap() ABSL_LOCKS_EXCLUDED(mutex_);
  bool TrapHolds() ABSL_LOCKS_EXCLUDED(mutex_);
  void LetGo() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Piece {
    absl::Time due;
    std::string bytes;
  };
  // One way of a connection.
  struct Way {
    int from = -1;
    int to = -1;
    std::deque<Piece> pieces;
    size_t waiting = 0;  // Bytes of the pieces.
    bool ended = false;  // `from` has no more.
    bool shut = false;   // `to` was told.
  };
  struct Connection {
    Way up;               // From the client.
    Way down;             // To it.
    bool broken = false;  // Something it should have carried is gone.
    bool held = false;    // `up`, by the trap.
    bool dead = false;
  };

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Accept() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MayRead(const Connection& connection, bool up) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Read(Connection& connection, bool up) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Write(Connection& connection, Way& way) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Close(Connection& connection, bool with_reset) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Wake();

  int listener_ = -1;
  int wake_ = -1;  // An eventfd.
  std::string address_;

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Mode mode_ ABSL_GUARDED_BY(mutex_) = Mode::kPass;
  bool trap_ ABSL_GUARDED_BY(mutex_) = false;
  int target_port_ ABSL_GUARDED_BY(mutex_) = 0;
  std::list<Connection> connections_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace squish

#endif  // SQUISH_TESTS_FAULT_CHAOS_TCP_PROXY_H_
