"""What every command shares: its output, its answer, and the question before a dangerous step."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass, field
from typing import Callable, TextIO

from rich.console import Console
from rich.markup import escape

from ..documents import JsonObject
from ..errors import ConfigError, PreconditionFailed
from . import exit_codes

SCHEMA_VERSION = 1
_WIDTH_OF_FILES = 10_000  # as good as none
_RUN_DRY_FIRST = "run it with --dry-run first, then give --yes --expect-state=<the state it printed>"


@dataclass
class Answer:
    """What a command found or did. ``data`` is its JSON form; ``show`` prints it for people."""

    data: JsonObject
    show: Callable[[Console], None] | None = None
    next_steps: list[str] = field(default_factory=list)
    exit_code: int = exit_codes.DONE


@dataclass
class Change:
    """What a command is about to change.

    ``state`` is what the operator saw when deciding. If it changes, the decision is void.
    """

    what: str
    steps: list[str]
    state: JsonObject
    run: Callable[[], Answer]
    request: JsonObject | None = None

    def state_hash(self, migration: str) -> str:
        """Return a hash of everything that the operator agrees to."""
        seen = json.dumps(
            [migration, self.what, self.steps, self.state, self.request], sort_keys=True, default=str
        )
        return hashlib.sha256(seen.encode()).hexdigest()[:16]


def _console(file: TextIO) -> Console:
    """Return a console. Without a terminal no line is wrapped and no column of a table is cut."""
    is_dumb = os.environ.get("TERM") == "dumb"
    return Console(
        file=file,
        soft_wrap=not file.isatty(),
        width=None if file.isatty() else _WIDTH_OF_FILES,
        force_terminal=False if is_dumb else None,
        highlight=False,
    )


class Aborted(Exception):
    """The operator declined."""


class Io:
    """Standard output carries data, standard error carries progress."""

    def __init__(self, command: str, *, is_json: bool, is_quiet: bool) -> None:
        self.command = command
        self.is_json = is_json
        self.is_quiet = is_quiet
        self.out = _console(sys.stdout)
        self.err = _console(sys.stderr)

    def note(self, text: str) -> None:
        """Print a line of progress."""
        if not self.is_quiet:
            self.err.print(escape(text))

    def answer(self, answer: Answer) -> int:
        """Print an answer and return its exit code."""
        if self.is_json:
            self._document(
                is_ok=answer.exit_code == exit_codes.DONE, data=answer.data, next_steps=answer.next_steps
            )
        else:
            if answer.show:
                answer.show(self.out)
            self._advice(answer.next_steps)
        return answer.exit_code

    def fail(self, error: JsonObject, exit_code: int, next_steps: list[str]) -> int:
        """Print an error and return its exit code."""
        if self.is_json:
            self._document(is_ok=False, data={"error": error}, next_steps=next_steps)
        place = f" ({error['node']})" if error.get("node") else ""
        self.err.print(f"[red]error[/] {escape(error['code'])}: {escape(error['message'] + place)}")
        if error.get("hint"):
            self.err.print(escape(f"  what to do: {error['hint']}"))
        if error.get("server_detail"):
            self.err.print(escape(f"  the server says: {error['server_detail']}"))
        if not self.is_json:
            self._advice(next_steps)
        return exit_code

    def _document(self, *, is_ok: bool, data: JsonObject, next_steps: list[str]) -> None:
        whole = {
            "schema_version": SCHEMA_VERSION,
            "command": self.command,
            "ok": is_ok,
            **data,
            "next_steps": next_steps,
        }
        sys.stdout.write(json.dumps(whole, indent=2, default=str) + "\n")

    def _advice(self, next_steps: list[str]) -> None:
        if next_steps and not self.is_quiet:
            self.err.print("[dim]next:[/]")
            for step in next_steps:
                self.err.print(f"  {escape(step)}")


def dry_run(change: Change, migration: str, *, is_dangerous: bool) -> Answer:
    """Return the steps of a change in order. Nothing is changed."""
    seen = change.state_hash(migration)
    data: JsonObject = {
        "dry_run": True,
        "what": change.what,
        "steps": change.steps,
        "state": change.state,
        "expect_state": seen,
    }
    if change.request:
        data["request"] = change.request

    def show(out: Console) -> None:
        out.print(escape(f"{change.what} would:"))
        for number, step in enumerate(change.steps, 1):
            out.print(escape(f"{number:3}. {step}"))
        if is_dangerous:
            out.print(f"state {seen}")

    consent = f", with --yes --expect-state={seen}" if is_dangerous else ""
    return Answer(data, show, [f"run the same command without --dry-run{consent}"])


def confirm(io: Io, change: Change, migration: str, *, is_yes: bool, expect_state: str | None) -> None:
    """Return if the operator agrees: by the state of the dry run, or by typing the name of the migration.

    Errors: ConfigError if the options do not fit or there is no terminal, PreconditionFailed if the state has
    changed, Aborted if the operator declines.
    """
    if expect_state and not is_yes:
        raise ConfigError(
            "--expect-state was given without --yes",
            code="invalid_argument",
            hint="give both, or neither and type the name of the migration",
        )
    if is_yes and not expect_state:
        raise ConfigError(
            "--yes was given without --expect-state: it does not say what you agree to",
            code="invalid_argument",
            hint=_RUN_DRY_FIRST,
        )
    if expect_state:
        _compare(change, migration, expect_state)
        return
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        raise ConfigError(
            f"{change.what} needs a confirmation, and there is no terminal to ask on",
            code="invalid_argument",
            hint=_RUN_DRY_FIRST,
        )
    _ask(io, change, migration)


def _ask(io: Io, change: Change, migration: str) -> None:
    io.err.print(f"[bold]{escape(change.what)}[/]")
    for number, step in enumerate(change.steps, 1):
        io.err.print(escape(f"{number:3}. {step}"))
    sys.stderr.write(f"Type the name of the migration ({migration}) to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != migration:
        raise Aborted


def _compare(change: Change, migration: str, expected: str) -> None:
    found = change.state_hash(migration)
    if found != expected:
        raise PreconditionFailed(
            f"the state is {found}, but you agreed to {expected}: something changed since the dry run",
            code="precondition_failed",
            hint="run it with --dry-run again and decide anew",
        )
