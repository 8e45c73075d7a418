"""The files of a source tree."""

import subprocess
from pathlib import Path


def files_of(root: Path) -> list[Path]:
    """What git tracks or would track, relative to the root; in a tree without git, all files."""
    listing = subprocess.run(
        ["git", "-C", root, "ls-files", "-co", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0 and listing.stdout:
        return [Path(name) for name in sorted(set(listing.stdout.splitlines())) if (root / name).is_file()]
    return [path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_file()]
