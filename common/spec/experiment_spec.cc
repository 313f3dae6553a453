#include "common/spec/experiment_spec.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/genome/ancestors.h"
#include "common/genome/shapes.h"
#include "common/spec/checks.h"
#include "common/spec/defaults.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"

namespace squish {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::TextFormat;

// The built-in set and CIFAR-10 both have ten classes. How many a folder has is not known
// before a worker has looked; the size path is checked again then.
constexpr int kClasses = 10;
constexpr size_t kLongestText = 1 << 20;

// Keeps the first error that protobuf's parser reports.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (message_.empty()) {
      message_ = absl::StrCat(std::max(line, 0) + 1, ":", std::max(column, 0) + 1, ": ", message);
    }
  }
  const std::string& message() const { return message_; }

 private:
  std::string message_;
};

// Where the field at `path` stands in the text: "line:column". A field that is not
// there is said to be where the message that lacks it starts.
std::string Locate(const std::string& path, const google::protobuf::Descriptor* message,
                   TextFormat::ParseInfoTree* tree) {
  TextFormat::ParseLocation best(0, 0);
  for (absl::string_view part : absl::StrSplit(path, '.')) {
    int index = -1;
    if (const size_t bracket = part.find('['); bracket != absl::string_view::npos) {
      (void)absl::SimpleAtoi(part.substr(bracket + 1, part.size() - bracket - 2), &index);
      part = part.substr(0, bracket);
    }
    const FieldDescriptor* field = message->FindFieldByName(std::string(part));
    if (field == nullptr) break;
    if (field->is_repeated()) index = std::max(index, 0);  // All of them: where they start.
    const TextFormat::ParseLocation here = tree->GetLocation(field, index);
    if (here.line < 0) break;
    best = here;
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) break;
    tree = tree->GetTreeForNested(field, index);
    message = field->message_type();
    if (tree == nullptr) break;
  }
  return absl::StrCat(best.line + 1, ":", best.column + 1);
}

// Pictures that are too small for the ancestor's layers.
std::optional<SpecProblem> FindShapeProblem(const v1::ExperimentSpec& spec, const Genome& ancestor) {
  const std::pair<const char*, int> sizes[] = {
      {"dataset.input_size", spec.dataset().input_size()},
      {"measurement.input_size", spec.measurement().input_size()}};
  for (const auto& [field, size] : sizes) {
    const auto shapes = ComputeShapes(ancestor, size);
    if (!shapes.ok()) {
      return SpecProblem{field, absl::StrCat("is ", size, ", too small for the ancestor (",
                                             shapes.status().message(), "); make it larger")};
    }
  }
  return std::nullopt;
}

// Fills in and checks; a problem comes back with its field.
std::optional<SpecProblem> Complete(v1::ExperimentSpec& spec) {
  FillDefaults(spec);
  if (auto problem = FindProblem(spec)) return problem;
  const bool imported = spec.ancestor().has_imported();
  if (!spec.ancestor().has_squeezenet_v1_1() && !imported) return std::nullopt;
  const auto ancestor =
      SqueezeNetV11(kClasses, imported ? 1 : spec.ancestor().squeezenet_v1_1().width());
  if (!ancestor.ok()) {
    return SpecProblem{"ancestor.squeezenet_v1_1", std::string(ancestor.status().message())};
  }
  if (auto problem = FindShapeProblem(spec, *ancestor)) return problem;
  return FindOutOfReach(spec, *ancestor);
}

}  // namespace

absl::StatusOr<v1::ExperimentSpec> ParseExperimentSpec(absl::string_view text,
                                                       absl::string_view file) {
  if (text.size() > kLongestText) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ":1:1: has ", text.size(), " bytes; a spec has at most ", kLongestText));
  }
  FirstError error;
  TextFormat::ParseInfoTree tree;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.WriteLocationsTo(&tree);
  v1::ExperimentSpec spec;
  if (!parser.ParseFromString(std::string(text), &spec)) {
    return absl::InvalidArgumentError(absl::StrCat(
        file, ":", error.message().empty() ? "1:1: is no experiment spec" : error.message()));
  }
  if (const auto problem = Complete(spec)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ":", Locate(problem->field, spec.GetDescriptor(), &tree), ": ",
                     problem->field, ": ", problem->message));
  }
  return spec;
}

absl::StatusOr<v1::ExperimentSpec> CompleteExperimentSpec(v1::ExperimentSpec spec) {
  if (const auto problem = Complete(spec)) {
    return absl::InvalidArgumentError(absl::StrCat(problem->field, ": ", problem->message));
  }
  return spec;
}

}  // namespace squish
