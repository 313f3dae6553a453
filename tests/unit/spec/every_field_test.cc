// What must hold for every field of a spec, by reflection, so that a field added later
// is tested without anyone thinking of it.
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/spec/experiment_spec.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Texts that people write for people.
bool IsFreeText(const std::string& path) {
  return path == "data_terms" || path == "ancestor.imported.licence" ||
         path == "ancestor.imported.note" || path == "ancestor.imported.file";
}

// Every message that a spec can have is in it, but for what excludes each other.
v1::ExperimentSpec FullSpec() {
  v1::ExperimentSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(R"(
    name: "full"
    dataset {
      name: "shapes" input_size: 32
      built_in { seed: 1 train_images: 1000 val_images: 200 }
    }
    ancestor { squeezenet_v1_1 { } }
    environment { constraints { min_accuracy: 0.5 } closed_loop { megabytes: 2 } }
    synthesis { mates: 2 multipliers { } synapses { } } measurement { beside { } }
    training { offspring { distillation { teacher: PARENT } } final { } halving { keep: 2 } })",
                                                            &spec));
  return spec;
}

// Calls `visit` with every singular scalar field and the message it is in.
void ForEveryScalar(Message& message, const std::string& prefix,
                    const std::function<void(Message&, const FieldDescriptor*,
                                             const std::string& path)>& visit) {
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    const std::string path = prefix + field->name();
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      if (field->is_repeated()) continue;
      visit(message, field, path);
    } else if (field->is_repeated()) {
      for (int n = 0; n < reflection->FieldSize(message, field); ++n) {
        ForEveryScalar(*reflection->MutableRepeatedMessage(&message, field, n),
                       absl::StrCat(path, "[", n, "]."), visit);
      }
    } else if (reflection->HasField(message, field)) {
      ForEveryScalar(*reflection->MutableMessage(&message, field), path + ".", visit);
    }
  }
}

// Every spec that differs from a complete one in one field, set by `change`, which
// says whether it applies. Members of a oneof that are not set stay so.
void ForEveryChange(const std::function<bool(Message&, const FieldDescriptor*)>& change,
                    const std::function<void(const v1::ExperimentSpec&, const std::string&)>& use) {
  const v1::ExperimentSpec complete = CompleteExperimentSpec(FullSpec()).value();
  std::vector<std::string> paths;
  v1::ExperimentSpec copy = complete;
  const auto eligible = [](const Message& message, const FieldDescriptor* field) {
    return field->real_containing_oneof() == nullptr ||
           message.GetReflection()->HasField(message, field);
  };
  ForEveryScalar(copy, "", [&](Message& message, const FieldDescriptor* field, const auto& path) {
    if (eligible(message, field)) paths.push_back(path);
  });
  for (const std::string& wanted : paths) {
    v1::ExperimentSpec changed = complete;
    bool applied = false;
    ForEveryScalar(changed, "", [&](Message& message, const FieldDescriptor* field,
                                    const auto& path) {
      if (path == wanted) applied = change(message, field);
    });
    if (applied) use(changed, wanted);
  }
}

void ExpectRefused(const v1::ExperimentSpec& spec, const std::string& path) {
  const auto result = CompleteExperimentSpec(spec);
  ASSERT_FALSE(result.ok()) << path << " was accepted in " << spec.ShortDebugString();
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StartsWith(result.status().message(), path))
      << path << " is not where the message starts: " << result.status().message();
}

TEST(EveryFieldTest, CompleteSpecHasEveryOptionalField) {
  v1::ExperimentSpec spec = CompleteExperimentSpec(FullSpec()).value();
  int fields = 0;
  ForEveryScalar(spec, "", [&](Message& message, const FieldDescriptor* field, const auto& path) {
    if (!field->has_presence() || field->real_containing_oneof() != nullptr) return;
    EXPECT_TRUE(message.GetReflection()->HasField(message, field)) << path;
    ++fields;
  });
  EXPECT_GT(fields, 45);
}

TEST(EveryFieldTest, NoNumberMayBeNanOrInfinite) {
  int changes = 0;
  for (const double value : {std::nan(""), std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity(), -1.0}) {
    ForEveryChange(
        [value](Message& message, const FieldDescriptor* field) {
          if (field->cpp_type() != FieldDescriptor::CPPTYPE_DOUBLE) return false;
          message.GetReflection()->SetDouble(&message, field, value);
          return true;
        },
        [&changes](const auto& spec, const auto& path) {
          ExpectRefused(spec, path);
          ++changes;
        });
  }
  EXPECT_GT(changes, 4 * 20);
}

TEST(EveryFieldTest, NoWholeNumberMayBeNegativeOrHuge) {
  for (const int32_t value : {-1, std::numeric_limits<int32_t>::min(),
                              std::numeric_limits<int32_t>::max()}) {
    ForEveryChange(
        [value](Message& message, const FieldDescriptor* field) {
          if (field->cpp_type() != FieldDescriptor::CPPTYPE_INT32) return false;
          message.GetReflection()->SetInt32(&message, field, value);
          return true;
        },
        ExpectRefused);
  }
}

TEST(EveryFieldTest, NoChoiceMayBeUnknown) {
  ForEveryChange(
      [](Message& message, const FieldDescriptor* field) {
        if (field->cpp_type() != FieldDescriptor::CPPTYPE_ENUM) return false;
        message.GetReflection()->SetEnumValue(&message, field, 99);
        return true;
      },
      ExpectRefused);
}

TEST(EveryFieldTest, NoTextMayBeArbitrary) {
  for (const std::string& value : {std::string("two words"), std::string("a\nb"),
                                   std::string("a\0b", 3), std::string(200, 'a'),
                                   std::string("\xff")}) {
    ForEveryChange(
        [&value](Message& message, const FieldDescriptor* field) {
          if (field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) return false;
          message.GetReflection()->SetString(&message, field, value);
          return true;
        },
        [](const v1::ExperimentSpec& spec, const std::string& path) {
          if (!IsFreeText(path)) ExpectRefused(spec, path);
        });
  }
}

TEST(EveryFieldTest, NoTextMayBeOtherThanUtf8) {
  int texts = 0;
  ForEveryChange(
      [](Message& message, const FieldDescriptor* field) {
        if (field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) return false;
        message.GetReflection()->SetString(&message, field, "M\xfcnchen");
        return true;
      },
      [&texts](const v1::ExperimentSpec& spec, const std::string& path) {
        ExpectRefused(spec, path);
        ++texts;
      });
  EXPECT_GE(texts, 4);
}

TEST(EveryFieldTest, NoTextMayBeEndless) {
  int texts = 0;
  ForEveryChange(
      [](Message& message, const FieldDescriptor* field) {
        if (field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) return false;
        message.GetReflection()->SetString(&message, field, std::string(5000, 'a'));
        return true;
      },
      [&texts](const v1::ExperimentSpec& spec, const std::string& path) {
        ExpectRefused(spec, path);
        ++texts;
      });
  EXPECT_GE(texts, 4);
}

}  // namespace
}  // namespace squish
