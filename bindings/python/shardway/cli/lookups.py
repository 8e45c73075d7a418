"""``lookup``: build, check, repair."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from . import exit_codes
from .command import command
from .io import Answer, Change, Io
from .place import Place
from .requests import ask
from .root import lookup

_table = click.option(
    "--table", "-t", required=True, metavar="SCHEMA.NAME", help="The table that has the lookup."
)
_name = click.option(
    "--name", "-n", required=True, metavar="LOOKUP", help="The lookup's name in the manifest."
)
_timeout = click.option(
    "--timeout",
    type=float,
    metavar="SECONDS",
    help="Stop waiting after this; the request goes on. Default: wait.",
)


@command(lookup, "build", is_change=True)
@_table
@_name
@_timeout
def build(io: Io, place: Place, table: str, name: str, timeout: float | None) -> Change:
    """Add mappings for the rows from before clients kept the lookup, while writers go on."""
    return _change(
        io,
        place,
        table,
        name,
        timeout,
        "build",
        [
            "wait until every client keeps the lookup and older transactions have ended",
            "go through all rows in pages and add mappings",
            "mark the lookup complete on every node",
        ],
    )


@command(lookup, "check")
@_table
@_name
@_timeout
def check(io: Io, place: Place, table: str, name: str, timeout: float | None) -> Answer:
    """Compare rows and mappings. Changes nothing. Exit code 4: rows can't be found, or share a unique value."""
    return _answer(
        table, name, "check", ask(io, place, "lookup", {"table": table, "name": name, "do": "check"}, timeout)
    )


@command(lookup, "repair", is_change=True)
@_table
@_name
@_timeout
def repair(io: Io, place: Place, table: str, name: str, timeout: float | None) -> Change:
    """Add missing mappings and remove those that lead nowhere, while writers go on."""
    return _change(
        io,
        place,
        table,
        name,
        timeout,
        "repair",
        [
            "add a mapping for each row without one",
            "remove mappings that have no row, or are on a wrong shard",
        ],
    )


def _change(
    io: Io, place: Place, table: str, name: str, timeout: float | None, what: str, steps: list
) -> Change:
    arguments = {"table": table, "name": name, "do": what}
    return Change(
        f"{what} lookup {name} of {table}",
        steps,
        {},
        lambda: _answer(table, name, what, ask(io, place, "lookup", arguments, timeout)),
        {"kind": "lookup", "arguments": arguments},
    )


def _answer(table: str, name: str, what: str, done: dict[str, Any]) -> Answer:
    again = f"--table {table} --name {name}"

    def show(out: Console) -> None:
        state = "complete" if done["ready"] else "building"
        out.print(
            escape(
                f"{table} {name} ({state}): {done['rows']:,} rows, {done['missing']} without a mapping, {done['stale']} stale, "
                f"{done['misplaced']} misplaced, {done['duplicates']} duplicates, {done['added']} added, {done['removed']} removed, {done['busy']} busy"
            )
        )

    unfound = done["missing"] - done["added"]
    if done["duplicates"]:
        return Answer(
            done,
            show,
            [f"decide which rows keep their values, then shardway lookup build {again}"],
            exit_codes.DIFFERENT,
        )
    if done["busy"]:
        return Answer(done, show, [f"shardway lookup {what} {again}"], exit_codes.NOT_NOW)
    if unfound > 0:
        return Answer(done, show, [f"shardway lookup repair {again}"], exit_codes.DIFFERENT)
    return Answer(done, show, [] if done["ready"] else [f"shardway lookup build {again}"])
