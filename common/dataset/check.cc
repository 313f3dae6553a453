#include "common/dataset/check.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/dataset/folder_listing.h"
#include "common/dataset/image_folder.h"
#include "common/dataset/picture_header.h"
#include "common/dataset/selection_split.h"
#include "common/dataset/work_in_order.h"

namespace squish {
namespace {

struct Examined {
  bool train = true;
  int label = 0;
  ListedFile file;
  // Found by reading it.
  absl::Status failure;  // Not about the file.
  std::string problem;
  std::string content;
  PictureHeader header;
};

// Every file, with labels after the names of the classes of both splits.
std::vector<Examined> FilesOf(const FolderListing& listing, std::vector<std::string>* names) {
  std::set<std::string> all;
  for (const auto* classes : {&listing.train, &listing.val}) {
    for (const ListedClass& listed : *classes) all.insert(listed.name);
  }
  names->assign(all.begin(), all.end());
  std::vector<Examined> files;
  for (const bool train : {true, false}) {
    for (const ListedClass& listed : train ? listing.train : listing.val) {
      const auto label = std::lower_bound(names->begin(), names->end(), listed.name);
      for (const ListedFile& file : listed.files) {
        Examined examined;
        examined.train = train;
        examined.label = static_cast<int>(label - names->begin());
        examined.file = file;
        files.push_back(std::move(examined));
      }
    }
  }
  return files;
}

absl::Status Examine(const v1::DatasetSpec& spec, absl::string_view folder, Examined& one) {
  SQUISH_ASSIGN_OR_RETURN(const std::string bytes, ReadListedFile(folder, one.file));
  SQUISH_ASSIGN_OR_RETURN(one.header, ReadPictureHeader(bytes));
  const int side = spec.input_size();
  std::vector<uint8_t> pixels(size_t{3} * side * side);
  SQUISH_RETURN_IF_ERROR(
      DecodePicture(bytes, one.header, spec.resize(), side, absl::MakeSpan(pixels)));
  one.content = Sha256Hex(bytes);
  return absl::OkStatus();
}

FolderCheck::Range RangeOf(std::vector<int> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

void DescribePictures(const std::vector<Examined>& files, int input_size, FolderCheck& check) {
  std::vector<int> widths, heights;
  for (const Examined& one : files) {
    if (!one.problem.empty()) {
      check.unreadable.push_back(absl::StrCat(PrintableName(one.file.path), ": ", one.problem));
      continue;
    }
    ++(one.header.format == PictureHeader::kJpeg ? check.jpegs : check.pngs);
    widths.push_back(one.header.width);
    heights.push_back(one.header.height);
    check.smaller += std::min(one.header.width, one.header.height) < input_size ? 1 : 0;
  }
  check.files = static_cast<int>(files.size());
  check.width = RangeOf(std::move(widths));
  check.height = RangeOf(std::move(heights));
}

void FindEqualFiles(const std::vector<Examined>& files, FolderCheck& check) {
  std::map<std::string, std::vector<const Examined*>> by_content;
  for (const Examined& one : files) {
    if (one.problem.empty()) by_content[one.content].push_back(&one);
  }
  for (const auto& [content, equal] : by_content) {
    if (equal.size() < 2) continue;
    std::vector<std::string> names;
    std::set<bool> splits;
    std::set<int> labels;
    for (const Examined* one : equal) {
      names.push_back(PrintableName(one->file.path));
      splits.insert(one->train);
      labels.insert(one->label);
    }
    if (labels.size() > 1) check.mislabelled.push_back(names);
    if (splits.size() > 1) check.leaks.push_back(names);
    if (labels.size() == 1 && splits.size() == 1) check.duplicates.push_back(names);
  }
  for (FolderCheck::Groups* groups : {&check.mislabelled, &check.leaks, &check.duplicates}) {
    std::sort(groups->begin(), groups->end());
  }
}

// Counts the classes, training pictures by the split that a run would make.
void CountClasses(const std::vector<Examined>& files, const std::vector<std::string>& names,
                  FolderCheck& check) {
  for (const std::string& name : names) check.classes.push_back({PrintableName(name)});
  std::vector<TrainingPicture> training;
  for (const Examined& one : files) {
    if (!one.problem.empty()) continue;
    if (one.train) {
      training.push_back({one.label, one.content});
    } else {
      ++check.classes[static_cast<size_t>(one.label)].val;
    }
  }
  const auto held_out = HeldOutForSelection(training, names);
  for (size_t i = 0; i < training.size(); ++i) {
    FolderCheck::Class& of = check.classes[static_cast<size_t>(training[i].label)];
    ++(held_out.ok() && (*held_out)[i] ? of.selection : of.train);
  }
  // What is wrong with the classes' folders is said already.
  if (!held_out.ok() && check.problems.empty()) {
    check.problems.emplace_back(held_out.status().message());
  }
}

void Judge(const FolderListing& listing, const v1::DatasetSpec& spec, FolderCheck& check) {
  const auto count = [](size_t number, absl::string_view one, absl::string_view many) {
    return absl::StrCat(number, " ", number == 1 ? one : many);
  };
  const double share = spec.image_folder().has_maximum_unreadable()
                           ? spec.image_folder().maximum_unreadable()
                           : kDefaultMaximumUnreadable;
  const size_t unreadable = check.unreadable.size();
  if (static_cast<double>(unreadable) > share * check.files) {
    check.problems.push_back(absl::StrCat(
        count(unreadable, "file", "files"), " of ", check.files,
        " cannot be read, more than the share of ", share,
        " that is left out by default; repair or remove them, or raise "
        "dataset.image_folder.maximum_unreadable"));
  } else if (unreadable > 0) {
    check.warnings.push_back(absl::StrCat(count(unreadable, "file", "files"),
                                          " cannot be read and would be left out"));
  }
  for (const FolderCheck::Class& one : check.classes) {
    if (one.train < kFewTrainingPictures) {
      check.warnings.push_back(absl::StrCat("class '", one.name, "' has only ", one.train,
                                            " pictures to train on after the selection split; ",
                                            kFewTrainingPictures, " or more are needed to learn it"));
    }
    if (one.val == 0 && check.problems.empty()) {
      check.warnings.push_back(absl::StrCat("class '", one.name,
                                            "' has no readable picture in val/: the final report "
                                            "says nothing of it"));
    }
  }
  const auto warn_of = [&](const FolderCheck::Groups& groups, absl::string_view what) {
    if (groups.empty()) return;
    check.warnings.push_back(absl::StrCat(count(groups.size(), "picture is", "pictures are"), " ",
                                          what));
  };
  warn_of(check.leaks, "in train/ and in val/: the final report would be too good");
  warn_of(check.mislabelled, "in two classes: one of the labels is wrong");
  warn_of(check.duplicates, "there more than once in a class and split");
  if (check.smaller > 0) {
    check.warnings.push_back(absl::StrCat(
        count(static_cast<size_t>(check.smaller), "picture is", "pictures are"),
        " smaller than the input of ", spec.input_size(), " pixels and would be enlarged"));
  }
  if (!listing.stray.empty()) {
    check.warnings.push_back(absl::StrCat(
        count(listing.stray.size(), "file lies", "files lie"),
        " beside the class folders and would be passed over, such as ",
        PrintableName(listing.stray[0])));
  }
}

}  // namespace

absl::StatusOr<FolderCheck> CheckImageFolder(const v1::DatasetSpec& spec, absl::string_view folder,
                                             int threads,
                                             const std::function<void(double)>& progress) {
  SQUISH_ASSIGN_OR_RETURN(const FolderListing listing, ListImageFolder(folder));
  DecodeSideBySide();
  FolderCheck check;
  check.problems = FolderProblems(listing, folder);
  std::vector<std::string> names;
  std::vector<Examined> files = FilesOf(listing, &names);
  const int count = static_cast<int>(files.size());
  int done = 0;
  const auto tell = [&] { progress(static_cast<double>(done) / std::max(1, count)); };
  SQUISH_RETURN_IF_ERROR(WorkInOrder<Examined>(
      count, threads,
      [&](int i) {
        Examined one = files[static_cast<size_t>(i)];
        const absl::Status status = Examine(spec, folder, one);
        if (absl::IsInvalidArgument(status)) {
          one.problem = std::string(status.message());
        } else if (!status.ok()) {
          one.failure = absl::Status(
              status.code(), absl::StrCat(PrintableName(one.file.path), ": ", status.message()));
        }
        return one;
      },
      [&](Examined& one) {
        SQUISH_RETURN_IF_ERROR(one.failure);
        files[static_cast<size_t>(done++)] = std::move(one);
        if (done % 100 == 0 || done == count) tell();
        return absl::OkStatus();
      },
      tell));
  DescribePictures(files, spec.input_size(), check);
  FindEqualFiles(files, check);
  CountClasses(files, names, check);
  Judge(listing, spec, check);
  return check;
}

}  // namespace squish
