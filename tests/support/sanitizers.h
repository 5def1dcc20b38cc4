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

// The same for the preprocessor: any of the two.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TASKVISOR_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TASKVISOR_SANITIZED 1
#endif
#ifndef TASKVISOR_SANITIZED
#define TASKVISOR_SANITIZED 0
#endif

#endif  // TASKVISOR_TESTS_SUPPORT_SANITIZERS_H_
