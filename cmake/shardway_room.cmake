# shardway_room(<name> SOURCES <file>... [COMPONENT <component>] [PUBLIC <target>...] [PRIVATE <target>...])
# Declares the library shardway_<name>, alias shardway::<name>; static or, with BUILD_SHARED_LIBS, shared.
function(shardway_room name)
  cmake_parse_arguments(ARG "" "COMPONENT" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  if(NOT ARG_COMPONENT)
    set(ARG_COMPONENT client)
  endif()
  add_library(shardway_${name} ${ARG_SOURCES})
  add_library(shardway::${name} ALIAS shardway_${name})
  # One object for the static and the shared form: position-independent, and no definition that only the shared form would have.
  set_target_properties(shardway_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON DEFINE_SYMBOL "" EXPORT_NAME ${name}
    INSTALL_RPATH "\$ORIGIN" VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  target_include_directories(shardway_${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(shardway_${name} PUBLIC shardway::core ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  # Text, containers and locks of the bodies; no public header shows them. JSON is header-only: whoever links us needs no JSON library.
  if(NOT ARG_COMPONENT STREQUAL "testing")
    target_link_libraries(shardway_${name} PRIVATE absl::strings absl::str_format absl::flat_hash_map absl::inlined_vector absl::cleanup
      absl::synchronization "$<BUILD_INTERFACE:nlohmann_json::nlohmann_json>")
  endif()
  shardway_warnings(shardway_${name})
  shardway_install_library(shardway_${name} ${ARG_COMPONENT})
endfunction()

# shardway_test(<name> SOURCES <file>... [LINK <target>...] [LABELS <label>...])
# Declares a GoogleTest program and registers it with CTest as one test.
function(shardway_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=")
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 3") # a sanitizer slows a program down by about that much
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main)
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/tests")
  shardway_warnings(${name})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()

function(shardway_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion)
endfunction()
