"""What the demo shows while it runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

PLAIN_EVERY = 5.0


def copy_of(document: dict[str, Any]) -> dict[str, Any]:
    """Rows, bytes, chunks and rate over the copies of all groups."""
    copies = [group["copy"] for group in document.get("groups", []) if group.get("copy")]
    tables = [table for copy in copies for table in copy["tables"]]
    return {
        "rows": sum(table["rows"] for table in tables),
        "bytes": sum(table["bytes"] for table in tables),
        "closed": sum(table["chunks_closed"] for table in tables),
        "chunks": sum(table["chunks"] for table in tables),
        "running": any(copy["running"] for copy in copies),
    }


class StageView:
    """Thread safety: `refresh` comes from a poller, the rest from the script; each replaces whole values."""

    def __init__(self, console: Console):
        self.console, self.began = console, time.monotonic()
        self.name, self.stage, self.phase_began = "", "", time.monotonic()
        self.notes: list[str] = []
        self.document: dict[str, Any] = {}
        self.load: dict[str, Any] = {}
        self.rate_rows = self.rate_bytes = 0.0
        self.before = (time.monotonic(), 0, 0)
        self.printed = 0.0
        self.live = (
            Live(get_renderable=self.render, console=console, refresh_per_second=4, transient=True)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def phase(self, name: str, stage: str) -> None:
        if self.name:
            self.note(f"{self.name}: {time.monotonic() - self.phase_began:.1f} s")
        self.name, self.stage, self.phase_began = name, stage, time.monotonic()
        if not self.live:
            self.line()

    def note(self, text: str) -> None:
        self.notes = [*self.notes, text][-40:]
        self.console.print(f"[dim]{time.monotonic() - self.began:6.1f} s[/] {text}", highlight=False)

    def refresh(self, document: dict[str, Any], load: dict[str, Any]) -> None:
        self.document, self.load = document, load
        copied = copy_of(document)
        now = time.monotonic()
        at, rows, size = self.before
        if now - at >= 0.9:
            self.rate_rows = max(0.0, (copied["rows"] - rows) / (now - at))
            self.rate_bytes = max(0.0, (copied["bytes"] - size) / (now - at))
            self.before = (now, copied["rows"], copied["bytes"])
        if not self.live and now - self.printed > PLAIN_EVERY:
            self.line()

    def facts(self) -> dict[str, str]:
        copied = copy_of(self.document)
        streams, mirrors = self.document.get("streams", []), self.document.get("mirrors", [])
        left = copied["chunks"] - copied["closed"]
        eta = (
            f"{left * (copied['rows'] / max(1, copied['closed'])) / self.rate_rows:.0f} s"
            if copied["running"] and self.rate_rows > 0 and left
            else "-"
        )
        return {
            "stages": ", ".join(
                f"{one['group']} {one['stage']}"
                + (f" ({one['slots_moved'] * 100 // 4096} %)" if one["slots_moved"] else "")
                for one in self.document.get("groups", [])
            )
            or "-",
            "copy": f"{copied['rows']:,} rows, {self.rate_bytes / 1e6:.1f} MB/s, "
            f"chunks {copied['closed']}/{copied['chunks']}, ETA {eta}",
            "lag": f"{max((one['lag_ms'] for one in streams), default=0)} ms to the shards, "
            f"{max((one['lag_bytes'] for one in mirrors), default=0):,} B mirrors",
            "dual writes": f"{self.load.get('dual_writes_applied', 0):,} applied, "
            f"{self.load.get('dual_writes_pending', 0):,} left to the stream; "
            f"{sum(one['duplicates'] for one in streams):,} duplicates counted, "
            f"{sum(one['healed'] for one in streams):,} healed",
            "clients": f"{self.load.get('writes_ok', 0):,} writes, "
            f"{self.load.get('writes_failed', 0)} failed, "
            f"{self.load.get('in_doubt', 0)} in doubt; "
            f"{self.load.get('reads', 0):,} reads, {self.load.get('violations', 0)} violations",
            "stall": f"{self.load.get('stalled_writes', 0)} writes stalled, "
            f"longest {self.load.get('stall_us_max', 0) / 1000:.1f} ms",
        }

    def line(self) -> None:
        self.printed = time.monotonic()
        facts = self.facts()
        self.console.print(
            f"{self.printed - self.began:6.1f} s {self.name} | {facts['stages']} | copy {facts['copy']} | "
            f"lag {facts['lag']} | "
            f"{facts['dual writes']} | {facts['clients']} | {facts['stall']}",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )

    def render(self) -> Group:
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold", min_width=12)
        table.add_column()
        for name, text in self.facts().items():
            table.add_row(name, Text(text))
        spent = time.monotonic() - self.began
        return Group(Text(f"{spent:6.1f} s  {self.name}", style="bold cyan"), table)
