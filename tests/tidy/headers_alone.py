#!/usr/bin/env python3
"""Compiles each public header in a file of its own: none may need another before it.

Usage: headers_alone.py ROOT SCRATCH COMPILER-COMMAND...   (the command gets "-c FILE -o OBJECT" behind it)
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def compile_alone(header, root, scratch, command):
    """What the compiler said, or None."""
    name = header.relative_to(root).as_posix()
    source = scratch / (name.replace("/", "__") + ".cpp")
    text = f'#include "{header.relative_to(root / "include").as_posix()}"\n'
    if not source.exists() or source.read_text() != text:
        source.write_text(text)
    done = subprocess.run(
        [*command, "-I", str(root / "include"), "-c", str(source), "-o", str(source.with_suffix(".o"))],
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else f"{name} does not compile alone:\n{done.stderr[:1500]}"


def failures_in(root, scratch, command, jobs=2):
    headers = sorted((root / "include").rglob("*.hpp"))
    if not headers:
        return [f"there is no header below {root}/include"]
    scratch.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        said = pool.map(lambda header: compile_alone(header, root, scratch, command), headers)
        return [text for text in said if text]


def main():
    root, scratch, *command = sys.argv[1:]
    failures = failures_in(Path(root), Path(scratch), command)
    print("\n".join(failures) or "each header compiles alone")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
