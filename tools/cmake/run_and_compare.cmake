# cmake -DPROGRAM=<file> -DEXPECTED=<file> -P run_and_compare.cmake
# Runs PROGRAM; fails unless it exits 0 and its stdout is exactly EXPECTED.

execute_process(COMMAND "${PROGRAM}" OUTPUT_VARIABLE output RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ended with ${result}; it printed:\n${output}")
endif()
file(READ "${EXPECTED}" expected)
if(NOT output STREQUAL expected)
  message(FATAL_ERROR "${PROGRAM} printed:\n${output}\n${EXPECTED} expects:\n${expected}")
endif()
