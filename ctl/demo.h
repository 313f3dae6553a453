// `squishctl demo`: one evolution on this machine with the real programs, from an empty
// folder to a table.
//
//   take the folder ─► start the cluster ─► submit ─► one line an individual ─► results
//                         │                                │
//                         └── a process dies, or Ctrl-C ───┴─► stop everything, say why
//
// Whatever happens, no process that it started is left behind.
#ifndef SQUISH_CTL_DEMO_H_
#define SQUISH_CTL_DEMO_H_

#include <ostream>

#include "ctl/demo_spec.h"

namespace squish {

// Runs to the end and returns the exit status of the program: 0; 1 with a sentence on
// `errors`; 128 + the signal that asked it to stop. `programs` is the folder of
// coordinator, worker and jetson-agent. Call it from the main thread.
int RunDemo(const DemoOptions& options, const std::string& programs, std::ostream& out,
            std::ostream& errors);

}  // namespace squish

#endif  // SQUISH_CTL_DEMO_H_
