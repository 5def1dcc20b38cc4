# Headers that are parsed once a build instead of once a source; what is built is the same.
# Off where taskvisor is part of another build, and with -DTASKVISOR_PRECOMPILE=OFF.
option(TASKVISOR_PRECOMPILE "Precompile the headers that most sources include"
       ${PROJECT_IS_TOP_LEVEL})

# What the library's own sources take from others.
set(TASKVISOR_LIBRARY_HEADERS
    <absl/functional/any_invocable.h> <absl/status/statusor.h> <absl/strings/str_cat.h>
    <algorithm> <chrono> <functional> <memory>
    <concurrentqueue/concurrentqueue.h>)

# taskvisor_precompiled(NAME target HEADERS header... LIBS target...): makes precompiled headers
# that targets with the same flags and definitions share.
function(taskvisor_precompiled)
  cmake_parse_arguments(PARSE_ARGV 0 ARG "" "NAME" "HEADERS;LIBS")
  if(NOT TASKVISOR_PRECOMPILE)
    return()
  endif()
  set(source "${PROJECT_BINARY_DIR}/precompiled/${ARG_NAME}.cc")
  file(CONFIGURE OUTPUT "${source}" CONTENT "// Here for its precompiled headers only.\n")
  add_library(${ARG_NAME} OBJECT "${source}")
  taskvisor_warnings(${ARG_NAME})
  target_compile_features(${ARG_NAME} PUBLIC cxx_std_20)
  target_include_directories(${ARG_NAME} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_LIBS})
  target_precompile_headers(${ARG_NAME} PRIVATE ${ARG_HEADERS})
endfunction()

# Of what came precompiled g++ 12 forgets that it is a system's header, and warns inside
# std::string of copies that it does not make.
function(taskvisor_quiet_precompiled target)
  target_compile_options(
    ${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-restrict;-Wno-stringop-overflow>)
endfunction()

# taskvisor_use_precompiled(target NAME): target includes them before anything else.
function(taskvisor_use_precompiled target name)
  if(TARGET ${name})
    target_precompile_headers(${target} REUSE_FROM ${name})
    taskvisor_quiet_precompiled(${target})
  endif()
endfunction()
