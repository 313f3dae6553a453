#include "tests/fault/chaos/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

// Closes at the end of its scope. Reads give up after a time that no test comes to need.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {
    const timeval limit = {10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }
  void Send(const std::string& bytes) const {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // So many bytes; fewer when the connection ends before.
  std::string Receive(size_t count) const {
    std::string bytes(count, '\0');
    const ssize_t received = ::recv(fd_, bytes.data(), count, MSG_WAITALL);
    bytes.resize(received < 0 ? 0 : static_cast<size_t>(received));
    return bytes;
  }
  // 0: an orderly end; else the error that reading gives.
  int End() const {
    char byte = 0;
    const ssize_t count = ::recv(fd_, &byte, 1, 0);
    EXPECT_LE(count, 0) << "it goes on";
    return count == 0 ? 0 : errno;
  }
  // Whether a byte lies there to be read now.
  bool HasMore() const {
    char byte = 0;
    return ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
  }

 private:
  const int fd_;
};

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int Connect(const std::string& address) {
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
  const sockaddr_in to = Loopback(port);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  return fd;
}

// A server, the proxy before it, and one connection through both.
class TcpProxyTest : public testing::Test {
 protected:
  TcpProxyTest()
      : listener_(Listen()),
        client_(ConnectThrough()),
        server_(::accept(listener_.fd(), nullptr, nullptr)) {}

  static int Listen() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in any = Loopback(0);
    EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
    EXPECT_EQ(::listen(fd, 8), 0);
    return fd;
  }
  int ConnectThrough() {
    sockaddr_in address = {};
    socklen_t size = sizeof address;
    ::getsockname(listener_.fd(), reinterpret_cast<sockaddr*>(&address), &size);
    proxy_.SetTarget(absl::StrCat("127.0.0.1:", ntohs(address.sin_port)));
    return Connect(proxy_.address());
  }

  TcpProxy proxy_;
  const Socket listener_;
  const Socket client_;
  const Socket server_;
};

TEST_F(TcpProxyTest, CarriesBothWaysAndTellsOfTheEnd) {
  client_.Send("question");
  EXPECT_EQ(server_.Receive(8), "question");
  server_.Send("answer");
  EXPECT_EQ(client_.Receive(6), "answer");
  ::shutdown(client_.fd(), SHUT_WR);
  EXPECT_EQ(server_.End(), 0);
}

TEST_F(TcpProxyTest, WhatIsLateComesInOrder) {
  proxy_.SetMode(TcpProxy::Mode::kDelay);
  client_.Send("first ");
  client_.Send("second");
  EXPECT_EQ(server_.Receive(12), "first second");
}

TEST_F(TcpProxyTest, ResetEndsBothSidesAtOnce) {
  client_.Send("x");
  ASSERT_EQ(server_.Receive(1), "x");
  EXPECT_EQ(proxy_.Reset(), 1);
  EXPECT_EQ(client_.End(), ECONNRESET);
  EXPECT_EQ(server_.End(), ECONNRESET);
  EXPECT_EQ(proxy_.Connections(), 0);
}

TEST_F(TcpProxyTest, WhatLostBytesIsResetWhenTheFaultEnds) {
  client_.Send("x");
  ASSERT_EQ(server_.Receive(1), "x");
  proxy_.SetMode(TcpProxy::Mode::kDrop);
  client_.Send("lost");
  proxy_.SetMode(TcpProxy::Mode::kPass);
  EXPECT_EQ(client_.End(), ECONNRESET);
  EXPECT_EQ(server_.End(), ECONNRESET);
}

TEST_F(TcpProxyTest, HalfOpenCarriesOneWayOnly) {
  client_.Send("x");
  ASSERT_EQ(server_.Receive(1), "x");
  proxy_.SetMode(TcpProxy::Mode::kHalfOpen);
  server_.Send("unheard");
  client_.Send("heard");
  EXPECT_EQ(server_.Receive(5), "heard");
  EXPECT_FALSE(client_.HasMore());
}

TEST_F(TcpProxyTest, TrapHoldsALargeTransferAfterItsBeginning) {
  proxy_.SetTrap();
  client_.Send("small");
  EXPECT_EQ(server_.Receive(5), "small");
  EXPECT_FALSE(proxy_.TrapHolds());
  const std::string large(2 * TcpProxy::kBulk, 'x');
  client_.Send(large);
  const std::string beginning = server_.Receive(1);
  EXPECT_EQ(beginning, "x");
  EXPECT_TRUE(proxy_.TrapHolds());
  proxy_.LetGo();
  EXPECT_EQ(server_.Receive(large.size() - 1), large.substr(1));
  EXPECT_FALSE(proxy_.TrapHolds());
}

TEST(TcpProxyWithoutTargetTest, RefusesByReset) {
  const TcpProxy proxy;
  const Socket client(Connect(proxy.address()));
  EXPECT_EQ(client.End(), ECONNRESET);
}

}  // namespace
}  // namespace squish
