#include "tests/fault/crash_points/disk_model.h"

#include <algorithm>
#include <cassert>
#include <random>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"

namespace squish {
namespace {

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

// True in so many of 8 cases.
class Chance {
 public:
  Chance(uint64_t seed, uint64_t eighths) : random_(seed), eighths_(eighths) {}
  bool operator()() { return random_() % 8 < eighths_; }

 private:
  std::mt19937_64 random_;
  const uint64_t eighths_;
};

// Seldom, often or mostly: where everything is as likely kept as not, no long chain of
// changes that rest on each other ever is.
uint64_t Eighths(uint64_t seed) {
  constexpr uint64_t kAll[] = {1, 4, 7};
  return kAll[seed % 3];
}

}  // namespace

std::string Describe(const DiskOperation& operation) {
  using Kind = DiskOperation::Kind;
  switch (operation.kind) {
    case Kind::kMakeFile:
      return absl::StrCat("making of ", operation.path);
    case Kind::kMakeFolder:
      return absl::StrCat("making of the folder ", operation.path);
    case Kind::kWrite:
      return absl::StrCat("write of ", operation.bytes.size(), " bytes at ", operation.offset,
                          " of ", operation.path);
    case Kind::kResize:
      return absl::StrCat("resizing of ", operation.path, " to ", operation.offset, " bytes");
    case Kind::kSyncFile:
      return absl::StrCat("sync of ", operation.path);
    case Kind::kSyncFolder:
      return absl::StrCat("sync of the folder ", operation.path.empty() ? "." : operation.path);
    case Kind::kRename:
      return absl::StrCat("rename of ", operation.path, " to ", operation.new_path);
    case Kind::kRemove:
      return absl::StrCat("removal of ", operation.path);
  }
  return "";
}

DiskModel::DiskModel(const DiskImage& durable) {
  durable_.folders = durable.folders;
  for (const auto& [path, content] : durable.files) {
    durable_.files[path] = next_file();
    files_.push_back({content, {}, static_cast<int64_t>(content.size())});
  }
  now_ = durable_;
}

void DiskModel::Apply(const DiskOperation& operation) {
  using Kind = DiskOperation::Kind;
  switch (operation.kind) {
    case Kind::kMakeFile:
      assert(operation.file == next_file());
      files_.emplace_back();
      ChangeName({"", operation.path, operation.file});
      return;
    case Kind::kMakeFolder:
      ChangeName({"", operation.path, kFolder});
      return;
    case Kind::kRename:
      ChangeName({operation.path, operation.new_path, now_.files.at(operation.path)});
      return;
    case Kind::kRemove:
      ChangeName({operation.path, "", 0});
      return;
    case Kind::kSyncFolder:
      SyncFolder(operation.path);
      return;
    default:
      break;
  }
  File& file = files_.at(static_cast<size_t>(operation.file));
  if (operation.kind == Kind::kSyncFile) {
    for (const DataChange& change : std::exchange(file.pending, {})) Apply(change, file.durable);
    return;
  }
  DataChange change;
  change.offset = operation.offset;
  change.resizes = operation.kind == Kind::kResize;
  change.bytes = std::make_shared<const std::string>(operation.bytes);
  change.size_after =
      change.resizes
          ? operation.offset
          : std::max(file.size, operation.offset + static_cast<int64_t>(operation.bytes.size()));
  file.size = change.size_after;
  file.pending.push_back(std::move(change));
}

void DiskModel::Apply(const NameChange& change, Names& names) {
  if (!change.gone.empty()) names.files.erase(change.gone);
  if (change.come.empty()) return;
  if (change.file == kFolder) {
    names.folders.insert(change.come);
  } else {
    names.files[change.come] = change.file;
  }
}

void DiskModel::Apply(const DataChange& change, std::string& content) {
  content.resize(static_cast<size_t>(change.size_after), '\0');
  if (!change.resizes) {
    content.replace(static_cast<size_t>(change.offset), change.bytes->size(), *change.bytes);
  }
}

void DiskModel::ChangeName(NameChange change) {
  Apply(change, now_);
  pending_.push_back(std::move(change));
}

bool DiskModel::Concerns(const NameChange& change, const std::set<std::string>& paths) {
  return (!change.gone.empty() && paths.count(change.gone) > 0) ||
         (!change.come.empty() && paths.count(change.come) > 0);
}

std::vector<bool> DiskModel::Closed(const std::function<bool(const NameChange&)>& chosen) const {
  std::vector<bool> closed(pending_.size());
  std::set<std::string> touched;  // By those that are chosen.
  for (size_t i = pending_.size(); i-- > 0;) {
    const NameChange& change = pending_[i];
    closed[i] = chosen(change) || Concerns(change, touched);
    if (!closed[i]) continue;
    touched.insert(change.gone);
    touched.insert(change.come);
  }
  return closed;
}

void DiskModel::SyncFolder(const std::string& folder) {
  const std::vector<bool> synced = Closed([&folder](const NameChange& change) {
    return FolderOf(change.come.empty() ? change.gone : change.come) == folder;
  });
  std::vector<NameChange> left;
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (synced[i]) {
      Apply(pending_[i], durable_);
    } else {
      left.push_back(std::move(pending_[i]));
    }
  }
  pending_ = std::move(left);
}

