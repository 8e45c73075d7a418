# An overlay port: it builds the tree it lies in.
#   vcpkg install shardway --overlay-ports=<checkout>/cmake/packaging/vcpkg/ports
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../../.." ABSOLUTE)

vcpkg_check_features(OUT_FEATURE_OPTIONS features FEATURES
  client SHARDWAY_BUILD_CLIENT
  migrate SHARDWAY_BUILD_MIGRATE)
vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS ${features} -DSHARDWAY_INSTALL=ON -DSHARDWAY_BUILD_TESTS=OFF -DSHARDWAY_BUILD_EXAMPLES=OFF -DSHARDWAY_TEST_SWITCHES=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/shardway)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
