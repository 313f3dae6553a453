// The device class of the machine that an engine computes on.
#ifndef SQUISH_JETSON_AGENT_DEVICE_CLASS_H_
#define SQUISH_JETSON_AGENT_DEVICE_CLASS_H_

#include <string>

#include "absl/strings/string_view.h"

namespace squish {

// "host-x86_64/amd-epyc-7763": machine and processor model, as /proc/cpuinfo names it
// ("unknown" where it does not), in [a-z0-9-]. Pure.
std::string DeviceClassFrom(absl::string_view machine, absl::string_view cpuinfo);

// The same of this host.
std::string HostDeviceClass();

// What somebody has configured, else what the engine says, else the host's; empty: nothing.
std::string ChooseDeviceClass(const std::string& configured, const std::string& of_engine);

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_DEVICE_CLASS_H_
