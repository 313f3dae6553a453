#include "worker/trainer/split_evaluation.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/torch/inference.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/trainer/memory_cache.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

constexpr int kSide = 24;
constexpr int kClasses = 3;

// Pictures with names, and the selection split also as VAL.
class NamedCache : public MemoryCache {
 public:
  using MemoryCache::MemoryCache;
  std::string Name(v1::Split split, int index) const override {
    return split == v1::SELECTION ? absl::StrCat("train/a,b/", index, ".png") : "";
  }
  int Count(v1::Split split) const override { return MemoryCache::Count(Seen(split)); }
  absl::Span<const uint8_t> Image(v1::Split split, int index) const override {
    return MemoryCache::Image(Seen(split), index);
  }
  int Label(v1::Split split, int index) const override {
    return MemoryCache::Label(Seen(split), index);
  }

 private:
  static v1::Split Seen(v1::Split split) { return split == v1::VAL ? v1::SELECTION : split; }
};

class SplitEvaluationTest : public testing::Test {
 protected:
  static v1::EvaluateJob Job(v1::Split split = v1::SELECTION) {
    v1::EvaluateJob job;
    job.set_dataset_fingerprint("stripes");
    job.set_split(split);
    job.set_threads(1);
    job.set_device(v1::TrainingSpec::CPU);
    return job;
  }

  absl::StatusOr<Evaluated> Run(const v1::EvaluateJob& job) {
    fractions_.clear();
    return RunEvaluation(job, network_, data_, [this](const v1::TrainerEvent::Progress& progress) {
      fractions_.push_back(progress.fraction());
      EXPECT_FALSE(progress.note().empty());
    });
  }

  void ExpectRefused(const v1::EvaluateJob& job, absl::StatusCode code, const char* message) {
    const auto evaluated = Run(job);
    EXPECT_EQ(evaluated.status().code(), code);
    EXPECT_THAT(std::string(evaluated.status().message()), HasSubstr(message));
  }

  NamedCache data_{kSide, kClasses, /*train=*/6, /*selection=*/100};
  Network network_ = data_.FreshNetwork(0.2, /*seed=*/4);
  std::vector<double> fractions_;
};

TEST_F(SplitEvaluationTest, FiguresAreThoseOfTheNetworksOwnOutputs) {
  const auto evaluated = Run(Job());
  ASSERT_TRUE(evaluated.ok()) << evaluated.status();
  // The same by hand, one picture at a time.
  const auto inference =
      Inference::Create(network_.genome, network_.weights, /*batch=*/1, /*side=*/kSide);
  ASSERT_TRUE(inference.ok()) << inference.status();
  int right = 0;
  double log_loss = 0;
  for (int i = 0; i < 100; ++i) {
    std::vector<float> pixels, logits(kClasses);
    for (const uint8_t byte : data_.Image(v1::SELECTION, i)) {
      pixels.push_back(static_cast<float>((byte / 255.0 - 0.4f) / 0.25f));
    }
    ASSERT_TRUE((*inference)->Run(pixels, absl::MakeSpan(logits)).ok());
    const int label = data_.Label(v1::SELECTION, i);
    double sum = 0;
    for (const float logit : logits) sum += std::exp(double{logit});
    log_loss -= double{logits[label]} - std::log(sum);
    right += std::max_element(logits.begin(), logits.end()) - logits.begin() == label;
  }
  const v1::Evaluation& evaluation = evaluated->result.evaluation();
  EXPECT_EQ(evaluation.images(), 100);
  EXPECT_NEAR(evaluation.accuracy(), right / 100.0, 1e-12);
  EXPECT_NEAR(evaluation.log_loss(), log_loss / 100, 1e-5);
  EXPECT_EQ(evaluation.confusion_size(), kClasses * kClasses);
  EXPECT_FALSE(evaluated->result.numerics_class().empty());
}

TEST_F(SplitEvaluationTest, PredictionsNameEveryPictureInOrder) {
  auto evaluated = Run(Job());
  ASSERT_TRUE(evaluated.ok()) << evaluated.status();
  std::vector<std::string> lines = absl::StrSplit(evaluated->predictions, '\n');
  ASSERT_EQ(lines.size(), 102u) << "a header, a line a picture, nothing behind the last";
  EXPECT_EQ(lines[0], "picture,class,predicted,log_loss");
  EXPECT_THAT(lines[1], testing::StartsWith("\"train/a,b/0.png\",stripe-0,stripe-"));
  EXPECT_THAT(lines[100], testing::StartsWith("\"train/a,b/99.png\",stripe-0,stripe-"));

  evaluated = Run(Job(v1::VAL));
  ASSERT_TRUE(evaluated.ok()) << evaluated.status();
  EXPECT_THAT(evaluated->predictions, HasSubstr("\nVAL/0,stripe-0,")) << "where there are no names";
}

TEST_F(SplitEvaluationTest, TwoRunsGiveTheSameBits) {
  const auto first = Run(Job()), second = Run(Job());
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->predictions, second->predictions);
  EXPECT_EQ(first->result.SerializeAsString(), second->result.SerializeAsString());
}

TEST_F(SplitEvaluationTest, ProgressRisesFromNothingToAll) {
  ASSERT_TRUE(Run(Job()).ok());
  EXPECT_THAT(fractions_, testing::ElementsAre(0, 0.64, 1));
}

TEST_F(SplitEvaluationTest, OnlySelectionAndValAreEvaluated) {
  ExpectRefused(Job(v1::TRAIN), absl::StatusCode::kInvalidArgument, "split TRAIN");
  ExpectRefused(Job(v1::SPLIT_UNSPECIFIED), absl::StatusCode::kInvalidArgument, "split");
}

TEST_F(SplitEvaluationTest, ASplitWithoutPicturesIsRefused) {
  const MemoryCache data(kSide, kClasses, 6, 6);
  const auto evaluated = RunEvaluation(Job(v1::VAL), network_, data, [](const auto&) {});
  EXPECT_EQ(evaluated.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(evaluated.status().message()), HasSubstr("VAL"));
}

TEST_F(SplitEvaluationTest, AnotherDataSetIsRefused) {
  v1::EvaluateJob job = Job();
  job.set_dataset_fingerprint("another");
  ExpectRefused(job, absl::StatusCode::kFailedPrecondition, "another");
}

TEST_F(SplitEvaluationTest, ThreadsOutOfRangeAreRefused) {
  v1::EvaluateJob job = Job();
  for (const int threads : {0, -1, 257}) {
    job.set_threads(threads);
    ExpectRefused(job, absl::StatusCode::kInvalidArgument, "threads");
  }
}

TEST_F(SplitEvaluationTest, ANetworkForOtherPicturesOrClassesIsRefused) {
  network_.preprocessing.set_input_size(kSide + 1);
  ExpectRefused(Job(), absl::StatusCode::kInvalidArgument, "pixels a side");
  network_.preprocessing.set_input_size(kSide);
  std::swap(network_.class_names[0], network_.class_names[1]);
  ExpectRefused(Job(), absl::StatusCode::kInvalidArgument, "classes");
}

TEST_F(SplitEvaluationTest, OutputsThatOverflowAreAnErrorNotAFigure) {
  for (auto& [name, tensor] : network_.weights) {
    for (float& value : tensor.values) value *= 1e30f;
  }
  ExpectRefused(Job(), absl::StatusCode::kInvalidArgument, "not finite");
}

}  // namespace
}  // namespace squish
