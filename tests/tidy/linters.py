"""The linters of the project: which files each looks at, how it runs, and how its output becomes findings."""

import json
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import changed_files
import markdown_width
from lint_cache import Cache, key_of
from toolbox import Toolbox, in_batches

CPP = (".cpp", ".hpp", ".ipp")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
SHELL = re.compile(r"^#!\s*\S*(?:/|\s)(?:ba|da|k)?sh\b")
POSITION = re.compile(r"^(?P<path>[^\s:][^:\n]*):(?P<line>\d+):(?:\d+:)?\s*(?P<text>.+)$", re.MULTILINE)
JOBS = os.cpu_count() or 1


class Finding(NamedTuple):
    path: Path
    line: int
    text: str


@dataclass
class Tree:
    """The tree to check."""

    root: Path
    files: list[Path]
    tools: Toolbox
    cache: Cache
    base: str | None = None
    build: Path = Path("build/dev")
    scratch: Path = Path("build/lint")
    #: How many files clang-tidy checks besides the changed ones.
    sample: int = 0
    #: What a linter chose to look at, and what it could not look at.
    notes: list[str] = field(default_factory=list)

    def read(self, file: Path) -> str:
        return (self.root / file).read_text(errors="replace")

    def content_of(self, file: Path) -> str:
        return self.cache.content_of(self.root / file)

    def with_suffix(self, *suffixes: str) -> list[Path]:
        return [file for file in self.files if file.suffix in suffixes]


class Job(NamedTuple):
    """Files that are checked together, and a key that changes when the result could."""

    key: str
    files: Sequence[Path]


@dataclass
class Linter:
    """One check. `jobs` says what there is to do; `run` does the jobs that are not known to be clean."""

    name: str
    tool: str | None
    jobs: Callable[[Tree], Iterable[Job]]
    run: Callable[[Tree, Sequence[Job]], Iterable[Finding]]
    fix: Callable[[Tree, Sequence[Job]], None] | None = None
    settings: tuple[str, ...] = field(default=())

    def key_of_settings(self, tree: Tree) -> str:
        version = tree.tools.version_of(self.tool) if self.tool else ""
        return key_of(self.name, version, *(tree.content_of(Path(name)) for name in self.settings))


def job_for_each(tree: Tree, files: Iterable[Path]) -> Iterator[Job]:
    for file in files:
        yield Job(key_of(file.as_posix(), tree.content_of(file)), [file])


def files_in(jobs: Iterable[Job]) -> list[Path]:
    return [file for job in jobs for file in job.files]


def positions_in(tree: Tree, output: str) -> Iterator[Finding]:
    """The findings in output of the form path:line:column: text."""
    for found in POSITION.finditer(output):
        path = Path(found["path"])
        if path.is_absolute() and path.is_relative_to(tree.root):
            path = path.relative_to(tree.root)
        yield Finding(path, int(found["line"]), found["text"])


def checked(tree: Tree, tool: str, *arguments: str | Path) -> list[Finding]:
    """Runs a tool. If it fails without a finding, what it said is the finding."""
    done = tree.tools.run(tool, *arguments)
    found = list(positions_in(tree, done.output))
    if done.code != 0 and not found:
        said = done.output.strip()[-1500:] or "nothing"
        found = [Finding(Path(tool), 0, f"ended with {done.code} and said: {said}")]
    return found


def in_parallel(
    work: Callable[[Sequence[Path]], list[Finding]], batches: Iterable[Sequence[Path]]
) -> list[Finding]:
    with ThreadPoolExecutor(JOBS) as pool:
        return [one for found in pool.map(work, batches) for one in found]


def advice_for(formatter: str) -> str:
    return f"not formatted: run tests/tidy/lint.py --fix --only {formatter}"


# clang-format


def cpp_jobs(tree: Tree) -> Iterator[Job]:
    return job_for_each(tree, tree.with_suffix(*CPP))


def run_clang_format(tree: Tree, jobs: Sequence[Job]) -> Iterator[Finding]:
    def work(files: Sequence[Path]) -> list[Finding]:
        return checked(tree, "clang-format", "--dry-run", "-Werror", *files)

    seen = set()
    for one in in_parallel(work, in_batches(files_in(jobs), 25)):
        is_known = one.text.endswith("[-Wclang-format-violations]")
        if not is_known or one.path not in seen:
            yield one._replace(text=advice_for("clang-format")) if is_known else one
        seen.add(one.path)


def fix_clang_format(tree: Tree, jobs: Sequence[Job]) -> None:
    for files in in_batches(files_in(jobs), 100):
        tree.tools.run("clang-format", "-i", *files)


# clang-tidy


