#include "jetson-agent/telemetry/power_meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/time.h"
#include "tests/unit/telemetry/machine_trees.h"

namespace squish {
namespace {

using ::testing::SizeIs;

TEST(PowerMeterTest, ImagesPerJouleAreBySupplyOfTheModule) {
  const MachineTree machine(Tx1OnL4t32());
  const Telemetry telemetry(machine.root());
  PowerMeter meter(telemetry, absl::ZeroDuration());
  const std::optional<v1::BoardEnergy> energy = meter.Stop(95);
  ASSERT_TRUE(energy.has_value());
  EXPECT_EQ(energy->input_rail(), "VDD_IN");
  EXPECT_DOUBLE_EQ(energy->images_per_joule(), 10) << "95 images/s at 9.5 W";
  EXPECT_GE(energy->readings(), 1);
  EXPECT_THAT(energy->rails(), SizeIs(3));
}

TEST(PowerMeterTest, NothingIsSaidWithoutAReadingAfterSettling) {
  const MachineTree machine(Tx1OnL4t32());
  const Telemetry telemetry(machine.root());
  PowerMeter meter(telemetry, absl::InfiniteDuration());
  EXPECT_FALSE(meter.Stop(95).has_value());
}

TEST(PowerMeterTest, NothingIsSaidWhereTheSupplyTellsNothing) {
  const MachineTree machine(Tx1OnL4t32());
  const Telemetry telemetry(machine.root());
  const std::string rail = "/sys/bus/i2c/drivers/ina3221x/1-0040/iio_device/in_power0_input";
  machine.Write(rail, "0\n");
  PowerMeter of_nothing(telemetry, absl::ZeroDuration());
  EXPECT_FALSE(of_nothing.Stop(95).has_value());
}

TEST(PowerMeterTest, EndsItsThreadWithItself) {
  const MachineTree machine(Tx1OnL4t32());
  const Telemetry telemetry(machine.root());
  const PowerMeter meter(telemetry, absl::ZeroDuration());
}

}  // namespace
}  // namespace squish
