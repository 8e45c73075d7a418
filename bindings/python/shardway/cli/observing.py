"""``observe``: what the calls of all clients would be on shards."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.console import Console
from rich.markup import escape

from ..documents import Group, JsonObject
from .columns import table_of
from .command import command
from .context import Context
from .io import Answer

# What stands in the way of a table, worst first, in words for one and for several.
_HINDRANCES = {
    "crosses_shards": ("transaction crosses shards", "transactions cross shards"),
    "crosses_groups": ("transaction crosses groups", "transactions cross groups"),
    "without_key": ("call without shard key", "calls without shard key"),
    "not_known": ("transaction not known", "transactions not known"),
}
_SITES_NAMED = 3
_COUNTS_OF_SITE = ("calls", "single_shard", "without_key", "crosses_shards", "crosses_groups", "not_known")


@command("observe")
@click.option("--table", metavar="NAME", help="Only this table, as schema.name.")
@click.option("--call-sites", "with_sites", is_flag=True, help="Also list every call site, most calls first.")
@click.option(
    "--within",
    type=click.IntRange(min=1),
    default=336,
    show_default=True,
    metavar="HOURS",
    help="Only reports and foreign writes of this time.",
)
def observe(context: Context, table: str | None, with_sites: bool, within: int) -> Answer:
    """Show what the calls of all clients would be on shards.

    It lists tables and call sites, tables that are written together, and foreign writers.
    """
    generation = context.catalog.generation()
    groups = generation["groups"] if generation else []
    view = view_of(context.catalog.observed(within * 3600), groups, table)
    data = view if with_sites else {name: value for name, value in view.items() if name != "call_sites"}
    return Answer(
        {"migration": context.name, **data},
        lambda out: show(out, view, with_sites=with_sites),
        next_steps_of(view),
    )


def view_of(found: JsonObject, groups: Sequence[Group], only: str | None = None) -> JsonObject:
    """Return the collected reports, with the group, stage, share and advice of each table."""
    of_table = {table: group for group in groups for table in group["tables"]}
    seen = {one["table"]: one for one in found["tables"]}
    names = [name for name in sorted({*seen, *of_table}) if only in (None, name)]
    sites = [one for one in found["call_sites"] if only in (None, one["table"])]
    tables = []
    for name in names:
        counts = seen.get(name, {"table": name, "calls": 0})
        group = of_table.get(name)
        share = counts["single_shard"] / counts["calls"] if counts["calls"] else None
        tables.append(
            {
                **counts,
                "group": group["group"] if group else None,
                "stage": group["stage"] if group else None,
                "single_shard_share": share,
                "advice": advice(
                    counts, [one for one in sites if one["table"] == name], is_listed=group is not None
                ),
            }
        )
    return {
        **found,
        "tables": tables,
        "call_sites": sorted(sites, key=lambda one: (-one["calls"], one["table"], one["site"])),
        "written_together": [
            one for one in found["written_together"] if only is None or only in one["tables"]
        ],
        "proposed_groups": [one for one in found["proposed_groups"] if only is None or only in one["tables"]],
        "foreign_writers": [
            {**one, "reports_calls": one["application"] in found["applications"]}
            for one in found["foreign_writers"]
            if only in (None, one["relation"])
        ],
    }


def advice(counts: JsonObject, sites: list[JsonObject], *, is_listed: bool) -> list[str]:
    """Return what stands in the way of a table and where, or that nothing does."""
    if not is_listed:
        return ["in no manifest: it stays on the source"]
    if not counts["calls"]:
        return ["no call was seen"]
    lines = [_hindrance(shape, counts[shape], sites) for shape in _HINDRANCES if counts[shape]]
    return lines or ["ready: 100 % single-shard"]


def _hindrance(shape: str, count: int, sites: list[JsonObject]) -> str:
    where = sorted((one for one in sites if one[shape]), key=lambda one: (-one[shape], one["site"]))
    places = list(dict.fromkeys(one["site"] for one in where))
    more = f" and {len(places) - _SITES_NAMED} more" if len(places) > _SITES_NAMED else ""
    text = f"{count} {_HINDRANCES[shape][count > 1]}"
    return f"{text} at {', '.join(places[:_SITES_NAMED])}{more}" if places else text


def next_steps_of(view: JsonObject) -> list[str]:
    """Return commands for the groups whose tables were all seen and are ready."""
    groups: dict[str, list[JsonObject]] = {}
    for one in view["tables"]:
        if one["group"] is not None:
            groups.setdefault(one["group"], []).append(one)
    ready = [
        name
        for name, tables in groups.items()
        if all(one["single_shard_share"] == 1 and one["stage"] == "observing" for one in tables)
    ]
    return [f"shardway migrate advance --group {name} --to copying" for name in ready]


def show(out: Console, view: JsonObject, *, with_sites: bool) -> None:
    """Print what `observe` has found."""
    if not view["clients"]:
        out.print("no client has reported a call yet")
    else:
        processes = f"{view['clients']} processes of {', '.join(view['applications'])}"
        out.print(escape(f"{processes}, {view['since'][:19]} to {view['until'][:19]}"))
    _show_tables(out, view["tables"])
    if with_sites and view["call_sites"]:
        _show_sites(out, view["call_sites"])
    for one in view["proposed_groups"]:
        reason = f"{one['transactions']:,} transactions wrote several of them"
        out.print(escape(f"proposed group: {', '.join(one['tables'])} ({reason})"))
    if view["foreign_writers"]:
        _show_foreign(out, view["foreign_writers"])
    others = (
        view["other_tables"]["calls"]
        + view["other_transactions"]
        + sum(one.get("other_call_sites", {}).get("calls", 0) for one in view["tables"])
    )
    if others:
        out.print(
            f"{others:,} calls or transactions exceeded what a process tells apart: "
            "they are counted without their place"
        )


def _percent(share: float | None) -> str:
    if share is None:
        return "-"
    return "100 %" if share == 1 else f"{min(share * 100, 99.9):.1f} %"


def _show_tables(out: Console, tables: list[JsonObject]) -> None:
    shown = table_of("table", "group", "stage", "calls#", "single-shard#", "advice")
    for one in tables:
        first, *rest = one["advice"]
        shown.add_row(
            escape(one["table"]),
            one["group"] or "-",
            one["stage"] or "-",
            f"{one['calls']:,}",
            _percent(one["single_shard_share"]),
            escape(first),
        )
        for line in rest:
            shown.add_row("", "", "", "", "", escape(line))
    out.print(shown)


def _show_sites(out: Console, sites: list[JsonObject]) -> None:
    shown = table_of(
        "call site",
        "table",
        "call",
        "statement",
        "calls#",
        "single-shard#",
        "no key#",
        "shards#",
        "groups#",
        "not known#",
    )
    for one in sites:
        shown.add_row(
            escape(one["site"]),
            escape(one["table"]),
            one["call"],
            one["statement"],
            *(f"{one[name]:,}" for name in _COUNTS_OF_SITE),
        )
    out.print(shown)


def _show_foreign(out: Console, writers: list[JsonObject]) -> None:
    shown = table_of("foreign writer", "role", "table", "operation", "statements#", "last seen")
    for one in writers:
        also = " (also uses the library)" if one["reports_calls"] else ""
        shown.add_row(
            escape((one["application"] or "(unnamed)") + also),
            escape(one["role"]),
            escape(one["relation"]),
            one["operation"],
            f"{one['statements']:,}",
            one["last_seen"][:19],
        )
    out.print(shown)
