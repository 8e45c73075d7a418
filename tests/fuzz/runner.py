"""Builds the fuzz targets and runs each for some seconds. A crash fails with its input's path and bytes."""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import seeds

ROOT = Path(__file__).resolve().parents[2]
SYMBOLIZER = Path("/usr/lib/llvm-14/bin/llvm-symbolizer")
BYTES_SHOWN_MAX = 4096
LINES_SHOWN = 60


def build():
    subprocess.run([ROOT / "cmake/bootstrap"], check=True)
    if not (ROOT / "build/fuzz/build.ninja").exists():
        subprocess.run(["cmake", "--preset", "fuzz"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", "--preset", "fuzz", "--", "--quiet"], cwd=ROOT, check=True)


def command_of(program, target, seconds, work):
    """The target's command line, with its folders made and filled."""
    corpus, beginnings, crashes = work / "corpus" / target, work / "seeds" / target, work / "crashes"
    for folder in (corpus, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    seeds.write_seeds(ROOT, target, beginnings)
    command = [
        program,
        f"-max_total_time={seconds}",
        "-timeout=10",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
        f"-artifact_prefix={crashes}/{target}-",
    ]
    dictionary = work / f"{target}.dict"
    if seeds.write_dictionary(ROOT, target, dictionary):
        command.append(f"-dict={dictionary}")
    return [str(part) for part in (*command, corpus, beginnings)]


def environment():
    names = ("ASAN_SYMBOLIZER_PATH", "UBSAN_SYMBOLIZER_PATH") if SYMBOLIZER.exists() else ()
    return {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1", **dict.fromkeys(names, str(SYMBOLIZER))}


def describe_crash(program, said):
    """Where the input of a crash is and what it holds; nothing if the target named none."""
    found = re.search(r"Test unit written to (\S+)", said)
    if not found:
        return "it left no input"
    path = Path(found[1])
    content = path.read_bytes()
    cut = f" (the first {BYTES_SHOWN_MAX} of {len(content)})" if len(content) > BYTES_SHOWN_MAX else ""
    return f"input {path}\nbytes {content[:BYTES_SHOWN_MAX].hex()}{cut}\nagain {program} {path}"


def run_target(program, target, seconds, work):
    """Whether the target passed, and what to print."""
    done = subprocess.run(
        command_of(program, target, seconds, work),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=environment(),
    )
    counted = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    inputs = int(counted[1]) if counted else 0
    if done.returncode == 0 and inputs > 0:
        return True, f"{target}: passed, {inputs:,} inputs"
    if done.returncode == 0:
        return False, f"{target}: FAILED, it tried no input"
    tail = "\n".join(done.stderr.splitlines()[-LINES_SHOWN:])
    return False, f"{tail}\n{target}: FAILED ({done.returncode})\n{describe_crash(program, done.stderr)}"


def run_all(targets, programs, seconds, work):
    """Two at a time. Whether each passed; none is no success."""

    def one(target):
        passed, text = run_target(programs / f"{target}_fuzz", target, seconds, work)
        print(text, flush=True)
        return passed

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(one, targets))
    return bool(outcomes) and all(outcomes)


def main():
    parser = argparse.ArgumentParser(prog="tests/fuzz/run", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(sorted(seeds.SEEDS)))
    parser.add_argument("--seconds", type=int, default=20, help="how long each target runs (20)")
    asked = parser.parse_args()
    unknown = set(asked.targets) - set(seeds.SEEDS)
    if unknown:
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    build()
    work = ROOT / "build/fuzz"
    return 0 if run_all(asked.targets or sorted(seeds.SEEDS), work / "fuzz", asked.seconds, work) else 1


if __name__ == "__main__":
    sys.exit(main())
