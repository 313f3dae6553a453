// What a test sees of work in other processes, to strike while it is under way:
// children by their pipes (from /proc), the coordinator by its metrics. Nothing here
// waits; ask under AwaitCondition. Thread-safe.
#ifndef SQUISH_TESTS_FAULT_IN_FLIGHT_H_
#define SQUISH_TESTS_FAULT_IN_FLIGHT_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace squish {

// Bytes that the process has written anywhere so far: it grows with every line that a
// child says to its daemon. 0 when there is no such process.
int64_t BytesWritten(pid_t pid);

// Whether something lies in the process's standard input, a pipe, that it has not read.
// A stopped child with unread input is one that its daemon waits for.
bool HasUnreadInput(pid_t pid);

// The sum of a series over all its labels, as the coordinator shows it at "HOST:PORT";
// 0 when nobody answers there or the series is not shown.
double ShownMetric(const std::string& address, const std::string& series);

}  // namespace squish

#endif  // SQUISH_TESTS_FAULT_IN_FLIGHT_H_
