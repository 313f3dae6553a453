// What the driver and a program whose disk is to fail (broken_disk.h) share: a page of memory.
#ifndef SQUISH_TESTS_FAULT_CHAOS_BROKEN_DISK_PAGE_H_
#define SQUISH_TESTS_FAULT_CHAOS_BROKEN_DISK_PAGE_H_

#include <atomic>
#include <cstdint>

namespace squish {

struct BrokenDiskPage {
  std::atomic<int32_t> error;          // An errno; 0: the disk is sound.
  std::atomic<int32_t> writes_before;  // So many calls still succeed.
  std::atomic<int64_t> failed;         // Calls that failed, ever.
};

}  // namespace squish

#endif  // SQUISH_TESTS_FAULT_CHAOS_BROKEN_DISK_PAGE_H_
