"""The programs beside the servers: the command, its controller, the load and the foreign writer."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from servers import PR_SET_PDEATHSIG, programs

HERE = Path(__file__).resolve().parent


class CommandFailed(RuntimeError):
    """A `shardway` command ended with something else than it should have."""

    def __init__(self, words: tuple[str, ...], code: int, answer: dict[str, Any], text: str):
        error = answer.get("error", {})
        said = (
            f"{error.get('code', '')}: {error.get('message', '')}; {error.get('hint', '')}"
            if error
            else text.strip()[-2000:]
        )
        super().__init__(f"shardway {' '.join(words)} ended with {code}: {said}")
        self.code, self.answer, self.error = code, answer, error


def _dies_with_parent() -> None:
    os.setpgid(0, 0)  # Ctrl-C is for the demo, which stops its children in order
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PATH": f"{programs(15)}:{os.environ.get('PATH', '')}", **more}


def end(process: subprocess.Popen | None, number: int = signal.SIGTERM, patience: float = 15) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Shardway:
    """The command, as an operator types it, with --json."""

    def __init__(self, manifests: Path, log: Path):
        self.manifests, self.log = manifests, log
        self.program = [sys.executable, "-m", "shardway"]
        self.running: set[subprocess.Popen] = set()

    def stop(self) -> None:
        """Ends commands that other threads wait for."""
        for process in list(self.running):
            process.kill()

    def run(self, *words: str, expect: tuple[int, ...] = (0,), timeout: float = 180) -> dict[str, Any]:
        began = time.monotonic()
        process = subprocess.Popen(
            [*self.program, *words, "--migration", str(self.manifests), "--json", "--quiet"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            start_new_session=True,
        )
        self.running.add(process)
        try:
            out, errors = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
        finally:
            self.running.discard(process)
        try:
            answer = json.loads(out)
        except ValueError:
            answer = {}
        with self.log.open("a") as log:
            log.write(
                f"$ shardway {' '.join(words)}  -> {process.returncode} in {time.monotonic() - began:.2f} s\n"
                f"{out}{errors}\n"
            )
        if process.returncode not in expect:
            raise CommandFailed(words, process.returncode, answer, errors)
        return answer

    def dangerous(self, *words: str, timeout: float = 180) -> tuple[dict[str, Any], dict[str, Any]]:
        """Looks at the dry run, then agrees to exactly that: (what it planned, what it did)."""
        planned = self.run(*words, "--dry-run")
        done = self.run(*words, "--yes", f"--expect-state={planned['expect_state']}", timeout=timeout)
        return planned, done


class Controller:
    """`shardway migrate start` in a process that may be killed at a named stop point."""

    def __init__(self, manifests: Path, folder: Path):
        self.manifests, self.folder = manifests, folder
        self.process: subprocess.Popen | None = None
        self.stop_file = folder / "stop_point_reached"

    def start(self, kill_at: str = "") -> None:
        self.stop_file.unlink(missing_ok=True)
        stops = {"SHARDWAY_STOP_POINT": kill_at, "SHARDWAY_STOP_FILE": str(self.stop_file)} if kill_at else {}
        log = (self.folder / "controller.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "shardway",
                    "migrate",
                    "start",
                    "--migration",
                    str(self.manifests),
                    "--client-programs",
                    str(programs(15)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(**stops),
                preexec_fn=_dies_with_parent,
            )

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_killed(self, timeout: float) -> str:
        """Waits until the controller has been killed at its stop point; the name it left behind."""
        assert self.process
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise RuntimeError(
                "the controller never came to its stop point; build the library with SHARDWAY_TEST_SWITCHES"
            ) from None
        if code != -signal.SIGKILL or not self.stop_file.exists():
            raise RuntimeError(
                f"the controller ended with {code} and was not killed at its stop point: {self.log_tail()}"
            )
        return self.stop_file.read_text()

    def log_tail(self) -> str:
        file = self.folder / "controller.log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-12:]) if file.exists() else ""

    def stop(self) -> None:
        end(self.process, signal.SIGTERM, 10)


class Load:
    """The shop's clients. What they print is kept as `latest`; what they saw is in `log`."""

    def __init__(
        self, program: Path, log: Path, source: str, replica: str, rate: float, scale: float, seed: int
    ):
        self.log = log
        self.latest: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.errors = log.parent / "load.log"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [
                    str(program),
                    "--source",
                    source,
                    "--replica",
                    replica,
                    "--log",
                    str(log),
                    "--rate",
                    str(rate),
                    "--scale",
                    str(scale),
                    "--seed",
                    str(seed),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                bufsize=1,
                preexec_fn=_dies_with_parent,
            )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            found = json.loads(line)
            self.latest = found
            if found["summary"]:
                self.summary = found

    def say(self, command: str) -> None:
        if self.process.poll() is not None:
            raise self._ended()
        assert self.process.stdin
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def finish(self) -> dict[str, Any]:
        self.say("stop")
        self.process.wait(60)
        self.reader.join(10)
        if self.process.returncode != 0 or not self.summary:
            raise self._ended()
        return self.summary

    def _ended(self) -> RuntimeError:
        log = self.errors.read_text(errors="replace")[-2000:]
        return RuntimeError(f"the load ended with {self.process.returncode}: {log}")

    def stop(self) -> None:
        end(self.process, signal.SIGTERM, 20)


class ForeignWriter:
    """Plain psql in a loop."""

    def __init__(self, conninfo: str, log: Path, skus: int):
        self.log = log
        log.touch()
        self.process = subprocess.Popen(
            [str(HERE / "foreign_writer"), conninfo, str(log), str(skus)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
            preexec_fn=_dies_with_parent,
        )

    def answers(self) -> list[tuple[float, str]]:
        """Of each try when it began, and its SQLSTATE or ok."""
        return [
            (float(at), answer)
            for at, answer in (line.split() for line in self.log.read_text().splitlines() if " " in line)
        ]

    def answers_begun_after(self, moment: float) -> list[str]:
        return [answer for at, answer in self.answers() if at > moment]

    def stop(self) -> None:
        end(self.process)


def load_program() -> Path:
    """SHARDWAY_LOAD, else where the build put it."""
    build = Path(os.environ.get("SHARDWAY_BUILD", HERE.parents[1] / "build/dev"))
    candidates = (
        [Path(os.environ["SHARDWAY_LOAD"])]
        if "SHARDWAY_LOAD" in os.environ
        else [build / "examples/shopsphere/load", build / "bin/load"]
    )
    for one in candidates:
        if one.exists():
            return one
    raise RuntimeError(
        f"the load is not built ({candidates[0]}): run examples/demo, or build the target shopsphere_load"
    )
