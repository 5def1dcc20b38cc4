# cmake -DBUILD_DIR=... -DCXX_COMPILER=... -DGENERATOR=... -DBUILD_TYPE=... -P install_test.cmake
#
# Installs the build into a scratch prefix, moves that prefix (an installed tree must not
# remember where it was put), then builds and runs the consumer project beside this file.

set(scratch "${BUILD_DIR}/install_test")
set(prefix "${scratch}/moved")
file(REMOVE_RECURSE "${scratch}")

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run(${CMAKE_COMMAND} --install "${BUILD_DIR}" --prefix "${scratch}/prefix")
file(RENAME "${scratch}/prefix" "${prefix}")

# The public face, and nothing from inside.
file(GLOB_RECURSE headers RELATIVE "${prefix}/include" "${prefix}/include/*")
if(NOT headers)
  message(FATAL_ERROR "no header was installed")
endif()
foreach(header IN LISTS headers)
  if(NOT header MATCHES "^taskvisor/.*\\.h$")
    message(FATAL_ERROR "installed, but not a public header: include/${header}")
  endif()
endforeach()

run(${CMAKE_COMMAND} -S "${CMAKE_CURRENT_LIST_DIR}" -B "${scratch}/build" -G "${GENERATOR}"
    "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}" "-DCMAKE_BUILD_TYPE=${BUILD_TYPE}"
    "-DCMAKE_PREFIX_PATH=${prefix}")
run(${CMAKE_COMMAND} --build "${scratch}/build")
run("${scratch}/build/consumer")
run("${scratch}/build/consumer_pkg_config")
if(EXISTS "${prefix}/include/taskvisor/exporters/json_lines.h")
  run("${scratch}/build/consumer_exporters")
endif()
if(EXISTS "${prefix}/include/taskvisor/testing.h")
  run("${scratch}/build/consumer_simulation")
  run("${scratch}/build/consumer_simulation_pkg_config")
endif()
