"""``route explain``."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape

from .. import _core
from ..errors import PreconditionFailed
from .command import command
from .io import Answer, Io
from .place import Place
from .root import route


@command(route, "explain")
@click.argument("table")
@click.argument("key", nargs=-1, required=True)
def explain(io: Io, place: Place, table: str, key: tuple[str, ...]) -> Answer:
    """Where a call with this shard key goes now, and why. TABLE is schema.name; KEY has one value for each column."""
    document = place.catalog.generation_document()
    if document is None:
        raise PreconditionFailed(
            "no generation is published", code="precondition_failed", hint="run `shardway manifest apply`"
        )
    found = _core.explain_route(document, table, list(key))

    def show(out: Console) -> None:
        columns = ", ".join(f"{name} {kind}" for name, kind in zip(found["shard_key"], found["types"]))
        out.print(escape(f"{table} (group {found['group']}, {found['stage']}), shard key {columns}"))
        out.print(f"slot       {found['slot']}")
        out.print(
            escape(
                f"authority  {found['authority']}, epoch {found['epoch']}: writes and fresh reads go there"
            )
        )
        also = " and is dual written" if found["dual_written"] else ""
        out.print(escape(f"placed on  {found['placed_on']}{also}"))
        out.print(f"generation {found['generation']}")

    return Answer(found, show)
