// The example program that goes with exported networks: examples/classify/classify.cc,
// built in.
#ifndef SQUISH_CTL_EXAMPLE_PROGRAM_H_
#define SQUISH_CTL_EXAMPLE_PROGRAM_H_

#include <string>

namespace squish {

std::string ExampleProgram();

}  // namespace squish

#endif  // SQUISH_CTL_EXAMPLE_PROGRAM_H_
