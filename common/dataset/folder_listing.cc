#include "common/dataset/folder_listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/base/text.h"
#include "common/dataset/cache_layout.h"

namespace squish {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using OpenFolder = std::unique_ptr<DIR, CloseFolder>;

bool SameFolder(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

struct Entry {
  std::string name;
  struct stat info;
  bool there;  // Not so: a link to nothing.
};

// What a folder holds, in byte order of the names; `seen` is called for each.
absl::StatusOr<std::vector<Entry>> Entries(const std::string& path,
                                           absl::FunctionRef<void()> seen) {
  const OpenFolder folder(::opendir(path.c_str()));
  if (folder == nullptr) return ErrnoStatus(errno, "cannot open the folder", path);
  std::vector<Entry> entries;
  errno = 0;
  while (const dirent* found = ::readdir(folder.get())) {
    Entry entry;
    entry.name = found->d_name;
    if (entry.name[0] == '.') continue;
    entry.there = ::fstatat(::dirfd(folder.get()), found->d_name, &entry.info, 0) == 0;
    entries.push_back(std::move(entry));
    seen();
    errno = 0;
  }
  if (errno != 0) return ErrnoStatus(errno, "cannot list the folder", path);
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

class Lister {
 public:
  Lister(absl::string_view root, absl::FunctionRef<void()> alive) : root_(root), alive_(alive) {}

  absl::Status ListSplit(const std::string& split, std::vector<ListedClass>& classes,
                         std::vector<std::string>& stray) {
    SQUISH_ASSIGN_OR_RETURN(std::vector<Entry> entries, EntriesOf(split));
    for (Entry& entry : entries) {
      const std::string path = absl::StrCat(split, "/", entry.name);
      if (!entry.there || !S_ISDIR(entry.info.st_mode)) {
        stray.push_back(path);
        continue;
      }
      ListedClass listed{std::move(entry.name), {}};
      SQUISH_RETURN_IF_ERROR(ListBelow(path, entry.info, listed.files));
      std::sort(listed.files.begin(), listed.files.end(),
                [](const ListedFile& a, const ListedFile& b) { return a.path < b.path; });
      classes.push_back(std::move(listed));
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<std::vector<Entry>> EntriesOf(const std::string& path) {
    return Entries(JoinPath(root_, path), [this] {
      if (++seen_ % kListedTogether == 0) alive_();
    });
  }

  absl::Status ListBelow(const std::string& path, const struct stat& folder,
                         std::vector<ListedFile>& files) {
    SQUISH_ASSIGN_OR_RETURN(const std::vector<Entry> entries, EntriesOf(path));
    open_.push_back(folder);
    for (const Entry& entry : entries) {
      const std::string below = absl::StrCat(path, "/", entry.name);
      if (entry.there && S_ISDIR(entry.info.st_mode)) {
        const bool loop = std::any_of(open_.begin(), open_.end(), [&entry](const auto& above) {
          return SameFolder(above, entry.info);
        });
        if (!loop) SQUISH_RETURN_IF_ERROR(ListBelow(below, entry.info, files));
        continue;
      }
      ListedFile file;
      file.path = below;
      if (entry.there) {
        file.regular = S_ISREG(entry.info.st_mode);
        file.stat = absl::StrCat(entry.info.st_size, " ", entry.info.st_mtim.tv_sec, ".",
                                 entry.info.st_mtim.tv_nsec, " ", entry.info.st_ctim.tv_sec, ".",
                                 entry.info.st_ctim.tv_nsec);
      }
      files.push_back(std::move(file));
    }
    open_.pop_back();
    return absl::OkStatus();
  }

  const std::string root_;
  const absl::FunctionRef<void()> alive_;
  int64_t seen_ = 0;
  std::vector<struct stat> open_;  // The folders that the walk is inside of.
};

bool IsPrintable(absl::string_view name) {
  while (!name.empty()) {
    const size_t bytes = Utf8CharacterBytes(name);
    if (bytes == 0 || static_cast<unsigned char>(name[0]) < 0x20 || name[0] == 0x7F) return false;
    name.remove_prefix(bytes);
  }
  return true;
}

void FindSplitProblems(const char* split, const std::vector<ListedClass>& classes,
                       absl::string_view folder, std::vector<std::string>& problems) {
  for (const ListedClass& listed : classes) {
    const std::string name = absl::StrCat(split, "/", PrintableName(listed.name));
    if (!IsPrintable(listed.name)) {
      problems.push_back(absl::StrCat("the class folder ", name, " of ", folder,
                                      " has a name that is no printable UTF-8; rename it"));
    }
    if (listed.files.empty()) {
      problems.push_back(absl::StrCat("the class folder ", name, " of ", folder,
                                      " is empty; put pictures there, or remove the class from "
                                      "train and val"));
    }
  }
}

void FindMissing(const char* split, const std::vector<ListedClass>& here, const char* other,
                 const std::vector<ListedClass>& there, absl::string_view folder,
                 std::vector<std::string>& problems) {
  for (const ListedClass& listed : here) {
    const bool found = std::any_of(there.begin(), there.end(), [&listed](const auto& one) {
      return one.name == listed.name;
    });
    if (found) continue;
    problems.push_back(absl::StrCat("the class '", PrintableName(listed.name), "' of ", folder,
                                    " is in ", split, "/ and not in ", other,
                                    "/; both need the same class folders"));
  }
}

}  // namespace

std::string PrintableName(absl::string_view name) {
  return IsPrintable(name) ? std::string(name) : absl::CHexEscape(name);
}

absl::StatusOr<FolderListing> ListImageFolder(absl::string_view folder,
                                              absl::FunctionRef<void()> alive) {
  FolderListing listing;
  Lister lister(folder, alive);
  for (const bool train : {true, false}) {
    const char* const split = train ? "train" : "val";
    const absl::Status listed =
        lister.ListSplit(split, train ? listing.train : listing.val, listing.stray);
    struct stat info;
    if (absl::IsNotFound(listed) && ::stat(std::string(folder).c_str(), &info) == 0 &&
        ::stat(JoinPath(folder, split).c_str(), &info) != 0) {
      return absl::NotFoundError(
          absl::StrCat(folder, " has no folder ", split, "/; pictures are expected in ", split,
                       "/CLASS/ there, and in ", train ? "val" : "train", "/CLASS/"));
    }
    SQUISH_RETURN_IF_ERROR(listed);
  }
  return listing;
}

std::vector<std::string> FolderProblems(const FolderListing& listing, absl::string_view folder) {
  std::vector<std::string> problems;
  FindSplitProblems("train", listing.train, folder, problems);
  FindSplitProblems("val", listing.val, folder, problems);
  FindMissing("train", listing.train, "val", listing.val, folder, problems);
  FindMissing("val", listing.val, "train", listing.train, folder, problems);
  const size_t classes = listing.train.size();
  if (classes < 2) {
    problems.push_back(absl::StrCat(folder, " has ", classes == 0 ? "no class" : "one class only",
                                    " in train/; a classifier needs two at least, each in a folder "
                                    "of its own: train/CLASS/, val/CLASS/"));
  }
  if (classes > static_cast<size_t>(kMaximumClasses)) {
    problems.push_back(absl::StrCat(folder, " has ", classes, " classes; at most ",
                                    kMaximumClasses, " are possible"));
  }
  return problems;
}

}  // namespace squish
