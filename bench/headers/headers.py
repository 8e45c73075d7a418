"""Measures what including the library costs a compiler: its user CPU against that of <chrono> alone, in turn.

headers.py --compiler g++ --rows FILE [--smoke]
"""

import argparse
import json
import os
import random
import statistics
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
FLAGS = ["-std=c++20", "-fsyntax-only", f"-I{INCLUDE}"]
LIMITS = {"shardway/shardway.hpp": 3.5, "the headers of core (base, route)": 2.2}


def core_headers():
    return sorted(
        str(path.relative_to(INCLUDE))
        for room in ("base", "route")
        for path in (INCLUDE / "shardway" / room).glob("*.hpp")
    )


def user_seconds(compiler, source):
    """Of the compiler and its children, as the kernel counts them."""
    child = os.posix_spawnp(compiler, [compiler, *FLAGS, str(source)], os.environ)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        raise SystemExit(f"headers: {compiler} failed on {source}")
    return usage.ru_utime


def interval(values):
    draw = random.Random(20240515)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(2000))
    return [medians[50], medians[-51]]


def compare(compiler, subject, base, pairs):
    user_seconds(compiler, base), user_seconds(compiler, subject)
    ours: list[float] = []
    theirs: list[float] = []
    for pair in range(pairs):
        order = [(ours, subject), (theirs, base)]
        for into, source in order if pair % 2 else reversed(order):
            into.append(user_seconds(compiler, source))
    return ours, theirs


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--compiler", default="g++")
    options.add_argument("--rows", type=Path, required=True)
    options.add_argument("--smoke", action="store_true")
    asked = options.parse_args()
    texts = {
        "shardway/shardway.hpp": ["shardway/shardway.hpp"],
        "the headers of core (base, route)": core_headers(),
    }
    with tempfile.TemporaryDirectory() as folder, asked.rows.open("w") as rows:
        base = Path(folder, "base.cpp")
        base.write_text("#include <chrono>\n")
        for index, (name, headers) in enumerate(texts.items()):
            subject = Path(folder, f"subject{index}.cpp")
            subject.write_text("".join(f'#include "{header}"\n' for header in headers))
            ours, theirs = compare(asked.compiler, subject, base, 3 if asked.smoke else 15)
            ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
            ends = interval(ratios)
            row = {
                "name": f"compile/{name}",
                "value": statistics.median(ours),
                "unit": "s",
                "baseline": "#include <chrono>",
                "baseline_value": statistics.median(theirs),
                "ratio": statistics.median(ratios),
                "interval": ends,
                "target": f"<= {LIMITS[name]:g} x",
                "met": ends[1] <= LIMITS[name],
            }
            rows.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
