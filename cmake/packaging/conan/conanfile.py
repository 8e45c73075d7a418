"""Conan 2 recipe of the tree it lies in: `conan create cmake/packaging/conan`."""

from pathlib import Path

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy


class Shardway(ConanFile):
    name = "shardway"
    version = "0.1.0"
    license = "Apache-2.0"
    description = "Move tables of a PostgreSQL monolith to shards while services keep reading and writing"
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "client": [True, False], "migrate": [True, False]}
    default_options = {"shared": False, "client": True, "migrate": True}

    def export_sources(self):
        root = Path(self.recipe_folder).parents[2]
        for part in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "lib/*"):
            copy(self, part, root, self.export_sources_folder)

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        self.requires("boost/[>=1.74]", transitive_headers=True)
        self.requires("xxhash/[>=0.8]", transitive_headers=True)
        if self.options.client:
            self.requires("abseil/[>=20220623]")
            self.requires("libpq/[>=14]")
            self.requires("libpqxx/[>=7.8]", transitive_headers=True)
            self.requires("nlohmann_json/[>=3.11]", visible=False)
            self.requires("openssl/[>=3]")
            self.requires("protobuf/[>=3.21]")
            self.requires("spdlog/[>=1.10]")

    def build_requirements(self):
        if self.options.client:
            self.tool_requires("protobuf/<host_version>")

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        for name in ("TESTS", "EXAMPLES", "PYTHON", "BENCH"):
            toolchain.cache_variables[f"SHARDWAY_BUILD_{name}"] = False
        toolchain.cache_variables["SHARDWAY_TEST_SWITCHES"] = False
        toolchain.cache_variables["SHARDWAY_BUILD_CLIENT"] = bool(self.options.client)
        toolchain.cache_variables["SHARDWAY_BUILD_MIGRATE"] = bool(self.options.migrate)
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()

    def package_info(self):
        # Our own package configuration is the one to use: it knows the components.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs.append("lib/cmake/shardway")
