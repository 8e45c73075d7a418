"""``doctor`` and ``plan``: what is so, and what will be done. Both only read."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from . import exit_codes
from .command import command
from .io import Answer, Io
from .place import Place
from .root import root

_COLOUR = {"pass": "green", "warn": "yellow", "fail": "red"}


@command(root, "doctor")
@click.option("--all", "is_all", is_flag=True, help="Also show the checks that passed.")
def doctor(io: Io, place: Place, is_all: bool) -> Answer:
    """Look at every node and table for what would go wrong later. Changes nothing; exit code 3 if a check fails."""
    io.note(f"looking at {len(place.migration.nodes)} nodes and {len(place.migration.tables)} tables")
    findings = place.migration.doctor(place.role)
    counts = {level: sum(one["level"] == level for one in findings) for level in ("pass", "warn", "fail")}

    def show(out: Console) -> None:
        for one in findings:
            if is_all or one["level"] != "pass":
                _show_finding(out, one)
        out.print(f"{counts['pass']} passed, {counts['warn']} warnings, {counts['fail']} failed")

    is_red = counts["fail"] > 0
    steps = (
        ["put right what failed, then `shardway doctor` again"]
        if is_red
        else [f"shardway plan --migration {place.folder}"]
    )
    return Answer(
        {"findings": findings, "counts": counts}, show, steps, exit_codes.RED if is_red else exit_codes.DONE
    )


def _show_finding(out: Console, one: dict[str, Any]) -> None:
    level = one["level"]
    place = " ".join(filter(None, (one["node"], one["subject"])))
    out.print(
        f"[{_COLOUR[level]}]{level.upper():4}[/] {escape(one['id'])} {escape(place)}: {escape(one['what'])}"
    )
    for line in one["fix"].splitlines():
        out.print(f"       fix: {escape(line)}")


@command(root, "plan")
@click.option("--sql", "is_sql", is_flag=True, help="Only the SQL that creates the roles, node by node.")
@click.option("--offline", is_flag=True, help="Connect to nothing: the steps without the roles' SQL.")
def plan(io: Io, place: Place, is_sql: bool, offline: bool) -> Answer:
    """The steps of the migration in order: what changes where, which locks, how to go back; and the SQL of the roles."""
    steps = place.migration.plan()
    scripts: list[dict[str, str]] = [] if offline else place.migration.roles_sql(place.role)

    def show(out: Console) -> None:
        if not is_sql:
            out.print(escape(place.migration.core.plan_text()))
        for script in scripts:
            out.print(escape(f"-- on {script['node']}, as an administrator:"))
            out.print(escape(script["sql"]))

    return Answer(
        {"steps": steps, "roles_sql": scripts},
        show,
        ["run the roles' SQL on each node", f"shardway manifest apply --migration {place.folder}"],
    )
