#include "worker/trainer/probe.h"

#include "common/dataset/resize.h"
#include "common/export/probe.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/torch_reference.h"
#include "tests/unit/trainer/memory_cache.h"

namespace squish {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr int kSide = 32;

class TrainerProbeTest : public testing::Test {
 protected:
  static v1::EngineFilesOrder Order(int input_size = kSide) {
    v1::EngineFilesOrder order;
    order.set_dataset_fingerprint("stripes");
    order.set_input_size(input_size);
    return order;
  }
  ReferenceOutputs Run(const DatasetCache& data, int input_size = kSide) const {
    const auto probe = RunProbe(Order(input_size), network_, data);
    EXPECT_TRUE(probe.ok()) << probe.status();
    if (!probe.ok()) return {};
    const auto read =
        ProbeFromSafetensors(probe->pictures, probe->outputs, input_size, network_.genome);
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? *read : ReferenceOutputs();
  }
  void ExpectRefused(const v1::EngineFilesOrder& order, const DatasetCache& data,
                     absl::StatusCode code, const char* message) const {
    const absl::Status status = RunProbe(order, network_, data).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }

  MemoryCache data_{kSide, /*classes=*/2, /*train=*/50, /*selection=*/2};
  Network network_ = data_.FreshNetwork(0.2, /*seed=*/4);
};

TEST_F(TrainerProbeTest, IsEightTrainingPicturesAndTheNetworksOutputsForThem) {
  const ReferenceOutputs probe = Run(data_);
  for (int n = 0; n < kProbePictures; ++n) {
    const auto picture = data_.Image(v1::TRAIN, n * 50 / kProbePictures);
    for (int c = 0; c < 3; ++c) {
      for (int i = 0; i < kSide * kSide; ++i) {
        ASSERT_NEAR(probe.pictures.values[(n * 3 + c) * kSide * kSide + i],
                    (picture[3 * i + c] / 255.0 - 0.4) / 0.25, 1e-6);
      }
    }
  }
  EXPECT_EQ(probe.logits.values, TorchReference(network_, probe.pictures).logits.values);
}

TEST_F(TrainerProbeTest, PicturesHaveTheOrderedSize) {
  for (const int size : {24, 48}) {
    const ReferenceOutputs probe = Run(data_, size);
    std::vector<uint8_t> first(static_cast<size_t>(3 * size * size));
    SquareResizer(kSide, size).Resize(data_.Image(v1::TRAIN, 0), absl::MakeSpan(first));
    for (int i = 0; i < size * size; ++i) {
      ASSERT_NEAR(probe.pictures.values[i], (first[3 * i] / 255.0 - 0.4) / 0.25, 1e-6);
    }
    EXPECT_EQ(probe.logits.values, TorchReference(network_, probe.pictures).logits.values);
  }
}

TEST_F(TrainerProbeTest, PicturesAreTheSameForEveryNetwork) {
  const auto first = RunProbe(Order(), network_, data_);
  const auto second = RunProbe(Order(), data_.FreshNetwork(0.3, /*seed=*/5), data_);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->pictures, second->pictures);
  EXPECT_NE(first->outputs, second->outputs);
}

TEST_F(TrainerProbeTest, WhereThereAreFewerSomeAreThereTwice) {
  const MemoryCache few(kSide, 2, /*train=*/3, 2);
  EXPECT_EQ(Run(few).pictures.shape[0], kProbePictures);
}

TEST_F(TrainerProbeTest, OutputsThatAreNotFiniteCheckNothing) {
  for (auto& [name, tensor] : network_.weights) {
    for (float& value : tensor.values) value *= 1e30f;
  }
  EXPECT_THAT(Run(data_).logits.values, Each(0.0f));
}

TEST_F(TrainerProbeTest, WhatCannotBeIsRefused) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
  for (const int size : {-1, 0, 1025}) {
    ExpectRefused(Order(size), data_, kInvalid, "pixels a side are wanted; 1 to 1024 can be");
  }
  ExpectRefused(Order(4), data_, kInvalid, "");
  v1::EngineFilesOrder other = Order();
  other.set_dataset_fingerprint("another");
  ExpectRefused(other, data_, kPrecondition, "not another");
  ExpectRefused(Order(), MemoryCache(kSide, 2, 0, 2), kPrecondition, "no pictures");
  ExpectRefused(Order(), MemoryCache(kSide, 3, 9, 2), kInvalid, "classes");
}

}  // namespace
}  // namespace squish
