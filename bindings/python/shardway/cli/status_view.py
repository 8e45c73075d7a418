"""``migrate status`` for people: tables of groups, copies, streams, mirrors, certificates and clients."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from ..documents import ClientProcess, JsonObject, Status
from .columns import table_of

_COUNTS_OF_STREAM = (
    "lag_ms",
    "lag_bytes",
    "changes",
    "duplicates",
    "healed",
    "corrected",
    "foreign_writes",
)


def controller_of(status: dict[str, Status]) -> JsonObject:
    """Return the status document of the controller. It is empty before the first controller."""
    return (status["controller"]["document"] or {}) if "controller" in status else {}


def copies_of(controller: JsonObject, group: str | None = None) -> list[JsonObject]:
    """Return an entry for each table of each copy, with the rate of the copy."""
    found = []
    for one in controller.get("groups", []):
        copy = one.get("copy")
        if copy and group in (None, one["group"]):
            rate = copy["rows_per_second"] if copy["running"] else 0.0
            found += [{**table, "rows_per_second": rate} for table in copy["tables"]]
    return found


def lag_of(controller: JsonObject) -> str:
    """Return the largest lag of the streams in words, or nothing if there is no stream."""
    streams = controller.get("streams", [])
    return f"stream lag {max(one['lag_ms'] for one in streams)} ms" if streams else ""


def rollback_state(mirror: JsonObject) -> str:
    """Return in words whether the mirror of one shard allows a rollback."""
    if mirror.get("failure"):
        return f"broken: {mirror['failure']}"
    if not mirror["running"]:
        return "not started"
    if not mirror["connected"]:
        return "not connected; it tries again"
    if mirror.get("waiting"):
        return f"waits: {mirror['waiting']}"
    return f"rollback ready, lag {mirror['lag_ms']} ms"


def only(view: JsonObject, groups: set[str], tables: set[str]) -> JsonObject:
    """Return the part of a view that concerns these groups and tables. Without any, all of it."""
    if not groups and not tables:
        return view
    kept = [
        {**one, "tables": [table for table in one["tables"] if not tables or table in tables]}
        for one in view["groups"]
        if not groups or one["group"] in groups
    ]
    kept = [one for one in kept if one["tables"]]
    names = {one["group"] for one in kept}
    wanted = {table for one in kept for table in one["tables"]}
    controller = view["controller"]
    copies = [one for one in controller.get("groups", []) if one["group"] in names]
    return {
        **view,
        "groups": kept,
        "controller": {**controller, "groups": [_tables_of(one, wanted) for one in copies]},
        "certificates": [one for one in view["certificates"] if one["relation"] in wanted],
        "foreign_writers": [one for one in view["foreign_writers"] if one["relation"] in wanted],
    }


def _tables_of(group: JsonObject, tables: set[str]) -> JsonObject:
    kept = dict(group)
    if "copy" in group:
        copied = [one for one in group["copy"]["tables"] if one["table"] in tables]
        kept["copy"] = {**group["copy"], "tables": copied}
    if "differences" in group:  # what names no table concerns all of them
        kept["differences"] = [one for one in group["differences"] if one["table"] in {"(all)", *tables}]
    return kept


def show_short(out: Console, view: JsonObject) -> None:
    """Print a line for the controller and for each group, and what has stopped."""
    _show_controller(out, view)
    foreign: dict[str, int] = {}
    for one in view["foreign_writers"]:
        foreign[one["relation"]] = foreign.get(one["relation"], 0) + one["statements"]
    gaps = {one["relation"] for one in view["certificates"] if one["gap"] or one["verdict"] != "equal"}
    for group in view["groups"]:
        words = [f"{group['group']}: {group['stage']}", f"{len(group['tables'])} tables"]
        if group["moved_slots"]:
            words.append(f"{group['moved_slots']} slots moved")
        if count := sum(foreign.get(table, 0) for table in group["tables"]):
            words.append(f"{count:,} foreign writes")
        if count := sum(table in gaps for table in group["tables"]):
            words.append(f"{count} certificates not valid")
        out.print(escape(", ".join(words)))
    for group in view["controller"].get("groups", []):
        if group.get("paused"):
            out.print(f"[red]paused[/]: {escape(group['group'])}")
    for line in failures_of(view["controller"]):
        out.print(f"[red]stopped[/]: {escape(line)}")


def failures_of(controller: JsonObject) -> list[str]:
    """Return what has stopped: the stream, a stream to a shard, a mirror, a copy."""
    found = [controller["failure"]] if controller.get("failure") else []
    found += [
        f"{kind} {one['stream']}: {one['failure']}"
        for kind, streams in (("stream to", "streams"), ("mirror of", "mirrors"))
        for one in controller.get(streams, [])
        if one["failure"]
    ]
    found += [
        f"copy of {one['group']}: {one['copy']['failure']}"
        for one in controller.get("groups", [])
        if one.get("copy") and one["copy"]["failure"]
    ]
    return found


def show(out: Console, view: JsonObject) -> None:
    """Print what `migrate status` has collected."""
    _show_controller(out, view)
    _show_groups(out, view)
    controller = view["controller"]
    _show_differences(out, controller)
    _show_copies(out, controller)
    _show_streams(out, controller.get("streams", []), "stream to")
    _show_mirrors(out, controller.get("mirrors", []))
    if controller.get("failure"):
        out.print(f"[red]stream stopped[/]: {escape(controller['failure'])}")
    _show_certificates(out, view["certificates"])
    _show_foreign_writers(out, view["foreign_writers"])
    show_clients(out, view["clients"], view["generation"])


def _show_controller(out: Console, view: JsonObject) -> None:
    lease = view["lease"]
    if not lease:
        out.print("controller: none has run yet")
        return
    state = "runs" if lease["is_alive"] else "is not running"
    age = f", status {view['status_age_ms']} ms old" if view["status_age_ms"] is not None else ""
    held = f"token {lease['token']}, lease until {lease['expires_at']}"
    out.print(escape(f"controller: {lease['holder']} {state} ({held}{age})"))


def _show_groups(out: Console, view: JsonObject) -> None:
    table = table_of("group", "stage", "moved slots#", "epoch#", "tables")
    for group in view["groups"]:
        epoch = max(one["epoch"] for one in group["authority"])
        table.add_row(
            group["group"], group["stage"], str(group["moved_slots"]), str(epoch), ", ".join(group["tables"])
        )
    out.print(table)


def _show_differences(out: Console, controller: JsonObject) -> None:
    for group in controller.get("groups", []):
        differences = group.get("differences", [])
        if group.get("paused"):
            out.print(f"[red]group {escape(group['group'])} is paused[/]: its tables differ between nodes")
        for one in differences:
            what = f"{one['table']}: {one['object']} {one['difference']}"
            out.print(escape(f"  {one['answer']}: {what}; {one['way_out']}"))


def _show_copies(out: Console, controller: JsonObject) -> None:
    copies = copies_of(controller)
    if not copies:
        return
    table = table_of("copy", "chunks#", "rows#", "MB#", "rows/s#")
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


def _show_streams(out: Console, streams: list[JsonObject], title: str) -> None:
    if not streams:
        return
    table = table_of(
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
        numbers = (f"{one[name]:,}" for name in _COUNTS_OF_STREAM)
        table.add_row(one["stream"], escape(_state_of(one)), *numbers)
    out.print(table)


def _state_of(stream: JsonObject) -> str:
    if stream["failure"]:
        return f"stopped: {stream['failure']}"
    if stream.get("waiting"):
        return f"waits: {stream['waiting']}"
    if stream["connected"]:
        return "runs"
    return "connecting" if stream["running"] else "not started"


def _show_mirrors(out: Console, mirrors: list[JsonObject]) -> None:
    if not mirrors:
        return
    table = table_of("mirror of", "state", "lag bytes#", "changes#")
    for one in mirrors:
        table.add_row(
            one["stream"], escape(rollback_state(one)), f"{one['lag_bytes']:,}", f"{one['changes']:,}"
        )
    out.print(table)


def show_clients(out: Console, clients: list[ClientProcess], newest: int) -> None:
    """Print one line for all processes of the same application, version and generation."""
    alike: dict[tuple[str, str, int], list[ClientProcess]] = {}
    for one in clients:
        alike.setdefault((one["application"], one["library_version"], one["generation"]), []).append(one)
    if not alike:
        return
    table = table_of("clients of", "processes#", "library", "generation#", "state", "silent ms#")
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


def _show_certificates(out: Console, certificates: list[JsonObject]) -> None:
    if not certificates:
        return
    table = table_of("certificate", "verdict", "rows#", "age", "valid")
    for one in certificates:
        table.add_row(
            one["relation"], one["verdict"], f"{one['row_count']:,}", one["age"], escape(one["gap"] or "yes")
        )
    out.print(table)


def _show_foreign_writers(out: Console, writers: list[JsonObject]) -> None:
    if not writers:
        return
    table = table_of("foreign writer (24 h)", "role", "table", "operation", "statements#", "last seen")
    for one in writers:
        table.add_row(
            escape(one["application"] or "(unnamed)"),
            escape(one["role"]),
            escape(one["relation"]),
            one["operation"],
            f"{one['statements']:,}",
            one["last_seen"][:19],
        )
    out.print(table)
