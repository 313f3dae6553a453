#include "coordinator/service/board_check.h"

#include <algorithm>
#include <initializer_list>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

constexpr size_t kMaximumTextBytes = 64;
constexpr int kMaximumParts = 32;
constexpr double kHighestNumber = 1e12;

// Not for NaN either.
absl::Status CheckRange(absl::string_view name, double value, double least, double most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " is ", value));
}

absl::Status CheckCelsius(double celsius) { return CheckRange("a temperature", celsius, -40, 200); }

absl::Status CheckParts(int count) {
  return CheckRange("a count of parts", count, 0, kMaximumParts);
}

absl::Status CheckTexts(std::initializer_list<absl::string_view> texts) {
  for (const absl::string_view text : texts) {
    const bool printable = std::all_of(text.begin(), text.end(), [](char c) {
      return absl::ascii_isprint(static_cast<unsigned char>(c));
    });
    if (!printable || text.size() > kMaximumTextBytes) {
      return absl::InvalidArgumentError("a text is too long or not printable");
    }
  }
  return absl::OkStatus();
}

// 0: not known.
absl::Status CheckClocks(std::initializer_list<double> megahertz) {
  for (const double clock : megahertz) {
    if (clock == 0) continue;
    SQUISH_RETURN_IF_ERROR(CheckRange("a clock in MHz", clock, 1, 10'000));
  }
  return absl::OkStatus();
}

absl::Status CheckRails(const google::protobuf::RepeatedPtrField<v1::RailPower>& rails) {
  SQUISH_RETURN_IF_ERROR(CheckParts(rails.size()));
  for (const v1::RailPower& rail : rails) {
    SQUISH_RETURN_IF_ERROR(CheckTexts({rail.name()}));
    SQUISH_RETURN_IF_ERROR(CheckRange("a rail's power in W", rail.watts(), 0, 1000));
  }
  return absl::OkStatus();
}

absl::Status CheckInfo(const v1::BoardInfo& info) {
  SQUISH_RETURN_IF_ERROR(
      CheckTexts({info.model(), info.l4t(), info.jetpack(), info.cuda(), info.tensorrt()}));
  return CheckClocks({info.cpu_minimum_megahertz(), info.cpu_maximum_megahertz(),
                      info.gpu_minimum_megahertz(), info.gpu_maximum_megahertz()});
}

absl::Status CheckSample(const v1::BoardSample& sample) {
  SQUISH_RETURN_IF_ERROR(
      CheckTexts({sample.cpu_governor(), sample.gpu_governor(), sample.power_mode()}));
  SQUISH_RETURN_IF_ERROR(CheckClocks({sample.cpu_megahertz(), sample.gpu_megahertz()}));
  SQUISH_RETURN_IF_ERROR(CheckRange("gpu_load", sample.gpu_load(), 0, 1));
  SQUISH_RETURN_IF_ERROR(CheckRails(sample.rails()));
  SQUISH_RETURN_IF_ERROR(CheckParts(sample.zones_size()));
  for (const v1::ThermalZone& zone : sample.zones()) {
    SQUISH_RETURN_IF_ERROR(CheckTexts({zone.name()}));
    SQUISH_RETURN_IF_ERROR(CheckCelsius(zone.celsius()));
    SQUISH_RETURN_IF_ERROR(CheckCelsius(zone.trip_celsius()));
  }
  SQUISH_RETURN_IF_ERROR(CheckParts(sample.throttles_size()));
  for (const v1::Throttle& throttle : sample.throttles()) {
    SQUISH_RETURN_IF_ERROR(CheckTexts({throttle.name()}));
  }
  return absl::OkStatus();
}

absl::Status CheckBlocks(const v1::BoardBlocks& during) {
  SQUISH_RETURN_IF_ERROR(CheckRange("during.samples", during.samples(), 0, kHighestNumber));
  SQUISH_RETURN_IF_ERROR(CheckCelsius(during.hottest_celsius()));
  return CheckClocks({during.cpu_lowest_megahertz(), during.cpu_highest_megahertz(),
                      during.gpu_lowest_megahertz(), during.gpu_highest_megahertz()});
}

absl::Status CheckEnergy(const v1::BoardEnergy& energy) {
  SQUISH_RETURN_IF_ERROR(CheckTexts({energy.input_rail()}));
  SQUISH_RETURN_IF_ERROR(CheckRails(energy.rails()));
  SQUISH_RETURN_IF_ERROR(CheckRange("energy.readings", energy.readings(), 1, kHighestNumber));
  return CheckRange("energy.images_per_joule", energy.images_per_joule(), 1 / kHighestNumber,
                    kHighestNumber);
}

}  // namespace

absl::Status CheckBoard(const v1::BoardReport& board) {
  SQUISH_RETURN_IF_ERROR(CheckInfo(board.info()));
  SQUISH_RETURN_IF_ERROR(CheckSample(board.before()));
  SQUISH_RETURN_IF_ERROR(CheckBlocks(board.during()));
  SQUISH_RETURN_IF_ERROR(CheckSample(board.after()));
  if (board.has_energy()) SQUISH_RETURN_IF_ERROR(CheckEnergy(board.energy()));
  return CheckRange("cooling_seconds", board.cooling_seconds(), 0, kHighestNumber);
}

}  // namespace squish
