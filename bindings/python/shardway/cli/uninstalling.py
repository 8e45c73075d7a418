"""``uninstall``."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape

from ..errors import PreconditionFailed
from .command import command
from .context import Context
from .io import Answer, Change

_CLIENT_EXPIRY_S = 10


@command("uninstall", is_dangerous=True)
@click.option(
    "--even-if-moved",
    is_flag=True,
    help="Also while shards have authority: the source's copy of their rows goes stale.",
)
@click.option(
    "--even-with-clients",
    is_flag=True,
    help="Also while services use the library: their calls on tables that have moved fail from then on.",
)
def uninstall(context: Context, even_if_moved: bool, even_with_clients: bool) -> Change:
    """Remove everything of shardway on every node.

    This removes replication slots, publications, triggers and the schema. All rows stay where they are.
    Sequences of the source step as before. What the source still has of tables that have moved as a whole
    keeps a trigger that refuses writes.
    """
    objects = context.migration.installed(context.role)
    source = context.migration.nodes[0]["name"]
    if any(one["kind"] == "schema" and one["node"] == source for one in objects):
        _refuse_if_in_use(context, even_if_moved=even_if_moved)
        if not even_with_clients:
            _refuse_if_clients(context)

    def run() -> Answer:
        gone = context.migration.uninstall(context.role, even_with_clients=even_with_clients)

        def show(out: Console) -> None:
            for one in gone:
                out.print(escape(f"{one['node']}: {one['kind']} {one['name']}"))
            out.print(f"{len(gone)} objects removed")

        return Answer({"removed": gone}, show)

    steps = _closing_steps(context, source) if objects else []
    steps += [f"drop {one['kind']} {one['name']} on {one['node']}" for one in objects]
    return Change("uninstalling", steps, {"objects": len(objects)}, run)


def _refuse_if_in_use(context: Context, *, even_if_moved: bool) -> None:
    if context.catalog.is_controller_alive():
        raise PreconditionFailed(
            "cannot uninstall while a controller runs",
            code="precondition_failed",
            hint="stop the controller first (SIGTERM), then uninstall",
        )
    generation = context.catalog.generation()
    moved = [
        group["group"]
        for group in (generation["groups"] if generation else [])
        if group["moved_slots"] and group["stage"] != "finalized"
    ]
    if moved and not even_if_moved:
        raise PreconditionFailed(
            f"shards have authority for slots of {', '.join(moved)}; without shardway, the source's copy of "
            "their rows goes stale",
            code="precondition_failed",
            hint="roll the waves back or finalize the groups first, or give --even-if-moved",
        )


def _refuse_if_clients(context: Context) -> None:
    clients = context.catalog.clients(_CLIENT_EXPIRY_S)
    if clients:
        names = ", ".join(sorted({one["application"] for one in clients}))
        raise PreconditionFailed(
            f"cannot uninstall while {len(clients)} processes use the library: {names}",
            code="precondition_failed",
            hint="stop them or deploy them without the library (docs/guides/operating.md), or give "
            "--even-with-clients",
        )


def _closing_steps(context: Context, source: str) -> list[str]:
    """Return what is closed for good on the source before anything is dropped."""
    try:
        generation = context.catalog.generation()
    except PreconditionFailed:
        return []
    return [
        f"on {source}: a trigger shardway_stale_copy refuses writes to {table}, whose rows are on shards"
        for group in (generation["groups"] if generation else [])
        if group["authority"] and all(one["node"] != source for one in group["authority"])
        for table in group["tables"]
    ]
