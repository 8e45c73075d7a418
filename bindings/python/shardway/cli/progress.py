"""Progress of long steps on standard error: bars on a terminal, otherwise a line every few seconds."""

from __future__ import annotations

import time
from typing import NamedTuple

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from ..documents import Status
from .io import Io
from .status_view import controller_of, copies_of, lag_of

_LINE_EVERY_S = 3.0


class _Row(NamedTuple):
    name: str
    done: int
    total: int | None  # None: not known
    more: str


class Progress:
    """What the controller does for a request, from its status."""

    def __init__(self, io: Io, kind: str, group: str | None) -> None:
        self._io = io
        self._kind = kind
        self._group = group
        self._began = self._said = time.monotonic()
        self._tasks: dict[str, TaskID] = {}
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

    def __exit__(self, *raised: object) -> None:
        if self._bars:
            self._bars.stop()

    def show(self, status: dict[str, Status]) -> None:
        """Show the progress that the controller's status describes."""
        if self._io.is_quiet:
            return
        rows = self._rows(status)
        if self._bars:
            self._draw(self._bars, rows)
        elif time.monotonic() - self._said > _LINE_EVERY_S:
            self._said = time.monotonic()
            for row in rows:
                self._io.note(f"{row.name}: {self._share(row)}{row.more}".rstrip())

    def _rows(self, status: dict[str, Status]) -> list[_Row]:
        controller = controller_of(status)
        lag = lag_of(controller)
        rows = []
        if self._kind == "advance":
            for copy in copies_of(controller, self._group):
                rate = f"{copy['rows_per_second']:,.0f} rows/s {lag}" if copy["rows_per_second"] else lag
                name = f"copy {copy['table']}, chunks"
                rows.append(_Row(name, copy["chunks_closed"], copy["chunks"] or None, rate))
        return rows or [_Row(self._kind, 0, None, lag)]

    def _draw(self, bars: Bars, rows: list[_Row]) -> None:
        for row in rows:
            if row.name not in self._tasks:
                self._tasks[row.name] = bars.add_task(row.name, total=row.total, more=row.more)
            bars.update(self._tasks[row.name], completed=row.done, total=row.total, more=row.more)

    def _share(self, row: _Row) -> str:
        spent = time.monotonic() - self._began
        if not row.total:
            return f"{spent:.0f} s "
        left = spent * (row.total - row.done) / row.done if 0 < row.done < row.total else 0
        return f"{row.done} of {row.total}{f', about {left:.0f} s left' if left else ''}, "
