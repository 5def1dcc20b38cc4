# Headers, libraries, the CMake package and the pkg-config file.

include(CMakePackageConfigHelpers)

set(_taskvisor_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/taskvisor")

install(
  TARGETS taskvisor taskvisor_bus taskvisor_sched
  EXPORT taskvisorTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(
  EXPORT taskvisorTargets
  NAMESPACE taskvisor::
  DESTINATION "${_taskvisor_package_dir}")

# Each with targets of its own: it needs what the library does not.
foreach(part IN ITEMS testing exporters)
  if(TARGET taskvisor_${part})
    install(
      TARGETS taskvisor_${part}
      EXPORT taskvisor_${part}_targets
      ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
      FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
    install(
      EXPORT taskvisor_${part}_targets
      NAMESPACE taskvisor::
      DESTINATION "${_taskvisor_package_dir}")
  endif()
endforeach()

configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/taskvisorConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/package/taskvisorConfig.cmake"
  INSTALL_DESTINATION "${_taskvisor_package_dir}")
# Before 1.0 a minor version may break the interface.
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/package/taskvisorConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/package/taskvisorConfig.cmake"
              "${PROJECT_BINARY_DIR}/package/taskvisorConfigVersion.cmake"
        DESTINATION "${_taskvisor_package_dir}")

# The prefix is written relative to the file, so that an installed tree may be moved.
file(RELATIVE_PATH TASKVISOR_PC_PREFIX "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig"
     "${CMAKE_INSTALL_PREFIX}")
set(_taskvisor_pc taskvisor)
if(TARGET taskvisor_testing)
  list(APPEND _taskvisor_pc taskvisor_testing)
endif()
foreach(name IN LISTS _taskvisor_pc)
  configure_file("${CMAKE_CURRENT_LIST_DIR}/${name}.pc.in"
                 "${PROJECT_BINARY_DIR}/package/${name}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/package/${name}.pc"
          DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endforeach()