DiskImage DiskModel::Assemble(const Names& names,
                              const std::function<std::string(const File&)>& content) const {
  DiskImage image;
  const auto is_there = [&image](const std::string& folder) {
    return folder.empty() || image.folders.count(folder) > 0;
  };
  for (const std::string& folder : names.folders) {
    if (is_there(FolderOf(folder))) image.folders.insert(folder);
  }
  for (const auto& [path, file] : names.files) {
    if (is_there(FolderOf(path))) image.files[path] = content(files_[static_cast<size_t>(file)]);
  }
  return image;
}

DiskImage DiskModel::Now() const {
  return Assemble(now_, [](const File& file) {
    std::string content = file.durable;
    for (const DataChange& change : file.pending) Apply(change, content);
    return content;
  });
}

DiskImage DiskModel::AfterPowerCut() const {
  return Assemble(durable_, [](const File& file) { return file.durable; });
}

DiskImage DiskModel::AfterPowerCut(uint64_t seed) const {
  Chance keeps(seed, Eighths(seed));
  const std::vector<bool> kept = Closed([&keeps](const NameChange&) { return keeps(); });
  Names names = durable_;
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (kept[i]) Apply(pending_[i], names);
  }
  return Assemble(names, [this, seed](const File& file) {
    return Torn(file, seed + 31 * static_cast<uint64_t>(&file - files_.data()));
  });
}

std::string DiskModel::Torn(const File& file, uint64_t seed) {
  Chance keeps(seed, Eighths(seed / 3));
  const bool by_sector = seed % 2 == 0;  // Else a write is kept whole or not at all.
  const size_t count = file.pending.size();

  // The size: after the last change that was kept.
  size_t sized = 0;
  std::vector<bool> whole(count);
  for (size_t i = 0; i < count; ++i) {
    whole[i] = keeps();
    if (whole[i]) sized = i + 1;
  }
  const int64_t size = sized == 0 ? static_cast<int64_t>(file.durable.size())
                                  : file.pending[sized - 1].size_after;

  // Which sectors a change touches: a write its own, what makes shorter all from the new end.
  int64_t before = static_cast<int64_t>(file.durable.size());
  int64_t longest = before;
  std::vector<std::pair<int64_t, int64_t>> ranges;  // Of bytes.
  for (const DataChange& change : file.pending) {
    if (change.resizes) {
      ranges.emplace_back(change.size_after, std::max(before, change.size_after));
    } else {
      ranges.emplace_back(change.offset,
                          change.offset + static_cast<int64_t>(change.bytes->size()));
    }
    before = change.size_after;
    longest = std::max(longest, before);
  }

  // Of each sector all changes up to the last that was kept.
  std::unordered_map<int64_t, size_t> last;  // Sector to 1 + that change.
  for (size_t i = 0; i < count; ++i) {
    // A file that has a size has been through those before it.
    const bool is_sure = file.pending[i].resizes && i < sized;
    for (int64_t sector = ranges[i].first / kSectorBytes;
         sector * kSectorBytes < ranges[i].second; ++sector) {
      const bool kept = file.pending[i].resizes ? is_sure : by_sector ? keeps() : whole[i];
      if (kept) last[sector] = i + 1;
    }
  }

  std::string content = file.durable;
  content.resize(static_cast<size_t>(longest), '\0');
  for (size_t i = 0; i < count; ++i) {
    const auto [begin, end] = ranges[i];
    for (int64_t at = begin; at < end;) {
      const int64_t sector = at / kSectorBytes;
      const int64_t until = std::min(end, (sector + 1) * kSectorBytes);
      const auto found = last.find(sector);
      if (found != last.end() && i < found->second) {
        const auto length = static_cast<size_t>(until - at);
        if (file.pending[i].resizes) {
          content.replace(static_cast<size_t>(at), length, length, '\0');
        } else {
          content.replace(static_cast<size_t>(at), length, *file.pending[i].bytes,
                          static_cast<size_t>(at - begin), length);
        }
      }
      at = until;
    }
  }
  content.resize(static_cast<size_t>(size), '\0');
  return content;
}

}  // namespace squish
