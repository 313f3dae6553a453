#include "tests/fault/chaos/tcp_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace squish {
namespace {

// Of bytes that wait in one way; beyond it the sender feels that nobody reads.
constexpr size_t kMostWaiting = 1 << 20;
// Of what the trap has caught, so much goes on: the far end learns that a transfer began.
constexpr size_t kLetThrough = 2048;

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void SendAtOnce(int socket) {
  const int one = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

void CloseWithReset(int socket) {
  const linger at_once = {1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(socket);
}

}  // namespace

TcpProxy::TcpProxy()
    : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, SOMAXCONN) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();  // Loopback has a port for everybody.
  }
  address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  thread_ = std::thread([this] { Run(); });
}

TcpProxy::~TcpProxy() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
  ::close(listener_);
  ::close(wake_);
}

void TcpProxy::SetTarget(const std::string& address) {
  absl::MutexLock lock(&mutex_);
  if (!absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &target_port_)) target_port_ = 0;
}

void TcpProxy::SetMode(Mode mode) {
  {
    absl::MutexLock lock(&mutex_);
    mode_ = mode;
    for (Connection& connection : connections_) {
      if (connection.broken) Close(connection, /*with_reset=*/true);
      connection.broken = mode == Mode::kDrop || mode == Mode::kHalfOpen;
    }
  }
  Wake();
}

int TcpProxy::Reset() {
  int ended = 0;
  {
    absl::MutexLock lock(&mutex_);
    for (Connection& connection : connections_) {
      if (connection.dead) continue;
      Close(connection, /*with_reset=*/true);
      ++ended;
    }
  }
  Wake();
  return ended;
}

int TcpProxy::Connections() {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(
      std::count_if(connections_.begin(), connections_.end(),
                    [](const Connection& connection) { return !connection.dead; }));
}

void TcpProxy::SetTrap() {
  absl::MutexLock lock(&mutex_);
  trap_ = true;
}

bool TcpProxy::TrapHolds() {
  absl::MutexLock lock(&mutex_);
  return std::any_of(connections_.begin(), connections_.end(), [](const Connection& connection) {
    return connection.held && !connection.dead;
  });
}

void TcpProxy::LetGo() {
  {
    absl::MutexLock lock(&mutex_);
    trap_ = false;
    for (Connection& connection : connections_) connection.held = false;
  }
  Wake();
}

void TcpProxy::Wake() {
  const uint64_t one = 1;
  if (::write(wake_, &one, sizeof one) != sizeof one && errno != EAGAIN) std::abort();
}

void TcpProxy::Accept() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client < 0) return;
  const int target = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(target_port_);
  // On loopback this is answered at once, one way or the other.
  if (target_port_ == 0 ||
      ::connect(target, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(target);
    CloseWithReset(client);
    return;
  }
  ::fcntl(target, F_SETFL, O_NONBLOCK);
  SendAtOnce(client);
  SendAtOnce(target);
  Connection& connection = connections_.emplace_back();
  connection.up.from = connection.down.to = client;
  connection.up.to = connection.down.from = target;
  connection.broken = mode_ == Mode::kDrop || mode_ == Mode::kHalfOpen;
}

bool TcpProxy::MayRead(const Connection& connection, bool up) const {
  const Way& way = up ? connection.up : connection.down;
  if (way.ended || way.waiting >= kMostWaiting) return false;
  return up || mode_ != Mode::kHalfOpen;
}

void TcpProxy::Read(Connection& connection, bool up) {
  Way& way = up ? connection.up : connection.down;
  std::array<char, 64 * 1024> block;
  const ssize_t count = ::recv(way.from, block.data(), block.size(), 0);
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) Close(connection, /*with_reset=*/true);
    return;
  }
  if (count == 0) {
    way.ended = true;
    return;
  }
  if (mode_ == Mode::kDrop) return;
  const absl::Time due = absl::Now() + (mode_ == Mode::kDelay ? kLate : kWire);
  std::string bytes(block.data(), static_cast<size_t>(count));
  way.waiting += bytes.size();
  if (up && trap_ && bytes.size() >= kBulk) {
    trap_ = false;
    connection.held = true;
    // The first part is sent on past the trap; the rest waits behind it.
    way.pieces.push_back({due, bytes.substr(0, kLetThrough)});
    bytes.erase(0, kLetThrough);
    for (const Piece& piece : std::exchange(way.pieces, {})) {
      ::send(way.to, piece.bytes.data(), piece.bytes.size(), MSG_NOSIGNAL);
      way.waiting -= piece.bytes.size();
    }
  }
  way.pieces.push_back({due, std::move(bytes)});
}