def tidy_jobs(tree: Tree) -> Iterator[Job]:
    """The changed C++ files and the sample. A key covers the headers of the tree in them.

    Raises ValueError if there is something to check, and no base or no build.
    """
    changed = changed_cpp(tree)
    if not changed and not tree.sample:
        return
    built = files_built_in(tree)
    left_out = [file for file in changed if file.suffix == ".cpp" and file not in built]
    changed = [file for file in changed if file not in left_out]
    whole = [file for file in tree.with_suffix(".cpp") if file in built]
    sample = [file for file in sample_of(whole, tree.sample, turn_of(tree)) if file not in changed]
    tree.notes += [f"clang-tidy left {file} out: {tree.build} does not build it" for file in left_out]
    tree.notes.append(
        f"clang-tidy: {len(changed)} changed files, {len(sample)} others as the sample of {len(whole)} built"
    )
    for file in (*changed, *sample):
        headers = sorted(included_by(tree, file))
        yield Job(key_of(*(f"{one} {tree.content_of(one)}" for one in (file, *headers))), [file])


def changed_cpp(tree: Tree) -> list[Path]:
    """The C++ files whose code differs from the base."""
    base = tree.base or changed_files.base_of(tree.root)
    changed = changed_files.changed_since(tree.root, base)
    return [
        file
        for file in tree.with_suffix(*CPP)
        if file in changed and changed_files.has_other_code(tree.root, base, file)
    ]


def sample_of(files: Sequence[Path], size: int, turn: int) -> list[Path]:
    """At most `size` files, spread over the list. Successive turns walk through all of it.

    Spread, because slow files stand together: those of tests/pg take several times as long as others.
    """
    turns = math.ceil(len(files) / size) if size and files else 1
    return list(files[turn % turns :: turns]) if size else []


def turn_of(tree: Tree) -> int:
    """The number of commits; the day where the checkout is shallow and has one commit only."""
    commits = changed_files.commits_of(tree.root)
    return commits if commits > 1 else int(time.time() // 86_400)


def files_built_in(tree: Tree) -> set[Path]:
    """The files of the tree that the build compiles. Raises ValueError if there are none."""
    place = tree.build / "compile_commands.json"
    try:
        commands = json.loads((tree.root / place).read_text())
    except OSError as error:
        advice = "run cmake --preset dev, or name a build with --build"
        raise ValueError(f"{place} is missing, which clang-tidy needs: {advice}") from error
    places = (Path(os.path.normpath(Path(one["directory"]) / one["file"])) for one in commands)
    built = {place.relative_to(tree.root) for place in places if place.is_relative_to(tree.root)}
    if not built:
        raise ValueError(f"{tree.build} compiles no file of this tree: name another build with --build")
    return built


def included_by(tree: Tree, file: Path) -> set[Path]:
    """The headers of the tree that a file includes, directly or not."""
    known = set(tree.files)
    found: set[Path] = set()
    waiting = [file]
    while waiting:
        includer = waiting.pop()
        for name in INCLUDE.findall(tree.read(includer)):
            for folder in (includer.parent, Path("include"), Path(), Path("tests"), Path("bench")):
                header = Path(os.path.normpath(folder / name))
                if header in known and header not in found:
                    found.add(header)
                    waiting.append(header)
    return found


def run_clang_tidy(tree: Tree, jobs: Sequence[Job]) -> Iterator[Finding]:
    """Findings in headers that did not change are left out."""
    files = files_in(jobs)

    def work(some: Sequence[Path]) -> list[Finding]:
        return checked(tree, "clang-tidy", "--quiet", "-p", tree.build, *some)

    seen = set()
    for one in in_parallel(work, in_batches(files, 1)):
        is_ours = one.path in files or one.line == 0
        if is_ours and re.match(r"(warning|error): |ended with", one.text) and one not in seen:
            seen.add(one)
            yield one


# ruff


def python_jobs(tree: Tree) -> Iterator[Job]:
    return job_for_each(tree, tree.with_suffix(".py", ".pyi"))


def run_ruff_format(tree: Tree, jobs: Sequence[Job]) -> Iterator[Finding]:
    options = ("--check", "--output-format", "concise", "--force-exclude", "--no-cache", "--quiet")
    for one in checked(tree, "ruff", "format", *options, *files_in(jobs)):
        is_known = one.text.startswith("unformatted")
        yield one._replace(text=advice_for("ruff-format")) if is_known else one


def fix_ruff_format(tree: Tree, jobs: Sequence[Job]) -> None:
    tree.tools.run("ruff", "format", "--force-exclude", "--no-cache", *files_in(jobs))


def run_ruff(tree: Tree, jobs: Sequence[Job]) -> list[Finding]:
    options = ("--output-format", "concise", "--force-exclude", "--no-cache", "--quiet")
    return checked(tree, "ruff", "check", *options, *files_in(jobs))


def fix_ruff(tree: Tree, jobs: Sequence[Job]) -> None:
    tree.tools.run("ruff", "check", "--fix", "--force-exclude", "--no-cache", "--quiet", *files_in(jobs))


# mypy

#: Modules of one run have different names. Each run has the configuration of its first folder.
MYPY_RUNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("bindings/python/pyproject.toml", ("bindings/python/shardway",)),
    (".mypy.ini", ("bindings/python/tests",)),
    (".mypy.ini", ("examples/shopsphere", "tests/checker", "tests/consumer")),
    (".mypy.ini", ("tests/golden", "tests/tidy", "tests/fuzz", "bench")),
)
#: Conan has no types.
MYPY_LEAVES_OUT = ("cmake/packaging/conan",)


