"""``migrate status`` for people: tables out of the controller's document, the generation and the certificates."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

Document = dict[str, Any]


def controller_of(status: dict[str, Document]) -> Document:
    """The controller's document; empty before the first controller."""
    return (status.get("controller") or {}).get("document") or {}


def copies_of(status: dict[str, Document], group: str | None = None) -> list[Document]:
    """One entry for each table of each copy, with the copy's rate."""
    found = []
    for one in controller_of(status).get("groups", []):
        copy = one.get("copy")
        if copy and group in (None, one["group"]):
            found += [
                {**table, "rows_per_second": copy["rows_per_second"] if copy["running"] else 0.0}
                for table in copy["tables"]
            ]
    return found


def lag_of(status: dict[str, Document]) -> str:
    streams = controller_of(status).get("streams", [])
    return f"stream lag {max(one['lag_ms'] for one in streams)} ms" if streams else ""


def rollback_state(mirror: Document) -> str:
    """What the mirror of one shard is good for, in words."""
    if mirror.get("failure"):
        return f"broken: {mirror['failure']}"
    if not mirror["running"]:
        return "not started"
    if not mirror["connected"]:
        return "not connected: trying again"
    return f"rollback ready, lag {mirror['lag_ms']} ms"


def show(out: Console, view: Document) -> None:
    """Prints what `migrate status` has collected."""
    _show_controller(out, view)
    _show_groups(out, view)
    controller = view["controller"]
    _show_copies(out, controller)
    _show_streams(out, controller.get("streams", []), "stream to")
    _show_mirrors(out, controller.get("mirrors", []))
    for name in ("failure",):
        if controller.get(name):
            out.print(f"[red]stream stopped[/]: {escape(controller[name])}")
    _show_certificates(out, view["certificates"])
    _show_clients(out, view["clients"], view["generation"])


def _show_controller(out: Console, view: Document) -> None:
    lease = view["lease"]
    if not lease:
        out.print("controller: none ever ran")
        return
    state = "runs" if lease["is_alive"] else "is not running"
    age = f", status {view['status_age_ms']} ms old" if view["status_age_ms"] is not None else ""
    out.print(
        escape(
            f"controller: {lease['holder']} {state} (token {lease['token']}, lease to {lease['expires_at']}{age})"
        )
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column.endswith("#") else "left")
        table.columns[-1].header = column.rstrip("#")
    return table


def _show_groups(out: Console, view: Document) -> None:
    table = _table("group", "stage", "moved slots#", "epoch#", "tables")
    for group in view["groups"]:
        epoch = max(one["epoch"] for one in group["authority"])
        table.add_row(
            group["group"], group["stage"], str(group["moved_slots"]), str(epoch), ", ".join(group["tables"])
        )
    out.print(table)


def _show_copies(out: Console, controller: Document) -> None:
    copies = copies_of({"controller": {"document": controller}})
    if not copies:
        return
    table = _table("copy", "chunks#", "rows#", "MB#", "rows/s#")
    for one in copies:
        rate = f"{one['rows_per_second']:,.0f}" if one["rows_per_second"] else "-"
        table.add_row(
            one["table"],
            f"{one['chunks_closed']}/{one['chunks'] or '?'}",
            f"{one['rows']:,}",
            f"{one['bytes'] / 1e6:,.1f}",
            rate,
        )
    out.print(table)


def _show_streams(out: Console, streams: list[Document], title: str) -> None:
    if not streams:
        return
    table = _table(
        title,
        "state",
        "lag ms#",
        "lag bytes#",
        "changes#",
        "duplicates#",
        "healed#",
        "corrected#",
        "foreign writes#",
    )
    for one in streams:
        state = (
            "stopped: " + one["failure"]
            if one["failure"]
            else "runs"
            if one["connected"]
            else "connecting"
            if one["running"]
            else "not started"
        )
        numbers = [
            one[name]
            for name in (
                "lag_ms",
                "lag_bytes",
                "changes",
                "duplicates",
                "healed",
                "corrected",
                "foreign_writes",
            )
        ]
        table.add_row(one["stream"], escape(state), *(f"{number:,}" for number in numbers))
    out.print(table)


def _show_mirrors(out: Console, mirrors: list[Document]) -> None:
    if not mirrors:
        return
    table = _table("mirror of", "state", "lag bytes#", "changes#")
    for one in mirrors:
        table.add_row(
            one["stream"], escape(rollback_state(one)), f"{one['lag_bytes']:,}", f"{one['changes']:,}"
        )
    out.print(table)


def _show_clients(out: Console, clients: list[Document], newest: int) -> None:
    """One line for processes that are alike: a service has many."""
    alike: dict[tuple[str, str, int], list[Document]] = {}
    for one in clients:
        alike.setdefault((one["application"], one["library_version"], one["generation"]), []).append(one)
    if not alike:
        return
    table = _table("clients of", "processes#", "library", "generation#", "state", "silent ms#")
    for (application, version, generation), some in sorted(alike.items()):
        state = "on the newest generation" if generation >= newest else f"behind by {newest - generation}"
        table.add_row(
            escape(application),
            str(len(some)),
            escape(version),
            str(generation),
            state,
            f"{max(one['silent_ms'] for one in some):,}",
        )
    out.print(table)


def _show_certificates(out: Console, certificates: list[Document]) -> None:
    if not certificates:
        return
    table = _table("certificate", "verdict", "rows#", "age", "stands")
    for one in certificates:
        table.add_row(
            one["relation"], one["verdict"], f"{one['row_count']:,}", one["age"], escape(one["gap"] or "yes")
        )
    out.print(table)
