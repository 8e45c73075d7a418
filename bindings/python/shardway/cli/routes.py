"""``route explain``."""

from __future__ import annotations

from typing import cast

import click
from rich.console import Console
from rich.markup import escape

from .. import _core
from ..documents import Route
from .command import command, group
from .context import Context
from .generations import published_document
from .io import Answer


@command("explain")
@click.argument("table")
@click.argument("key", nargs=-1, required=True)
def explain(context: Context, table: str, key: tuple[str, ...]) -> Answer:
    """Show where a call with this shard key goes now, and why.

    TABLE is schema.name. KEY has one value for each column of the shard key.
    """
    found = cast("Route", _core.explain_route(published_document(context), table, list(key)))

    def show(out: Console) -> None:
        columns = ", ".join(f"{name} {kind}" for name, kind in zip(found["shard_key"], found["types"]))
        out.print(escape(f"{table} (group {found['group']}, {found['stage']}), shard key {columns}"))
        out.print(f"slot       {found['slot']}")
        authority = f"{found['authority']}, epoch {found['epoch']}: it takes the writes and the fresh reads"
        out.print(escape(f"authority  {authority}"))
        also = " and is dual written" if found["dual_written"] else ""
        out.print(escape(f"placed on  {found['placed_on']}{also}"))
        out.print(f"generation {found['generation']}")

    return Answer({**found}, show)


route = group("route", "Show where a call goes.", [explain])
