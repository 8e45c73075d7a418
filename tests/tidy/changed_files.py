"""Which files differ from a base commit in more than their layout."""

import re
from pathlib import Path

from toolbox import git

# Texts first, so that neither the space nor the slashes in them count.
TEXT_COMMENT_OR_SPACE = re.compile(
    r'(?P<text>R"(?P<mark>\w*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/|\s+', re.DOTALL
)


def base_of(root: Path) -> str:
    """The commit to compare with: where this work left origin/main or main, or else the commit before."""
    head = git(root, "rev-parse", "HEAD").output.strip()
    for branch in ("origin/main", "main"):
        base = git(root, "merge-base", "HEAD", branch).output.strip()
        if base and base != head:
            return base
    before = git(root, "rev-parse", "--verify", "--quiet", "HEAD~1")
    return before.output.strip() if before.code == 0 else head


def commits_of(root: Path) -> int:
    """The number of commits that HEAD consists of."""
    return int(git(root, "rev-list", "--count", "HEAD").output or 0)


def changed_since(root: Path, base: str) -> set[Path]:
    """What differs from the base, in commits or in the working tree, with files that git does not know yet.

    Raises ValueError if there is no such commit.
    """
    changed = git(root, "diff", "--name-only", "--diff-filter=d", base, "--")
    if changed.code != 0:
        raise ValueError(f"{base or 'HEAD'} is no commit of this repository")
    new = git(root, "ls-files", "--others", "--exclude-standard")
    return {Path(name) for name in (changed.output + new.output).splitlines()}


def has_other_code(root: Path, base: str, file: Path) -> bool:
    """Whether a C++ file differs from the base in more than space and comments."""
    before = git(root, "show", f"{base}:{file.as_posix()}")
    if before.code != 0:
        return True
    now = (root / file).read_text(errors="replace")
    return code_of(before.output) != code_of(now)


def code_of(text: str) -> str:
    """C++ without space and comments."""
    return TEXT_COMMENT_OR_SPACE.sub(lambda found: found["text"] or "", text)
