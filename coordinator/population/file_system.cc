#include "coordinator/population/file_system.h"

#include <sys/vfs.h>

#include "absl/strings/str_cat.h"

namespace squish {

const char* NetworkFileSystem(int64_t type) {
  switch (static_cast<uint32_t>(type)) {  // As in linux/magic.h and statfs(2).
    case 0x6969: return "NFS";
    case 0x517b: return "SMB";
    case 0xff534d42: return "CIFS";
    case 0xfe534d42: return "SMB2";
    case 0x5346414f: return "AFS";
    case 0x6b414653: return "AFS";
    case 0x73757245: return "Coda";
    case 0x564c: return "NCP";
    case 0x00c36400: return "Ceph";
    case 0x0bd00bd0: return "Lustre";
    case 0x47504653: return "GPFS";
    case 0x19830326: return "BeeGFS";
    default: return "";
  }
}

absl::Status CheckIsLocal(const std::string& path) {
  struct statfs info;
  if (::statfs(path.c_str(), &info) != 0) {
    const size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    if (::statfs(folder.c_str(), &info) != 0) return absl::OkStatus();
  }
  const std::string name = NetworkFileSystem(static_cast<int64_t>(info.f_type));
  if (name.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path, " is on a network file system (", name,
                   "), where a population could be damaged; put it on a disk of this machine"));
}

}  // namespace squish
