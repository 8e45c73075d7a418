"""What every command shares: where data and progress go, how it answers, and how it asks before it does harm."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass, field
from typing import Any, Callable

from rich.console import Console
from rich.markup import escape

from ..errors import ConfigError
from . import exit_codes

SCHEMA_VERSION = 1


@dataclass
class Answer:
    """What a command found or did. ``data`` is its JSON form; ``show`` prints it for people."""

    data: dict[str, Any]
    show: Callable[[Console], None] | None = None
    next_steps: list[str] = field(default_factory=list)
    exit_code: int = exit_codes.DONE


@dataclass
class Change:
    """Something a command is about to do. ``state`` is what the operator saw when deciding: if it moves, the decision is void."""

    what: str
    steps: list[str]
    state: dict[str, Any]
    run: Callable[[], Answer]
    request: dict[str, Any] | None = None

    def state_hash(self, migration: str) -> str:
        seen = json.dumps(
            [migration, self.what, self.steps, self.state, self.request], sort_keys=True, default=str
        )
        return hashlib.sha256(seen.encode()).hexdigest()[:16]


class Aborted(Exception):
    """The operator said no."""


class Io:
    """stdout is data, stderr is progress."""

    def __init__(self, command: str, is_json: bool, is_quiet: bool) -> None:
        self.command = command
        self.is_json = is_json
        self.is_quiet = is_quiet
        plain = os.environ.get("TERM") == "dumb"
        self.out = Console(
            file=sys.stdout,
            soft_wrap=not sys.stdout.isatty(),
            force_terminal=False if plain else None,
            highlight=False,
        )
        self.err = Console(
            file=sys.stderr,
            soft_wrap=not sys.stderr.isatty(),
            force_terminal=False if plain else None,
            highlight=False,
        )

    def note(self, text: str) -> None:
        """A line of progress."""
        if not self.is_quiet:
            self.err.print(escape(text))

    def answer(self, answer: Answer) -> int:
        if self.is_json:
            self._document(answer.exit_code in (exit_codes.DONE,), answer.data, answer.next_steps)
        else:
            if answer.show:
                answer.show(self.out)
            self._advice(answer.next_steps)
        return answer.exit_code

    def fail(self, error: dict[str, Any], exit_code: int, next_steps: list[str]) -> int:
        if self.is_json:
            self._document(False, {"error": error}, next_steps)
        place = f" ({error['node']})" if error.get("node") else ""
        self.err.print(f"[red]error[/] {escape(error['code'])}: {escape(error['message'] + place)}")
        if error.get("hint"):
            self.err.print(escape(f"  what to do: {error['hint']}"))
        if not self.is_json:
            self._advice(next_steps)
        return exit_code

    def _document(self, is_ok: bool, data: dict[str, Any], next_steps: list[str]) -> None:
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


def dry_run(io: Io, change: Change, migration: str, is_dangerous: bool) -> Answer:
    """The ordered steps, without doing them."""
    seen = change.state_hash(migration)
    data: dict[str, Any] = {
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

    again = (
        f"the same command without --dry-run{f', with --yes --expect-state={seen}' if is_dangerous else ''}"
    )
    return Answer(data, show, [again])


def confirm(io: Io, change: Change, migration: str, is_yes: bool, expect_state: str | None) -> None:
    """Returns when the step may be taken: its state is the one that was looked at, or the migration's name was typed."""
    if expect_state and not is_yes:
        raise ConfigError(
            "--expect-state was given without --yes",
            code="invalid_argument",
            hint="give both, or neither and type the name",
        )
    if is_yes and not expect_state:
        raise ConfigError(
            "--yes alone does not say what was agreed to",
            code="invalid_argument",
            hint="run with --dry-run first and give --yes --expect-state=<what it printed>",
        )
    if is_yes:
        _compare(change, migration, expect_state or "")
        return
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        raise ConfigError(
            f"{change.what} needs a confirmation and there is no terminal to ask on",
            code="invalid_argument",
            hint="run with --dry-run first and give --yes --expect-state=<what it printed>",
        )
    io.err.print(f"[bold]{escape(change.what)}[/]")
    for number, step in enumerate(change.steps, 1):
        io.err.print(escape(f"{number:3}. {step}"))
    sys.stderr.write(f"Type the migration's name ({migration}) to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != migration:
        raise Aborted


def _compare(change: Change, migration: str, expected: str) -> None:
    from ..errors import PreconditionFailed

    found = change.state_hash(migration)
    if found != expected:
        raise PreconditionFailed(
            f"the state is {found}, not the {expected} that was agreed to: something changed since the dry run",
            code="precondition_failed",
            hint="look at --dry-run again and decide anew",
        )
