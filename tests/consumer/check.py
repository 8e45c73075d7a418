"""Builds and installs shardway as its users would, and then their projects.

static, shared: installed into a scratch prefix, which is then moved; used by find_package and by pkg-config.
subdirectory:   by add_subdirectory, core alone and with the client.
recipes:        the Conan recipe makes a package of core; the vcpkg port names what exists.
wheel:          pip installs the Python package into an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CONSUMERS = ("core", "client", "migrate", "testing")
# What `core` must do without.
FOREIGN = ("PostgreSQL", "Protobuf", "spdlog", "OpenSSL", "libpqxx", "Threads")


# What a consumer's build takes over from this build.
FLAGS = r"CMAKE_BUILD_TYPE|CMAKE_CXX_FLAGS\w*|CMAKE_CXX_COMPILER_LAUNCHER|SHARDWAY_TEST_SWITCHES"


def only_group(pattern: str, text: str) -> str:
    """What the group of the pattern matches. Ends the test if nothing does."""
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        sys.exit(f"nothing matches {pattern}")
    return found[1]


class Place:
    """The source tree, the build whose flags are used, and a scratch folder."""

    def __init__(self, root: Path, build: Path, scratch: Path) -> None:
        self.root = root
        self.scratch = scratch
        self.deps = root / "build" / "deps"
        cache = (build / "CMakeCache.txt").read_text()
        self.flags = [
            f"-D{name}={value}" for name, value in re.findall(f"^({FLAGS}):\\w+=(.*)$", cache, re.MULTILINE)
        ]
        self.compiler = only_group(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", cache)

    def run(
        self, *command: str | Path, cwd: Path | None = None, environment: dict[str, str] | None = None
    ) -> str:
        """Standard output. Ends the test with everything the command said if it fails."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            capture_output=True,
            text=True,
            env=os.environ | {"CCACHE_NOHASHDIR": "1"} | (environment or {}),
            check=False,
        )
        if done.returncode != 0:
            words = " ".join(str(part) for part in command)
            sys.exit(f"{words}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def configure(self, source: Path, build: Path, *definitions: str, without: str | None = None) -> None:
        flags = [flag for flag in self.flags if without is None or without not in flag]
        self.run("cmake", "-S", source, "-B", build, "-G", "Ninja", *flags, *definitions)

    def build(self, folder: Path, *targets: str) -> None:
        self.run("cmake", "--build", folder, "--parallel", "2", *(("--target", *targets) if targets else ()))


def installed(place: Place, is_shared: bool) -> Path:
    """The prefix, moved after the installation: nothing may remember where it was."""
    build, first, moved = (place.scratch / name for name in ("build", "first", "moved"))
    place.configure(
        place.root,
        build,
        f"-DBUILD_SHARED_LIBS={'ON' if is_shared else 'OFF'}",
        f"-DCMAKE_INSTALL_PREFIX={first}",
        "-DCMAKE_INSTALL_LIBDIR=lib",
        "-DSHARDWAY_BUILD_TESTS=OFF",
        "-DSHARDWAY_BUILD_EXAMPLES=OFF",
        "-DSHARDWAY_BUILD_PYTHON=OFF",
        "-DSHARDWAY_BUILD_BENCH=OFF",
    )
    place.build(build)
    place.run("cmake", "--install", build)
    first.rename(moved)
    return moved


def has_no_path_of_the_build(place: Place, prefix: Path) -> None:
    """CMake and pkg-config files name neither the build, the first prefix nor a file of a system library."""
    for file in sorted([*prefix.rglob("*.cmake"), *prefix.rglob("*.pc")]):
        for banned in (str(place.root), str(place.scratch), "/usr/lib", "/usr/include"):
            if banned in file.read_text():
                sys.exit(f"{file.relative_to(prefix)} names {banned}")


def by_find_package(place: Place, prefix: Path) -> None:
    for consumer in CONSUMERS:
        build = place.scratch / f"find_{consumer}"
        blind = [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in FOREIGN] if consumer == "core" else []
        prefixes = prefix if consumer == "core" else f"{prefix};{place.deps / 'libpqxx'}"
        place.configure(
            place.root / "tests" / "consumer" / consumer, build, f"-DCMAKE_PREFIX_PATH={prefixes}", *blind
        )
        place.build(build)
        place.run(build / f"uses_{consumer}")


def refuses_what_is_not_there(place: Place, prefix: Path) -> None:
    """A component nobody installed is an error that names it, not a target missing later."""
    project = place.scratch / "absent"
    project.mkdir()
    (project / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(absent LANGUAGES CXX)\n"
        "find_package(shardway CONFIG REQUIRED COMPONENTS absent)\n"
    )
    done = subprocess.run(
        ["cmake", "-S", project, "-B", project / "build", f"-DCMAKE_PREFIX_PATH={prefix}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0 or 'component "absent"' not in re.sub(r"\s+", " ", done.stderr):
        sys.exit(f"a component that is not there was not refused by name:\n{done.stderr}")


def by_pkg_config(place: Place, prefix: Path) -> None:
    environment = {"PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig:{place.deps}/libpqxx/lib/pkgconfig"}
    for consumer in ("core", "client", "migrate"):
        flags = place.run("pkg-config", "--cflags", f"shardway-{consumer}", environment=environment).split()
        libraries = place.run("pkg-config", "--libs", f"shardway-{consumer}", environment=environment).split()
        sources = sorted((place.root / "tests" / "consumer" / consumer).glob("*.cpp"))
        program = place.scratch / f"pkg_{consumer}"
        place.run(
            place.compiler,
            "-std=c++20",
            *flags,
            *sources,
            "-o",
            program,
            *libraries,
            f"-Wl,-rpath,{prefix}/lib",
        )
        place.run(program)


def check_installed(place: Place, is_shared: bool) -> None:
    prefix = installed(place, is_shared)
    has_no_path_of_the_build(place, prefix)
    by_find_package(place, prefix)
    refuses_what_is_not_there(place, prefix)
    by_pkg_config(place, prefix)


def check_subdirectory(place: Place) -> None:
    source = place.root / "tests" / "consumer" / "subdirectory"
    blind = [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in FOREIGN]
    for name, definitions, programs in (
        ("core", blind, ["uses_core"]),
        ("client", ["-DWITH_CLIENT=ON"], ["uses_core", "uses_client"]),
    ):
        build = place.scratch / name
        # Core with the options as they are by themselves; the client with this build's.
        without = "SHARDWAY_TEST_SWITCHES" if name == "core" else None
        place.configure(source, build, f"-DSHARDWAY_SOURCE={place.root}", *definitions, without=without)
        place.build(build)
        for program in programs:
            place.run(build / program)


def check_recipes(place: Place) -> None:
    packaging = place.root / "cmake" / "packaging"
    version = only_group(r"project\(shardway VERSION (\S+)", (place.root / "CMakeLists.txt").read_text())
    port = json.loads((packaging / "vcpkg" / "ports" / "shardway" / "vcpkg.json").read_text())
    if port["version"] != version:
        sys.exit(f"the vcpkg port is of version {port['version']}, the project of {version}")
    conan: list[str | Path] = [place.deps / "venv" / "bin" / "python", "-m", "conans.conan"]
    environment = {
        "CONAN_HOME": str(place.scratch / "conan"),
        "PATH": f"{place.deps}/venv/bin:{os.environ['PATH']}",
    }
    place.run(*conan, "profile", "detect", environment=environment)
    # Boost and xxHash come from the system, as on a machine whose packages are Debian's.
    profile = place.scratch / "profile"
    profile.write_text(
        "include(default)\n[settings]\ncompiler.cppstd=20\n[platform_requires]\nboost/1.83.0\nxxhash/0.8.2\n"
        "[conf]\ntools.cmake.cmaketoolchain:generator=Ninja\n"
    )
    # A copy of the tree's parts: Conan writes beside the recipe's test project.
    tree = place.scratch / "tree"
    for part in ("cmake", "include", "lib"):
        shutil.copytree(place.root / part, tree / part)
    for part in ("CMakeLists.txt", "LICENSE"):
        shutil.copy(place.root / part, tree / part)
    place.run(
        *conan,
        "create",
        tree / "cmake" / "packaging" / "conan",
        "--profile:all",
        profile,
        "-o",
        "shardway/*:client=False",
        environment=environment,
    )
    listed = json.loads(
        place.run(*conan, "list", f"shardway/{version}:*", "--format=json", environment=environment)
    )
    if not listed["Local Cache"][f"shardway/{version}"]["revisions"]:
        sys.exit("Conan made no package")


def check_wheel(place: Place) -> None:
    """Without fetching: the build's own requirements are in the environment that bootstrap made."""
    python, target = place.deps / "venv" / "bin" / "python", place.scratch / "site"
    settings = [
        f"--config-settings=cmake.define.{flag[2:]}"
        for flag in place.flags
        if not flag.startswith("-DCMAKE_BUILD_TYPE")
    ]
    build_type = next(flag.split("=", 1)[1] for flag in place.flags if flag.startswith("-DCMAKE_BUILD_TYPE"))
    place.run(
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-build-isolation",
        "--no-deps",
        "--no-index",
        "--target",
        target,
        f"--config-settings=cmake.build-type={build_type}",
        f"--config-settings=build-dir={place.scratch / 'build'}",
        *settings,
        place.root / "bindings" / "python",
    )
    environment = {"PYTHONPATH": str(target)}
    told = place.run(
        python, "-c", "import shardway; print(shardway.__file__)", cwd=place.scratch, environment=environment
    )
    if not told.startswith(str(target)):
        sys.exit(f"another shardway than the wheel's was imported: {told}")
    place.run(python, "-m", "shardway", "--help", cwd=place.scratch, environment=environment)
    if not (target / "shardway" / "py.typed").exists():
        sys.exit("the wheel holds no py.typed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=["static", "shared", "subdirectory", "recipes", "wheel"])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--build", type=Path, required=True)
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="shardway-consumer-"))
    try:
        place = Place(given.root.resolve(), given.build.resolve(), scratch)
        match given.way:
            case "static" | "shared":
                check_installed(place, given.way == "shared")
            case "subdirectory":
                check_subdirectory(place)
            case "recipes":
                check_recipes(place)
            case "wheel":
                check_wheel(place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
