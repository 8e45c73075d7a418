"""``uninstall``."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape

from ..errors import PreconditionFailed
from .command import command
from .io import Answer, Change, Io
from .place import Place
from .root import root


@command(root, "uninstall", is_dangerous=True)
@click.option(
    "--even-if-moved",
    is_flag=True,
    help="Also while shards have authority: the source's copy of those rows goes stale.",
)
def uninstall(io: Io, place: Place, even_if_moved: bool) -> Change:
    """Take away everything of ours on every node: replication slots, publications, triggers, the schema. Rows stay where they are."""
    objects = place.migration.installed(place.role)
    if any(one["kind"] == "schema" and one["node"] == place.migration.nodes[0]["name"] for one in objects):
        _refuse_if_in_use(place, even_if_moved)

    def run() -> Answer:
        gone = place.migration.uninstall(place.role)

        def show(out: Console) -> None:
            for one in gone:
                out.print(escape(f"{one['node']}: {one['kind']} {one['name']}"))
            out.print(f"{len(gone)} objects taken away")

        return Answer({"removed": gone}, show)

    steps = [f"drop {one['kind']} {one['name']} on {one['node']}" for one in objects]
    return Change("uninstalling", steps, {"objects": len(objects)}, run)


def _refuse_if_in_use(place: Place, even_if_moved: bool) -> None:
    if place.catalog.is_controller_alive():
        raise PreconditionFailed(
            "a controller is running",
            code="precondition_failed",
            hint="stop it first (SIGTERM), then uninstall",
        )
    generation = place.catalog.generation()
    moved = [
        group["group"]
        for group in (generation or {}).get("groups", [])
        if group["moved_slots"] and group["stage"] != "finalized"
    ]
    if moved and not even_if_moved:
        raise PreconditionFailed(
            f"shards have authority for slots of {', '.join(moved)}: without the schema nothing keeps the source's copy fresh",
            code="precondition_failed",
            hint="roll the waves back, or finalize, before uninstalling; --even-if-moved goes ahead",
        )
