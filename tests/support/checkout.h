// Where this checkout and what was built of it lie. checkout.cc alone is compiled with these
// paths: what a compiler cache has of all other files serves every checkout.
#ifndef SQUISH_TESTS_SUPPORT_CHECKOUT_H_
#define SQUISH_TESTS_SUPPORT_CHECKOUT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace squish {

// The folder of the programs that were built with this test.
std::string ProgramFolder();

// The path of one of them, or of what else lies there.
std::string ProgramPath(absl::string_view name);

// The path of a program that is there for tests only (squish_test_program).
std::string TestProgramPath(absl::string_view name);

// The path of a file or folder of the checkout, by its path from the top.
std::string SourcePath(absl::string_view path);

}  // namespace squish

#endif  // SQUISH_TESTS_SUPPORT_CHECKOUT_H_
