// Real pictures and weights that tests look at where they are at hand; no part of the
// product. Tests of theirs are CTest entries of their own (squish_test's SHARED_DATA),
// so that CTest says "Skipped" where the folder is absent.
#ifndef SQUISH_TESTS_SUPPORT_SHARED_DATA_H_
#define SQUISH_TESTS_SUPPORT_SHARED_DATA_H_

#include <cstdlib>
#include <filesystem>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/checkout.h"

namespace squish {

// $SQUISH_SHARED_DATA, else shared/data beside the checkout.
inline std::string SharedDataFolder() {
  if (const char* folder = std::getenv("SQUISH_SHARED_DATA")) return folder;
  return SourcePath("../shared/data");
}

}  // namespace squish

// Only where the whole folder is absent: a file that is missing in it is a failure.
#define SQUISH_SKIP_WITHOUT_SHARED_DATA()                     \
  if (!std::filesystem::exists(::squish::SharedDataFolder())) \
  GTEST_SKIP() << "there is no " << ::squish::SharedDataFolder()

#endif  // SQUISH_TESTS_SUPPORT_SHARED_DATA_H_
