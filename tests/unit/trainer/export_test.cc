#include "worker/trainer/export.h"

#include <utility>

#include "common/base/sha256.h"
#include "common/export/difference.h"
#include "common/export/reference.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/torch_reference.h"
#include "tests/unit/trainer/memory_cache.h"
#include "worker/trainer/torchscript.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

constexpr int kSide = 32;

class ExportTest : public testing::Test {
 protected:
  static v1::ExportJob Job() {
    v1::ExportJob job;
    job.set_dataset_fingerprint("stripes");
    return job;
  }

  absl::StatusOr<Exported> Run(const DatasetCache& data) {
    fractions_.clear();
    return RunExport(Job(), network_, data, [this](const v1::TrainerEvent::Progress& progress) {
      fractions_.push_back(progress.fraction());
    });
  }

  MemoryCache data_{kSide, /*classes=*/2, /*train=*/50, /*selection=*/2};
  Network network_ = data_.FreshNetwork(0.2, /*seed=*/4);
  std::vector<double> fractions_;
};

TEST_F(ExportTest, TheFileIsDescribedAndWithinTheBound) {
  const auto exported = Run(data_);
  ASSERT_TRUE(exported.ok()) << exported.status();
  const v1::ExportedFile& file = exported->file;
  EXPECT_EQ(file.name(), "model.pt");
  EXPECT_EQ(file.artifact(), Sha256Hex(exported->torchscript));
  EXPECT_EQ(file.bytes(), static_cast<int64_t>(exported->torchscript.size()));
  EXPECT_LE(file.difference(), kMaximumDifference);
  EXPECT_LE(file.difference_at_100(), kMaximumDifference);
  EXPECT_EQ(file.checked_with(), LibTorchName());
  EXPECT_TRUE(std::is_sorted(fractions_.begin(), fractions_.end()));
  EXPECT_GE(fractions_.size(), 3u);
}

TEST_F(ExportTest, TheReferenceIsEightNormalisedTrainingPicturesFromAllOverTheSplit) {
  const auto exported = Run(data_);
  ASSERT_TRUE(exported.ok()) << exported.status();
  const auto reference = ReferenceFromSafetensors(exported->reference, network_);
  ASSERT_TRUE(reference.ok()) << reference.status();
  ASSERT_EQ(reference->size(), 2u);
  const ReferenceOutputs& own = (*reference)[0];
  ASSERT_EQ(own.pictures.shape[0], 8);
  for (int n = 0; n < 8; ++n) {
    const auto picture = data_.Image(v1::TRAIN, n * 50 / 8);
    for (int c = 0; c < 3; ++c) {
      for (int i = 0; i < kSide * kSide; ++i) {
        ASSERT_NEAR(own.pictures.values[(n * 3 + c) * kSide * kSide + i],
                    (picture[3 * i + c] / 255.0 - 0.4) / 0.25, 1e-6);
      }
    }
  }
  for (const ReferenceOutputs& at_size : *reference) {
    EXPECT_EQ(at_size.logits.values, TorchReference(network_, at_size.pictures).logits.values);
  }
}

TEST_F(ExportTest, AFewPicturesAreEnough) {
  const MemoryCache data(kSide, 2, /*train=*/3, 2);
  const auto exported = Run(data);
  ASSERT_TRUE(exported.ok()) << exported.status();
  const auto reference = ReferenceFromSafetensors(exported->reference, network_);
  ASSERT_TRUE(reference.ok()) << reference.status();
  EXPECT_EQ((*reference)[0].pictures.shape[0], 3);
}

TEST_F(ExportTest, ANetworkOfAHundredPixelsIsComparedOnceAndBothFiguresSaySo) {
  const MemoryCache data(100, 2, /*train=*/2, 2);
  network_ = data.FreshNetwork(0.1, 4);
  const auto exported = Run(data);
  ASSERT_TRUE(exported.ok()) << exported.status();
  EXPECT_EQ(exported->file.difference(), exported->file.difference_at_100());
}

TEST_F(ExportTest, TwoRunsGiveTheSameBytes) {
  const auto first = Run(data_), second = Run(data_);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->torchscript, second->torchscript);
  EXPECT_EQ(first->reference, second->reference);
}

TEST_F(ExportTest, OutputsThatAreNotFiniteMakeNoFile) {
  for (auto& [name, tensor] : network_.weights) {
    for (float& value : tensor.values) value *= 1e30f;
  }
  const auto exported = Run(data_);
  EXPECT_EQ(exported.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(exported.status().message()),
              testing::AllOf(HasSubstr("model.pt: its outputs"), HasSubstr("by inf of")));
}

TEST_F(ExportTest, AnotherDataSetOrNetworkIsRefused) {
  const MemoryCache other(kSide, 3, 6, 3);
  EXPECT_EQ(Run(other).status().code(), absl::StatusCode::kInvalidArgument) << "three classes";
  const MemoryCache larger(kSide + 8, 2, 6, 3);
  EXPECT_EQ(Run(larger).status().code(), absl::StatusCode::kInvalidArgument);
  const MemoryCache empty(kSide, 2, 0, 3);
  EXPECT_EQ(Run(empty).status().code(), absl::StatusCode::kFailedPrecondition);
  v1::ExportJob job = Job();
  job.set_dataset_fingerprint("another");
  EXPECT_EQ(RunExport(job, network_, data_, [](const auto&) {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace squish
