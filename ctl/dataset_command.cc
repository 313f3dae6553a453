#include "ctl/dataset_command.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/dataset/check.h"
#include "ctl/table.h"

namespace squish {
namespace {

constexpr size_t kGroupsShown = 20;  // In tables; JSON has all.
constexpr int kBarWidth = 30;
constexpr char kWipe[] = "\r\x1b[K";  // The terminal's line.

// How far the check is, on one line of a terminal; nowhere without one.
class ProgressLine {
 public:
  explicit ProgressLine(std::ostream* terminal) : terminal_(terminal) {}
  ~ProgressLine() {
    if (percent_ >= 0) *terminal_ << kWipe << std::flush;
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void Show(double fraction) {
    const int percent = static_cast<int>(100 * fraction);
    if (terminal_ == nullptr || percent == percent_) return;
    percent_ = percent;
    *terminal_ << kWipe << Bar(fraction, kBarWidth) << " " << percent << " %" << std::flush;
  }

 private:
  std::ostream* const terminal_;
  int percent_ = -1;  // As shown.
};

std::string RangeText(const FolderCheck::Range& range) {
  return absl::StrCat(range.least, " to ", range.most, " pixels, median ", range.median);
}

std::vector<Column> ClassColumns() {
  return {{"class", Align::kLeft}, {"train"}, {"selection"}, {"val"}};
}

void PrintClasses(const FolderCheck& check, std::ostream& out) {
  std::vector<std::vector<std::string>> rows;
  FolderCheck::Class total{"all"};
  const auto add = [&rows](const FolderCheck::Class& one) {
    rows.push_back({one.name, WithThousands(one.train), WithThousands(one.selection),
                    WithThousands(one.val)});
  };
  for (const FolderCheck::Class& one : check.classes) {
    add(one);
    total.train += one.train;
    total.selection += one.selection;
    total.val += one.val;
  }
  add(total);
  out << FormatTable(ClassColumns(), rows);
}

void PrintCsv(const FolderCheck& check, std::ostream& out) {
  Sheet sheet{ClassColumns(), {}};
  for (const FolderCheck::Class& one : check.classes) {
    sheet.rows.push_back({one.name, absl::StrCat(one.train), absl::StrCat(one.selection),
                          absl::StrCat(one.val)});
  }
  out << FormatCsv(sheet);
}

void PrintGroups(const char* title, const FolderCheck::Groups& groups, std::ostream& out) {
  if (groups.empty()) return;
  out << "\n" << title << ":\n";
  for (size_t i = 0; i < std::min(groups.size(), kGroupsShown); ++i) {
    out << "  " << absl::StrJoin(groups[i], " = ") << "\n";
  }
  if (groups.size() > kGroupsShown) {
    out << "  and " << groups.size() - kGroupsShown << " more (--format json shows all)\n";
  }
}

void PrintTables(const FolderCheck& check, std::ostream& out) {
  PrintClasses(check, out);
  out << "\n" << WithThousands(check.files) << " files: " << WithThousands(check.jpegs)
      << " JPEG, " << WithThousands(check.pngs) << " PNG, "
      << WithThousands(static_cast<int64_t>(check.unreadable.size())) << " unreadable\n"
      << "width  " << RangeText(check.width) << "\n"
      << "height " << RangeText(check.height) << "\n";
  if (!check.unreadable.empty()) {
    out << "\nunreadable:\n  " << absl::StrJoin(check.unreadable, "\n  ") << "\n";
  }
  PrintGroups("in train/ and in val/", check.leaks, out);
  PrintGroups("in two classes", check.mislabelled, out);
  PrintGroups("more than once in a class and split", check.duplicates, out);
  if (!check.problems.empty() || !check.warnings.empty()) out << "\n";
  for (const std::string& problem : check.problems) out << "problem: " << problem << "\n";
  for (const std::string& warning : check.warnings) out << "warning: " << warning << "\n";
  if (check.problems.empty() && check.warnings.empty()) out << "\nno problems, no warnings\n";
}

nlohmann::json RangeJson(const FolderCheck::Range& range) {
  return {{"min", range.least}, {"median", range.median}, {"max", range.most}};
}

void PrintJson(const FolderCheck& check, std::ostream& out) {
  nlohmann::json classes = nlohmann::json::array();
  for (const FolderCheck::Class& one : check.classes) {
    classes.push_back({{"name", one.name},
                       {"train", one.train},
                       {"selection", one.selection},
                       {"val", one.val}});
  }
  const nlohmann::json json = {
      {"classes", classes},
      {"files", check.files},
      {"jpeg", check.jpegs},
      {"png", check.pngs},
      {"width", RangeJson(check.width)},
      {"height", RangeJson(check.height)},
      {"smaller_than_input", check.smaller},
      {"unreadable", check.unreadable},
      {"in_train_and_val", check.leaks},
      {"in_two_classes", check.mislabelled},
      {"duplicates", check.duplicates},
      {"problems", check.problems},
      {"warnings", check.warnings},
  };
  // Reasons may quote the system, in whatever encoding.
  out << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

absl::StatusOr<FolderCheck> Check(const DatasetCheckOptions& options, std::ostream* terminal) {
  v1::DatasetSpec spec;
  spec.set_input_size(options.input_size);
  spec.set_resize(options.resize);
  spec.mutable_image_folder();
  const int threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  ProgressLine line(terminal);
  return CheckImageFolder(spec, options.folder, threads,
                          [&line](double fraction) { line.Show(fraction); });
}

}  // namespace

absl::Status DatasetCheckCommand(const DatasetCheckOptions& options, std::ostream& out,
                                 std::ostream* terminal) {
  SQUISH_ASSIGN_OR_RETURN(const FolderCheck check, Check(options, terminal));
  switch (options.format) {
    case Format::kTable:
      PrintTables(check, out);
      break;
    case Format::kJson:
      PrintJson(check, out);
      break;
    case Format::kCsv:
      PrintCsv(check, out);
      break;
  }
  if (check.problems.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("a run would refuse ", options.folder, ": ", check.problems[0],
                   check.problems.size() > 1
                       ? absl::StrCat(" (and ", check.problems.size() - 1, " more problems)")
                       : ""));
}

void AddDatasetCommand(CLI::App& app,
                       std::function<void(std::function<absl::Status()> command)> choose) {
  CLI::App* dataset = app.add_subcommand("dataset", "Look at the pictures to learn from");
  dataset->require_subcommand(1);
  CLI::App* check = dataset->add_subcommand(
      "check", "Say what is in a folder of pictures and what is wrong with it, without a "
               "coordinator; exit status 1 where a run would refuse it");
  const auto options = std::make_shared<DatasetCheckOptions>();
  const std::map<std::string, v1::ResizeRule> rules = {
      {"SQUASH", v1::SQUASH}, {"SHORT_SIDE_CENTER_CROP", v1::SHORT_SIDE_CENTER_CROP}};
  check->add_option("DIR", options->folder, "The folder, with train/CLASS/ and val/CLASS/")
      ->required();
  check->add_option("--input-size", options->input_size, "Side of the networks' input in pixels")
      ->check(CLI::Range(8, 1024))
      ->capture_default_str();
  check->add_option("--resize", options->resize, "As dataset.resize of an experiment")
      ->transform(CLI::CheckedTransformer(rules, CLI::ignore_case).description(""))
      ->type_name("SQUASH|SHORT_SIDE_CENTER_CROP");
  const std::map<std::string, Format> formats = {
      {"table", Format::kTable}, {"json", Format::kJson}, {"csv", Format::kCsv}};
  check->add_option("--format", options->format, "table, json, or csv (the classes alone)")
      ->transform(CLI::CheckedTransformer(formats).description(""))
      ->type_name("table|json|csv");
  check->callback([options, choose = std::move(choose)] {
    choose([options] {
      return DatasetCheckCommand(*options, std::cout,
                                 ::isatty(STDERR_FILENO) == 1 ? &std::cerr : nullptr);
    });
  });
}

}  // namespace squish
