// Early return on absl::Status errors.
//
//   SQUISH_RETURN_IF_ERROR(store.Put(blob));
//   SQUISH_ASSIGN_OR_RETURN(const Genome genome, Genome::FromJson(text));
#ifndef SQUISH_COMMON_BASE_STATUS_MACROS_H_
#define SQUISH_COMMON_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define SQUISH_RETURN_IF_ERROR(expression)                  \
  do {                                                      \
    if (absl::Status squish_status = (expression);          \
        !squish_status.ok()) {                              \
      return squish_status;                                 \
    }                                                       \
  } while (false)

#define SQUISH_CONCAT_INNER_(a, b) a##b
#define SQUISH_CONCAT_(a, b) SQUISH_CONCAT_INNER_(a, b)
#define SQUISH_ASSIGN_OR_RETURN(left, expression) \
  SQUISH_ASSIGN_OR_RETURN_(SQUISH_CONCAT_(squish_or_, __LINE__), left, expression)
#define SQUISH_ASSIGN_OR_RETURN_(temporary, left, expression) \
  auto temporary = (expression);                              \
  if (!temporary.ok()) return std::move(temporary).status();  \
  left = *std::move(temporary)

#endif  // SQUISH_COMMON_BASE_STATUS_MACROS_H_
