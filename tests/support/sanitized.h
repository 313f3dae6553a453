// Whether a sanitizer watches: then a process needs several times the memory.
#ifndef SQUISH_TESTS_SUPPORT_SANITIZED_H_
#define SQUISH_TESTS_SUPPORT_SANITIZED_H_

namespace squish {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else  // Built with GCC, which is never asked for one (cmake/Sanitize.cmake).
inline constexpr bool kSanitized = false;
#endif

}  // namespace squish

#endif  // SQUISH_TESTS_SUPPORT_SANITIZED_H_