void TcpProxy::Write(Connection& connection, Way& way) {
  const absl::Time now = absl::Now();
  while (!way.pieces.empty() && way.pieces.front().due <= now) {
    std::string& bytes = way.pieces.front().bytes;
    const ssize_t count = ::send(way.to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) {
      if (errno != EAGAIN && errno != EINTR) Close(connection, /*with_reset=*/true);
      return;
    }
    way.waiting -= static_cast<size_t>(count);
    bytes.erase(0, static_cast<size_t>(count));
    if (!bytes.empty()) return;
    way.pieces.pop_front();
  }
  if (way.ended && way.pieces.empty() && !std::exchange(way.shut, true)) {
    ::shutdown(way.to, SHUT_WR);
    if (connection.up.shut && connection.down.shut) Close(connection, /*with_reset=*/false);
  }
}

void TcpProxy::Close(Connection& connection, bool with_reset) {
  if (std::exchange(connection.dead, true)) return;
  for (const int socket : {connection.up.from, connection.up.to}) {
    with_reset ? CloseWithReset(socket) : static_cast<void>(::close(socket));
  }
}

void TcpProxy::Run() {
  while (true) {
    // Two entries a connection, client then target, in the order of the list.
    std::vector<pollfd> polled = {{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
    absl::Duration wait = absl::InfiniteDuration();
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) {
        for (Connection& connection : connections_) Close(connection, /*with_reset=*/false);
        return;
      }
      connections_.remove_if([](const Connection& connection) { return connection.dead; });
      const absl::Time now = absl::Now();
      for (const Connection& connection : connections_) {
        short client = 0, target = 0;
        if (MayRead(connection, /*up=*/true)) client |= POLLIN;
        if (MayRead(connection, /*up=*/false)) target |= POLLIN;
        for (const bool up : {true, false}) {
          const Way& way = up ? connection.up : connection.down;
          if (way.pieces.empty() || (up && connection.held)) continue;
          const absl::Duration left = way.pieces.front().due - now;
          if (left <= absl::ZeroDuration()) {
            (up ? target : client) |= POLLOUT;
          } else {
            wait = std::min(wait, left);
          }
        }
        // A socket of which nothing is wanted would report a hang-up without end.
        polled.push_back({client != 0 ? connection.up.from : -1, client, 0});
        polled.push_back({target != 0 ? connection.up.to : -1, target, 0});
      }
    }
    const int timeout = wait == absl::InfiniteDuration()
                            ? -1
                            : static_cast<int>(absl::ToInt64Milliseconds(wait)) + 1;
    ::poll(polled.data(), polled.size(), timeout);
    uint64_t ignored = 0;
    if (polled[0].revents != 0 && ::read(wake_, &ignored, sizeof ignored) < 0) continue;
    absl::MutexLock lock(&mutex_);
    // Only this thread adds and removes; others may have closed some.
    size_t next = 2;
    for (Connection& connection : connections_) {
      const short client = polled[next++].revents, target = polled[next++].revents;
      constexpr short kReadable = POLLIN | POLLHUP | POLLERR;
      if (!connection.dead && (client & kReadable) && MayRead(connection, true)) {
        Read(connection, /*up=*/true);
      }
      if (!connection.dead && (target & kReadable) && MayRead(connection, false)) {
        Read(connection, /*up=*/false);
      }
      if (!connection.dead && !connection.held) Write(connection, connection.up);
      if (!connection.dead) Write(connection, connection.down);
    }
    if (polled[1].revents != 0) Accept();
  }
}

}  // namespace squish
