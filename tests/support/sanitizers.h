#ifndef TASKVISOR_TESTS_SUPPORT_SANITIZERS_H_
#define TASKVISOR_TESTS_SUPPORT_SANITIZERS_H_

namespace taskvisor::testing {

// Which sanitizer this binary is built with.
#if defined(__has_feature)
inline constexpr bool kThreadSanitizer = __has_feature(thread_sanitizer);
inline constexpr bool kAddressSanitizer = __has_feature(address_sanitizer);
#else
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif
#endif

}  // namespace taskvisor::testing

#endif  // TASKVISOR_TESTS_SUPPORT_SANITIZERS_H_
