#!/usr/bin/env python3
"""Runs every formatter and linter of the project.

What was clean and has not changed is not checked again: build/lint/clean.json remembers it by content.
clang-tidy is slow: it looks at C++ files whose code differs from a base, and at a sample of the others.
The number of commits chooses the sample, so that successive commits walk through the whole tree.

The exit code is 1 if a linter has a finding, and 2 if one cannot run.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lint_cache import Cache, key_of
from linters import LINTERS, Finding, Job, Linter, Tree
from toolbox import Toolbox, ToolMissing
from tree import files_of

ROOT = Path(__file__).resolve().parents[2]
#: Most files take clang-tidy some seconds, one of tests/pg up to a minute. About one of six is such a file.
SAMPLE = 6


@dataclass
class Outcome:
    """What one linter found."""

    linter: str
    files: int = 0
    checked: int = 0
    findings: list[Finding] = field(default_factory=list)
    problem: str = ""
    seconds: float = 0.0

    @property
    def text(self) -> str:
        result = self.problem or (f"{len(self.findings)} findings" if self.findings else "clean")
        return f"{self.linter}: {result} ({self.checked} of {self.files} checked, {self.seconds:.1f} s)"


def run_linter(linter: Linter, tree: Tree, *, is_fixing: bool = False) -> Outcome:
    outcome = Outcome(linter.name)
    began = time.monotonic()
    try:
        waiting = waiting_jobs(linter, tree, outcome)
        if is_fixing and linter.fix and waiting:
            linter.fix(tree, [job for _, job in waiting])
            tree.cache.forget_contents()
            waiting = waiting_jobs(linter, tree, outcome)
        if waiting:
            outcome.findings = sorted(set(linter.run(tree, [job for _, job in waiting])))
        remember_clean(tree, waiting, outcome.findings)
    except (ToolMissing, ValueError) as error:
        outcome.problem = str(error)
    outcome.seconds = time.monotonic() - began
    return outcome


def waiting_jobs(linter: Linter, tree: Tree, outcome: Outcome) -> list[tuple[str, Job]]:
    """The jobs that are not known to be clean, each with its key in the cache."""
    settings = linter.key_of_settings(tree)
    jobs = [(key_of(settings, job.key), job) for job in linter.jobs(tree)]
    waiting = [(key, job) for key, job in jobs if not tree.cache.is_clean(key)]
    outcome.files, outcome.checked = len(jobs), len(waiting)
    return waiting


def remember_clean(tree: Tree, waiting: Sequence[tuple[str, Job]], findings: Sequence[Finding]) -> None:
    """A finding in no file of a job may be of any of them: then nothing is remembered."""
    bad = {finding.path for finding in findings}
    known = {file for _, job in waiting for file in job.files}
    if not bad <= known:
        return
    for key, job in waiting:
        if not bad.intersection(job.files):
            tree.cache.add(key)


def sample_size(text: str) -> int:
    size = int(text)
    if size < 0:
        raise ValueError(text)
    return size


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    names = [linter.name for linter in LINTERS]
    parser = argparse.ArgumentParser(prog="tests/tidy/lint.py", description=__doc__)
    parser.add_argument(
        "root", nargs="?", type=Path, default=ROOT, help="the tree to check; default: this one"
    )
    parser.add_argument("--fix", action="store_true", help="apply the formatters and the fixes of ruff")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "--without", action="append", choices=names, metavar="NAME", help="leave this one out"
    )
    parser.add_argument("--base", help="clang-tidy: the commit to compare with; default: where main was left")
    parser.add_argument("--build", type=Path, default=Path("build/dev"), help="clang-tidy: the build folder")
    parser.add_argument(
        "--sample",
        type=sample_size,
        default=SAMPLE,
        metavar="N",
        help=f"clang-tidy: how many unchanged files to check too; default: {SAMPLE}",
    )
    parser.add_argument("--programs", type=Path, help="the folder of the tools; default: build/deps/venv/bin")
    parser.add_argument("--no-cache", action="store_true", help="check everything again")
    return parser.parse_args(arguments)


def tree_of(chosen: argparse.Namespace) -> Tree:
    root = chosen.root.resolve()
    scratch = Path("build/lint")
    cache_file = root / scratch / "clean.json"
    if chosen.no_cache:
        cache_file.unlink(missing_ok=True)
    tools = Toolbox(root, (chosen.programs or default_programs()).absolute())
    cache = Cache(cache_file)
    return Tree(root, files_of(root), tools, cache, chosen.base, chosen.build, scratch, chosen.sample)


def default_programs() -> Path:
    """Where cmake/bootstrap installs the tools, or what SHARDWAY_LINT_PROGRAMS names."""
    return Path(os.environ.get("SHARDWAY_LINT_PROGRAMS", ROOT / "build/deps/venv/bin"))


def is_chosen(linter: Linter, chosen: argparse.Namespace) -> bool:
    return linter.name in (chosen.only or [linter.name]) and linter.name not in (chosen.without or ())


def run_and_print(linter: Linter, tree: Tree, *, is_fixing: bool) -> Outcome:
    outcome = run_linter(linter, tree, is_fixing=is_fixing)
    for finding in outcome.findings:
        print(f"{finding.path}:{finding.line}: {finding.text}  [{linter.name}]")
    print(outcome.text, flush=True)
    return outcome


def main(arguments: Sequence[str]) -> int:
    chosen = parse(arguments)
    tree = tree_of(chosen)
    if not tree.files:
        print(f"{tree.root} has no files")
        return 2
    wanted = [linter for linter in LINTERS if is_chosen(linter, chosen)]
    outcomes = [run_and_print(linter, tree, is_fixing=chosen.fix) for linter in wanted]
    left_out = [linter.name for linter in LINTERS if linter not in wanted]
    for note in dict.fromkeys(tree.notes):
        print(note)
    if left_out:
        print(f"left out: {', '.join(left_out)}")
    tree.cache.save()
    if any(outcome.problem for outcome in outcomes):
        return 2
    return 1 if any(outcome.findings for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
