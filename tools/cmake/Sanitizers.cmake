# TASKVISOR_SANITIZER: instruments everything built here, tests and GoogleTest included.

if(TASKVISOR_SANITIZER STREQUAL "")
  return()
endif()

# Every report ends the program: a test that printed one must not pass.
add_compile_options(-fsanitize=${TASKVISOR_SANITIZER} -fno-sanitize-recover=all
                    -fno-omit-frame-pointer -g1)
add_link_options(-fsanitize=${TASKVISOR_SANITIZER})

if(TASKVISOR_SANITIZER STREQUAL "thread")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # concurrentqueue orders its blocks with fences, which ThreadSanitizer cannot see. Its
    # plain accesses are left out; its atomics still count, so what it hands over is checked.
    set(_taskvisor_ignorelist "${PROJECT_SOURCE_DIR}/tools/cmake/tsan_ignorelist.txt")
    add_compile_options("-fsanitize-ignorelist=${_taskvisor_ignorelist}")
    unset(_taskvisor_ignorelist)
  else()
    # g++ has no such list: it warns of those fences, and may report that header.
    add_compile_options(-Wno-tsan)
  endif()
elseif(NOT TASKVISOR_SANITIZER STREQUAL "address,undefined")
  message(FATAL_ERROR "taskvisor: TASKVISOR_SANITIZER must be \"\", \"address,undefined\" or "
                      "\"thread\"; it is \"${TASKVISOR_SANITIZER}\".")
endif()
