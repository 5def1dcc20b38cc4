# Stops early, in one sentence, where the build could only fail later in many.

if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
  message(FATAL_ERROR "taskvisor: only Linux is supported (it parks threads on futexes); "
                      "this is ${CMAKE_SYSTEM_NAME}.")
endif()

set(_taskvisor_needs "g++ 12 or newer, or clang 14 or newer")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(_taskvisor_minimum 12)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(_taskvisor_minimum 14)
else()
  message(FATAL_ERROR "taskvisor: needs ${_taskvisor_needs}; "
                      "this is ${CMAKE_CXX_COMPILER_ID} (${CMAKE_CXX_COMPILER}).")
endif()
if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS _taskvisor_minimum)
  message(FATAL_ERROR "taskvisor: needs ${_taskvisor_needs}; this is "
                      "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} "
                      "(${CMAKE_CXX_COMPILER}). Name another with "
                      "-DCMAKE_CXX_COMPILER=...")
endif()
unset(_taskvisor_needs)
unset(_taskvisor_minimum)
