// The device class of the machine that an engine computes on.
#ifndef SQUISH_JETSON_AGENT_DEVICE_CLASS_H_
#define SQUISH_JETSON_AGENT_DEVICE_CLASS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "squish/v1/job.pb.h"

namespace squish {

// "jetson-tx1/l4t-32.7" of a Jetson: module and L4T's release, in [a-z0-9.-]. Empty where the
// model is no Jetson's. One L4T names the TX1 "NVIDIA Jetson TX1 Developer Kit", another
// "jetson_tx1": both are jetson-tx1. The last number of an L4T only mends things and is left
// out; "l4t-unknown" where none is known. Pure.
std::string JetsonDeviceClass(const v1::BoardInfo& board);

// "host-x86_64/amd-epyc-7763": machine and processor model, as /proc/cpuinfo names it
// ("unknown" where it does not), in [a-z0-9-]. Pure.
std::string DeviceClassFrom(absl::string_view machine, absl::string_view cpuinfo);

// That of this host, of the two above: with /proc/cpuinfo below `system_root`.
std::string HostDeviceClass(const std::string& system_root, const v1::BoardInfo& board);

// What somebody has configured, else what the engine says, else the host's; empty: nothing.
std::string ChooseDeviceClass(const std::string& configured, const std::string& of_engine,
                              const std::string& system_root, const v1::BoardInfo& board);

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_DEVICE_CLASS_H_
