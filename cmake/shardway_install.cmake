# Installing: one export set a component, so that `core` asks its users for neither PostgreSQL, protobuf nor spdlog.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(shardway_package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/shardway")

# shardway_install_library(<target> <component>)
function(shardway_install_library target component)
  if(NOT SHARDWAY_INSTALL)
    return()
  endif()
  install(TARGETS ${target} EXPORT shardway-${component}-targets
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT Development
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT Runtime NAMELINK_COMPONENT Development
    INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
endfunction()

# shardway_install_component(<component> ROOMS <room>... [LIBRARIES <room>...] [REQUIRES <.pc name>...] [PRIVATE <.pc name>...])
# Headers, export set and .pc file. LIBRARIES are in the order of a static link.
function(shardway_install_component component)
  if(NOT SHARDWAY_INSTALL)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "ROOMS;LIBRARIES;REQUIRES;PRIVATE" ${ARGN})
  foreach(room IN LISTS ARG_ROOMS)
    # A room without promised headers has no folder there.
    if(EXISTS "${PROJECT_SOURCE_DIR}/include/shardway/${room}")
      install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/shardway/${room}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/shardway"
        COMPONENT Development)
    endif()
  endforeach()
  install(EXPORT shardway-${component}-targets NAMESPACE shardway:: DESTINATION "${shardway_package_folder}" COMPONENT Development)

  set(component_name "${component}")
  list(TRANSFORM ARG_LIBRARIES PREPEND "-lshardway_")
  list(JOIN ARG_LIBRARIES " " component_libraries)
  # Our static archives with others' shared libraries is the usual mix, and `--static` would ask for theirs as archives too.
  if(NOT BUILD_SHARED_LIBS)
    list(APPEND ARG_REQUIRES ${ARG_PRIVATE})
    set(ARG_PRIVATE "")
  endif()
  list(JOIN ARG_REQUIRES ", " component_requires)
  list(JOIN ARG_PRIVATE ", " component_requires_private)
  set(component_flags "")
  if(SHARDWAY_TEST_SWITCHES)
    set(component_flags " -DSHARDWAY_TEST_SWITCHES")
  endif()
  configure_file("${PROJECT_SOURCE_DIR}/cmake/shardway.pc.in" "${PROJECT_BINARY_DIR}/shardway-${component}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/shardway-${component}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT Development)
endfunction()

function(shardway_install_package)
  if(NOT SHARDWAY_INSTALL)
    return()
  endif()
  configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/shardway-config.cmake.in" "${PROJECT_BINARY_DIR}/shardway-config.cmake"
    INSTALL_DESTINATION "${shardway_package_folder}" NO_SET_AND_CHECK_MACRO)
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/shardway-config-version.cmake" COMPATIBILITY SameMinorVersion)
  install(FILES "${PROJECT_BINARY_DIR}/shardway-config.cmake" "${PROJECT_BINARY_DIR}/shardway-config-version.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/FindxxHash.cmake" DESTINATION "${shardway_package_folder}" COMPONENT Development)
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT Development)
endfunction()
