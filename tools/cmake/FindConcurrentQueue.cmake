# moodycamel's ConcurrentQueue has no CMake package: finds its header and makes the target
# concurrentqueue::concurrentqueue for #include <concurrentqueue/concurrentqueue.h>.

find_path(ConcurrentQueue_INCLUDE_DIR NAMES concurrentqueue/concurrentqueue.h)
mark_as_advanced(ConcurrentQueue_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  ConcurrentQueue
  REQUIRED_VARS ConcurrentQueue_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "on Debian, install libconcurrentqueue-dev")

if(ConcurrentQueue_FOUND AND NOT TARGET concurrentqueue::concurrentqueue)
  add_library(concurrentqueue::concurrentqueue INTERFACE IMPORTED)
  target_include_directories(concurrentqueue::concurrentqueue
                             INTERFACE "${ConcurrentQueue_INCLUDE_DIR}")
endif()
