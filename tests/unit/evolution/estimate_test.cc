#include "coordinator/evolution/estimate.h"

#include <cmath>

#include "gtest/gtest.h"
#include "tests/unit/evolution/evolution_fixture.h"

namespace squish {
namespace {

class EstimateTest : public testing::Test {
 protected:
  v1::EstimateResponse Estimate() { return EstimateCost(spec_, basis_); }

  v1::ExperimentSpec spec_ = TestSpec();  // 3 generations of 4, R = 0.5; 3 and 1 epochs.
  EstimateBasis basis_{.train_images = 100,
                       .first = {.parameters = 1000, .macs = 10'000, .bytes = 4000},
                       .slots = 2,
                       .macs_per_second = 1e6};
};

TEST_F(EstimateTest, JobsAreCounted) {
  spec_.add_report_megabytes(1);
  EXPECT_EQ(Estimate().synthesize_jobs(), 13);
  EXPECT_EQ(Estimate().train_jobs(), 13);
  EXPECT_EQ(Estimate().measure_jobs(), 13);
  EXPECT_EQ(Estimate().evaluate_jobs(), 5);
  EXPECT_EQ(Estimate().export_jobs(), 5);
  spec_.mutable_training()->mutable_final()->set_epochs(2);
  spec_.mutable_training()->mutable_final()->set_batch(50);
  EXPECT_EQ(Estimate().train_jobs(), 18);
  spec_.mutable_measurement()->set_fitness(v1::MeasurementSpec::ESTIMATED);
  EXPECT_EQ(Estimate().measure_jobs(), 0);
}

TEST_F(EstimateTest, ThereAreNoMoreChampionsThanIndividuals) {
  spec_.set_generations(0);
  EXPECT_EQ(Estimate().evaluate_jobs(), 1);
}

TEST_F(EstimateTest, ImagesAreThoseOfEveryTraining) {
  EXPECT_EQ(Estimate().images(), 300 + 3 * 4 * 100);
  spec_.mutable_training()->mutable_final()->set_epochs(2);
  spec_.mutable_training()->mutable_final()->set_batch(50);
  EXPECT_EQ(Estimate().images(), 300 + 3 * 4 * 100 + 4 * 200);
}

TEST_F(EstimateTest, OnlyReportSizesAreFewerChampions) {
  spec_.add_report_megabytes(1);
  spec_.add_report_megabytes(2);
  spec_.set_only_report_sizes(true);
  EXPECT_EQ(Estimate().evaluate_jobs(), 2);
}

TEST_F(EstimateTest, RungsAreCounted) {
  v1::TrainingSpec::Rung& rung = *spec_.mutable_training()->add_halving();
  rung.set_epochs(0.5);
  rung.set_keep(2);
  EXPECT_EQ(Estimate().train_jobs(), 1 + 3 * (4 + 2));
  EXPECT_EQ(Estimate().images(), 300 + 3 * (4 * 50 + 2 * 100));
}

TEST_F(EstimateTest, ImagesOfSmallSetsAreOfWholeBatches) {
  basis_.train_images = 60;
  // 3.6 and 1.2 steps of 50.
  EXPECT_EQ(Estimate().images(), 200 + 3 * 4 * 50);
}

TEST_F(EstimateTest, APlanThatDoesNotKeepItsBudgetIsRefused) {
  EXPECT_TRUE(CheckImages(spec_, 100).ok()) << "there is none";
  spec_.set_maximum_images(1500);
  EXPECT_TRUE(CheckImages(spec_, 100).ok()) << CheckImages(spec_, 100);
  EXPECT_TRUE(CheckImages(spec_, 0).ok()) << "not known yet";
  spec_.set_maximum_images(1499);
  const absl::Status refused = CheckImages(spec_, 100);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(refused.message().find("up to 1500 images"), absl::string_view::npos) << refused;
}

TEST_F(EstimateTest, HoursFollowTheSizePath) {
  // The ancestor alone: 300 pictures of 10^4. Then two rounds of two networks with 100
  // pictures of 5000, 2500 and 1250; 10^6 a second and slot.
  EXPECT_DOUBLE_EQ(Estimate().hours(), (3e6 + 200 * 8750.0) / 1e6 / 3600);
  spec_.mutable_training()->mutable_offspring()->mutable_distillation()->set_teacher(
      v1::Distillation::ANCESTOR);
  EXPECT_DOUBLE_EQ(Estimate().hours(), (3e6 + 200 * (8750.0 + 1e4)) / 1e6 / 3600)
      << "the teacher's forward pass is a third of what its training would be";
}

TEST_F(EstimateTest, MoreSlotsThanNetworksHelpNobody) {
  basis_.slots = 4;
  const double hours = Estimate().hours();
  EXPECT_DOUBLE_EQ(hours, (3e6 + 100 * 8750.0) / 1e6 / 3600);
  basis_.slots = 64;
  EXPECT_EQ(Estimate().hours(), hours);
  basis_.slots = 3;
  EXPECT_DOUBLE_EQ(Estimate().hours(), (3e6 + 200 * 8750.0) / 1e6 / 3600) << "two rounds";
}

TEST_F(EstimateTest, WhatIsUnknownIsLeftOut) {
  basis_.macs_per_second.reset();
  EXPECT_FALSE(Estimate().has_hours());
  basis_.macs_per_second = 1e6;
  basis_.slots = 0;
  EXPECT_FALSE(Estimate().has_hours());
  basis_.slots = 1;
  basis_.train_images = 0;
  EXPECT_FALSE(Estimate().has_hours());
  EXPECT_EQ(Estimate().images(), 0);
  EXPECT_EQ(Estimate().train_jobs(), 13);
}

TEST_F(EstimateTest, DiskHoldsEveryNetworkTwiceAndTheChampionsFiles) {
  spec_.mutable_exports()->add_batches(1);
  // 4000 B at first, then 4 a generation of 2000, 1000, 500; four champions of 500 as 4 files.
  EXPECT_EQ(Estimate().disk_bytes(), 2 * (4000 + 4 * 3500) + 4 * 4 * 500);
}

}  // namespace
}  // namespace squish
