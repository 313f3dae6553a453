#include "common/weights/checkpoint.h"

#include <limits>

#include "common/genome/ancestors.h"
#include "common/weights/network.h"
#include "common/weights/safetensors.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

TrainingState SomeState() {
  return {"task", "avx2+bf16", 17, {1.5f, -0.0f, 1e-42f}, {0, 0.25f, 3}, {2.5, 0.125}};
}

TEST(CheckpointTest, IsReadAsItWasWritten) {
  const std::string file = SerializeCheckpoint(SomeState());
  const auto state = ReadCheckpoint(file);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(*state, SomeState());
  EXPECT_EQ(SerializeCheckpoint(*state), file);
}

TEST(CheckpointTest, DamageAnywhereIsSeen) {
  const std::string file = SerializeCheckpoint(SomeState());
  for (size_t i = 0; i < file.size(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    const auto state = ReadCheckpoint(damaged);
    // What is padding may be anything that is no text.
    EXPECT_FALSE(state.ok() && !(*state == SomeState())) << "byte " << i;
    EXPECT_FALSE(ReadCheckpoint(file.substr(0, i)).ok()) << i << " bytes";
  }
  EXPECT_FALSE(ReadCheckpoint(file + "x").ok());
}

TEST(CheckpointTest, OtherFilesAreNone) {
  const Genome genome = *SqueezeNetV11(2, 0.1);
  const std::string network =
      Network{genome, FreshWeights(genome, 1, 0, 0), {"cat", "dog"}, {}}.ToSafetensors();
  TrainingState state = SomeState();
  state.step = 0;
  for (const std::string& file : {network, std::string("unreadable"), std::string(),
                                  SerializeSafetensors({{"squish.checkpoint", "2"}}, {}),
                                  SerializeSafetensors({{"squish.checkpoint", "1"}}, {}),
                                  SerializeCheckpoint(state)}) {
    EXPECT_EQ(ReadCheckpoint(file).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(CheckpointTest, IsKnownByItsFirstBytes) {
  const std::string file = SerializeCheckpoint(SomeState());
  EXPECT_TRUE(BeginsAsCheckpoint(file));
  EXPECT_TRUE(BeginsAsCheckpoint(file.substr(0, kCheckpointMarkBytes)));
  const Genome genome = *SqueezeNetV11(2, 0.1);
  EXPECT_FALSE(BeginsAsCheckpoint(
      Network{genome, FreshWeights(genome, 1, 0, 0), {"cat", "dog"}, {}}.ToSafetensors()));
  EXPECT_FALSE(BeginsAsCheckpoint(SerializeSafetensors({}, {})));
  EXPECT_FALSE(BeginsAsCheckpoint("12345678"));
  EXPECT_FALSE(BeginsAsCheckpoint(""));
}

}  // namespace
}  // namespace squish
