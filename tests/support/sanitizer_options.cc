// Part of every test of a sanitizer build: how its sanitizer behaves is written into the
// program, so that a test run by hand and one run by ctest see the same.
//
// NOLINTBEGIN(bugprone-reserved-identifier): the names are
// those the sanitizers look for.

extern "C" const char* __asan_default_options() {
  return "detect_stack_use_after_return=1:strict_string_checks=1";
}

extern "C" const char* __ubsan_default_options() { return "print_stacktrace=1"; }

// A test that printed a report must not pass, whatever its assertions said.
extern "C" const char* __tsan_default_options() {
  return "halt_on_error=1:second_deadlock_stack=1";
}

// oneTBB's library is not instrumented: the edges by which its objects, all allocated with
// our operator new, go from thread to thread cannot be seen. Only what it allocates and
// frees itself is left out; what it calls counts as ever. So with Abseil's symbolizer: it hands
// its files, kept open, from thread to thread with atomics of its own.
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libtbb.so\ncalled_from_lib:libabsl_symbolize.so\n";
}

// oneTBB keeps an observer's proxy for as long as one of its workers, which it never joins
// before the process ends, was the last to look at it: 40 bytes of its own per arena.
extern "C" const char* __lsan_default_suppressions() { return "leak:tbb::detail::r1::observe\n"; }

// NOLINTEND(bugprone-reserved-identifier)
