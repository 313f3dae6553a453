#include "tests/fault/in_flight.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace squish {
namespace {

// What a connection to "127.0.0.1:PORT" answers to `request` until it closes.
std::string Converse(const std::string& address, const std::string& request) {
  const std::pair<std::string, std::string> host_and_port = absl::StrSplit(address, ':');
  sockaddr_in server = {};
  server.sin_family = AF_INET;
  int port = 0;
  if (!absl::SimpleAtoi(host_and_port.second, &port)) return "";
  server.sin_port = htons(static_cast<uint16_t>(port));
  if (::inet_pton(AF_INET, host_and_port.first.c_str(), &server.sin_addr) != 1) return "";
  const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) return "";
  const timeval limit = {5, 0};
  ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  std::string answer;
  if (::connect(connection, reinterpret_cast<sockaddr*>(&server), sizeof server) == 0 &&
      ::send(connection, request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size())) {
    std::array<char, 4096> block;
    ssize_t count = 0;
    while ((count = ::recv(connection, block.data(), block.size(), 0)) > 0) {
      answer.append(block.data(), static_cast<size_t>(count));
    }
  }
  ::close(connection);
  return answer;
}

}  // namespace

int64_t BytesWritten(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/io"));
  for (std::string name; file >> name;) {
    int64_t value = 0;
    file >> value;
    if (name == "wchar:") return value;
  }
  return 0;
}

bool HasUnreadInput(pid_t pid) {
  const std::string path = absl::StrCat("/proc/", pid, "/fd/0");
  const int input = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (input < 0) return false;
  int unread = 0;
  const bool known = ::ioctl(input, FIONREAD, &unread) == 0;
  ::close(input);
  return known && unread > 0;
}

double ShownMetric(const std::string& address, const std::string& series) {
  const std::string answer =
      Converse(address, "GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
  double sum = 0;
  for (absl::string_view line : absl::StrSplit(answer, '\n')) {
    line = absl::StripTrailingAsciiWhitespace(line);
    if (!absl::StartsWith(line, absl::StrCat(series, "{")) &&
        !absl::StartsWith(line, absl::StrCat(series, " "))) {
      continue;
    }
    double value = 0;
    if (absl::SimpleAtod(line.substr(line.rfind(' ') + 1), &value)) sum += value;
  }
  return sum;
}

}  // namespace squish
