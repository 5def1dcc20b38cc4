# CAF 0.17 has no CMake package on Debian: finds its headers and core library and makes the
# target caf::core for #include <caf/all.hpp>.

find_path(CafCore_INCLUDE_DIR NAMES caf/all.hpp)
find_library(CafCore_LIBRARY NAMES caf_core)
mark_as_advanced(CafCore_INCLUDE_DIR CafCore_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  CafCore
  REQUIRED_VARS CafCore_LIBRARY CafCore_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "on Debian, install libcaf-dev")

if(CafCore_FOUND AND NOT TARGET caf::core)
  add_library(caf::core UNKNOWN IMPORTED)
  set_target_properties(
    caf::core PROPERTIES IMPORTED_LOCATION "${CafCore_LIBRARY}"
                         INTERFACE_INCLUDE_DIRECTORIES "${CafCore_INCLUDE_DIR}")
endif()
