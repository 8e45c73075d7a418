"""Progress of long steps on stderr: bars on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from .io import Io
from .status_view import copies_of, lag_of

_LINE_EVERY = 3.0


class Progress:
    """What a request is doing, from the controller's status."""

    def __init__(self, io: Io, kind: str, group: str | None) -> None:
        self._io = io
        self._kind = kind
        self._group = group
        self._began = self._said = time.monotonic()
        self._tasks: dict[str, Any] = {}
        self._bars: Bars | None = None

    def __enter__(self) -> Progress:
        if self._io.err.is_terminal and not self._io.is_quiet:
            self._bars = Bars(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[more]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self._io.err,
                transient=True,
            )
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.stop()

    def show(self, status: dict[str, dict[str, Any]]) -> None:
        if self._io.is_quiet:
            return
        rows = self._rows(status)
        if self._bars:
            self._draw(rows)
        elif time.monotonic() - self._said > _LINE_EVERY:
            self._said = time.monotonic()
            for name, done, total, more in rows:
                self._io.note(f"{name}: {self._share(done, total)}{more}".rstrip())

    def _rows(self, status: dict[str, dict[str, Any]]) -> list[tuple[str, int, int | None, str]]:
        """(name, done, total, more); total is None where the end is not known."""
        rows: list[tuple[str, int, int | None, str]] = []
        if self._kind == "advance":
            for copy in copies_of(status, self._group):
                rate = (
                    f"{copy['rows_per_second']:,.0f} rows/s {lag_of(status)}"
                    if copy["rows_per_second"]
                    else lag_of(status)
                )
                rows.append(
                    (f"copy {copy['table']}, chunks", copy["chunks_closed"], copy["chunks"] or None, rate)
                )
        return rows or [(self._kind, 0, None, lag_of(status))]

    def _draw(self, rows: list[tuple[str, int, int | None, str]]) -> None:
        assert self._bars
        for name, done, total, more in rows:
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=total, more=more)
            self._bars.update(self._tasks[name], completed=done, total=total, more=more)

    def _share(self, done: int, total: int | None) -> str:
        spent = time.monotonic() - self._began
        if not total:
            return f"{spent:.0f} s "
        left = f", about {spent * (total - done) / done:.0f} s left" if 0 < done < total else ""
        return f"{done} of {total}{left}, "
