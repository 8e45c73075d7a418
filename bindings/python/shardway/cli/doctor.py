"""``doctor`` and ``plan``: what would fail, and what will be done. Both only read."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape

from ..documents import Finding, Script
from . import exit_codes
from .command import command
from .context import Context
from .io import Answer

_COLOUR = {"pass": "green", "warn": "yellow", "accepted": "yellow", "fail": "red"}


@command("doctor")
@click.option("--all", "is_all", is_flag=True, help="Also show the checks that passed.")
@click.option("--group", "groups", multiple=True, help="Only the tables of this group. May be repeated.")
@click.option("--table", "tables", multiple=True, help="Only this table, schema.name. May be repeated.")
def doctor(context: Context, is_all: bool, groups: tuple[str, ...], tables: tuple[str, ...]) -> Answer:
    """Check every node and table for what would fail later.

    It changes nothing. Exit code 3: a check failed that no manifest accepts. Such a check also stops
    `migrate advance` and every wave.
    """
    migration = context.migration
    is_wanted = [
        not (groups or tables) or table["group"] in groups or table["table"] in tables
        for table in migration.tables
    ]
    context.io.note(f"checking {len(migration.nodes)} nodes and {sum(is_wanted)} tables")
    findings = migration.doctor(context.role, groups, tables)
    counts = {level: sum(one["level"] == level for one in findings) for level in _COLOUR}

    def show(out: Console) -> None:
        for one in findings:
            if is_all or one["level"] != "pass":
                _show_finding(out, one)
        passed = f"{counts['pass']} passed, {counts['warn']} warnings"
        out.print(f"{passed}, {counts['accepted']} accepted, {counts['fail']} failed")

    data = {"findings": findings, "counts": counts}
    if counts["fail"] > 0:
        return Answer(data, show, ["correct what failed, then run `shardway doctor` again"], exit_codes.RED)
    return Answer(data, show, [f"shardway plan --migration {context.folder}"])


def _show_finding(out: Console, one: Finding) -> None:
    level = one["level"]
    place = " ".join(filter(None, (one["node"], one["subject"])))
    out.print(
        f"[{_COLOUR[level]}]{level.upper():4}[/] {escape(one['id'])} {escape(place)}: {escape(one['what'])}"
    )
    if one["reason"]:
        out.print(f"       accepted: {escape(one['reason'])}")
        return
    for line in one["fix"].splitlines():
        out.print(f"       fix: {escape(line)}")


@command("plan")
@click.option("--sql", "is_sql", is_flag=True, help="Print only the SQL that creates the roles on each node.")
@click.option("--offline", is_flag=True, help="Connect to no server: print the steps without the SQL.")
def plan(context: Context, is_sql: bool, offline: bool) -> Answer:
    """Print the steps of the migration and the SQL of its roles.

    Each step says what it changes, which locks it takes and how to undo it.
    """
    steps = context.migration.plan()
    scripts: list[Script] = [] if offline else context.migration.roles_sql(context.role)

    def show(out: Console) -> None:
        if not is_sql:
            out.print(escape(context.migration.core.plan_text()))
        for script in scripts:
            out.print(escape(f"-- on {script['node']}, as an administrator:"))
            out.print(escape(script["sql"]))

    next_steps = [
        "run the SQL of the roles on each node",
        f"shardway manifest apply --migration {context.folder}",
    ]
    return Answer({"steps": steps, "roles_sql": scripts}, show, next_steps)
