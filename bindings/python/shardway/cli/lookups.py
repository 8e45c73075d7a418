"""``lookup``: build, check, repair."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape

from ..documents import JsonObject
from . import exit_codes
from .command import command, group, timeout_option
from .context import Context
from .io import Answer, Change
from .requests import ask

_table = click.option(
    "--table", "-t", required=True, metavar="SCHEMA.NAME", help="The table that has the lookup."
)
_name = click.option(
    "--name", "-n", required=True, metavar="LOOKUP", help="The name of the lookup in the manifest."
)


@command("build", is_change=True)
@_table
@_name
@timeout_option
def build(context: Context, table: str, name: str, timeout: float | None) -> Change:
    """Add mappings for rows that are older than the lookup.

    Clients keep writing meanwhile.
    """
    steps = [
        "wait until every client maintains the lookup and older transactions have ended",
        "read all rows in pages and add their mappings",
        "mark the lookup complete on every node",
    ]
    return _change(context, table, name, timeout, "build", steps)


@command("check")
@_table
@_name
@timeout_option
def check(context: Context, table: str, name: str, timeout: float | None) -> Answer:
    """Compare rows with mappings. Changes nothing.

    Exit code 4: rows have no mapping, or several rows share a unique value.
    """
    done = ask(context, "lookup", {"table": table, "name": name, "do": "check"}, timeout)
    return _answer(table, name, "check", done)


@command("repair", is_change=True)
@_table
@_name
@timeout_option
def repair(context: Context, table: str, name: str, timeout: float | None) -> Change:
    """Add missing mappings and remove wrong ones.

    Clients keep writing meanwhile.
    """
    steps = [
        "add a mapping for each row without one",
        "remove mappings that have no row or are on the wrong shard",
    ]
    return _change(context, table, name, timeout, "repair", steps)


lookup = group("lookup", "Maintain the lookups from other columns to the shard key.", [build, check, repair])


def _change(
    context: Context, table: str, name: str, timeout: float | None, what: str, steps: list[str]
) -> Change:
    arguments = {"table": table, "name": name, "do": what}

    def run() -> Answer:
        return _answer(table, name, what, ask(context, "lookup", arguments, timeout))

    return Change(
        f"{what} lookup {name} of {table}", steps, {}, run, {"kind": "lookup", "arguments": arguments}
    )


def _answer(table: str, name: str, what: str, done: JsonObject) -> Answer:
    again = f"--table {table} --name {name}"

    def show(out: Console) -> None:
        state = "complete" if done["ready"] else "building"
        counts = (
            f"{done['rows']:,} rows, {done['missing']} without a mapping, {done['stale']} stale, "
            f"{done['misplaced']} misplaced, {done['duplicates']} duplicates, {done['added']} added, "
            f"{done['removed']} removed, {done['busy']} busy"
        )
        out.print(escape(f"{table} {name} ({state}): {counts}"))

    if done["duplicates"]:
        step = f"decide which rows keep their values, then run: shardway lookup build {again}"
        return Answer(done, show, [step], exit_codes.DIFFERENT)
    if done["busy"]:
        return Answer(done, show, [f"shardway lookup {what} {again}"], exit_codes.NOT_NOW)
    if done["missing"] > done["added"]:
        return Answer(done, show, [f"shardway lookup repair {again}"], exit_codes.DIFFERENT)
    return Answer(done, show, [] if done["ready"] else [f"shardway lookup build {again}"])