def mypy_jobs(tree: Tree) -> Iterator[Job]:
    """One for each run. Any Python file may change its result, as they import each other."""
    contents = [f"{file} {tree.content_of(file)}" for file in tree.with_suffix(".py", ".pyi")]
    for config, folders in MYPY_RUNS:
        yield Job(key_of(config, *folders, *contents), [Path(config), *map(Path, folders)])


def run_mypy(tree: Tree, jobs: Sequence[Job]) -> Iterator[Finding]:
    yield from in_no_run(tree)

    def work(run: Sequence[Path]) -> list[Finding]:
        config, *folders = run
        present = [folder for folder in folders if (tree.root / folder).exists()]
        if not present:
            return []
        cache = tree.scratch / "mypy" / key_of(*map(str, run))
        options = ("--no-error-summary", "--hide-error-context", "--no-pretty", "--config-file", config)
        return checked(tree, "mypy", *options, "--cache-dir", cache, *present)

    yield from in_parallel(work, [job.files for job in jobs])


def in_no_run(tree: Tree) -> Iterator[Finding]:
    """A Python file that mypy would never see is a finding: nothing is left out in silence."""
    folders = [*MYPY_LEAVES_OUT, *(folder for _, run in MYPY_RUNS for folder in run)]
    for file in tree.with_suffix(".py"):
        if not any(file.is_relative_to(folder) for folder in folders):
            yield Finding(file, 1, "in no run of mypy: add its folder to MYPY_RUNS in tests/tidy/linters.py")


# shellcheck


def shell_jobs(tree: Tree) -> Iterator[Job]:
    return job_for_each(tree, (file for file in tree.files if is_shell(tree, file)))


def is_shell(tree: Tree, file: Path) -> bool:
    if file.suffix in (".sh", ".bash"):
        return True
    if file.suffix:
        return False
    with (tree.root / file).open("rb") as stream:
        return bool(SHELL.match(stream.readline(200).decode(errors="replace")))


def run_shellcheck(tree: Tree, jobs: Sequence[Job]) -> list[Finding]:
    return checked(tree, "shellcheck", "--format", "gcc", *files_in(jobs))


# codespell

WORDS = "tests/tidy/words.txt"
NO_PROSE = ("LICENSE", WORDS)


def text_jobs(tree: Tree) -> Iterator[Job]:
    return job_for_each(tree, (file for file in tree.files if file.as_posix() not in NO_PROSE))


def run_codespell(tree: Tree, jobs: Sequence[Job]) -> Iterator[Finding]:
    ignored = ("--ignore-words", WORDS) if (tree.root / WORDS).exists() else ()
    for files in in_batches(files_in(jobs), 200):
        done = tree.tools.run("codespell", *ignored, *files)
        found = re.findall(r"^(.+?):(\d+): (.+ ==> .+)$", done.output, re.MULTILINE)
        for path, line, text in found:
            yield Finding(Path(path), int(line), text)
        if done.code != 0 and not found:
            yield Finding(Path("codespell"), 0, done.output.strip()[-1500:])


# Markdown


def markdown_jobs(tree: Tree) -> Iterator[Job]:
    return job_for_each(tree, tree.with_suffix(".md"))


def run_markdown(tree: Tree, jobs: Sequence[Job]) -> Iterator[Finding]:
    for file in files_in(jobs):
        for line, width in markdown_width.lines_too_wide(tree.read(file)):
            yield Finding(file, line, f"{width} columns; at most {markdown_width.WIDTH_MAX} in prose")


RUFF_SETTINGS = (".ruff.toml", "bindings/python/pyproject.toml")
MYPY_SETTINGS = (".mypy.ini", "bindings/python/pyproject.toml", "tests/tidy/linters.py")
#: The fixes of ruff come before its formatter; the slow one comes last.
LINTERS = (
    Linter("clang-format", "clang-format", cpp_jobs, run_clang_format, fix_clang_format, (".clang-format",)),
    Linter("ruff", "ruff", python_jobs, run_ruff, fix_ruff, RUFF_SETTINGS),
    Linter("ruff-format", "ruff", python_jobs, run_ruff_format, fix_ruff_format, RUFF_SETTINGS),
    Linter("mypy", "mypy", mypy_jobs, run_mypy, None, MYPY_SETTINGS),
    Linter("shellcheck", "shellcheck", shell_jobs, run_shellcheck),
    Linter("codespell", "codespell", text_jobs, run_codespell, None, (WORDS,)),
    Linter("markdown", None, markdown_jobs, run_markdown, None, ("tests/tidy/markdown_width.py",)),
    Linter("clang-tidy", "clang-tidy", tidy_jobs, run_clang_tidy, None, (".clang-tidy",)),
)
