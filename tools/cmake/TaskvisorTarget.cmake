# taskvisor_warnings(target): the warnings every target of this project compiles under.
function(taskvisor_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
  if(TASKVISOR_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# taskvisor_library(target): what the library's static targets share. The repository root is
# a PRIVATE include folder, so "bus/ring.h" can be written here and by nobody else.
function(taskvisor_library target)
  taskvisor_warnings(${target})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_compile_features(${target} PUBLIC cxx_std_20)
endfunction()

# taskvisor_program(target): a program that uses the public headers; check_layering.py sees to
# it that it uses nothing else. The root is there for the program's own headers.
function(taskvisor_program target)
  taskvisor_warnings(${target})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE taskvisor::taskvisor)
endfunction()
