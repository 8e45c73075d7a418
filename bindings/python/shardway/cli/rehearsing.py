"""``rehearse``: everything that onboarding would make, made in a scratch database on each shard."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..documents import Rehearsal
from . import exit_codes
from .command import command, group_option
from .context import Context
from .io import Answer


@command("rehearse")
@group_option
@click.option(
    "--client-programs", default="", metavar="DIR", help="Folder of pg_dump and psql. Default: $PATH."
)
def rehearse(context: Context, group: str, client_programs: str) -> Answer:
    """Try the onboarding of a group before anything is changed.

    On each shard it creates a database of its own and drops it afterwards. In it, it makes the tables,
    copies a sample of real rows, plays updates, deletes and inserts of them, and compares every row. On
    the source's tables it only reads. `migrate advance --to copying` needs a rehearsal that passed in the
    last 24 hours. Exit code 3: something failed.
    """
    context.io.note(f"rehearsing {group} on {len(context.migration.nodes) - 1} shards")
    report = context.migration.rehearse(group, context.role, client_programs)

    def show(out: Console) -> None:
        _show(out, report)

    if not report["passed"]:
        steps = [f"correct what failed, then run `shardway rehearse --group {group}` again"]
        return Answer(dict(report), show, steps, exit_codes.RED)
    return Answer(dict(report), show, [f"shardway migrate advance --group {group} --to dual_writing"])


def _show(out: Console, report: Rehearsal) -> None:
    table = Table("shard", "table", "rows", "copied", "copy", "changes", "on disk")
    for one in report["tables"]:
        table.add_row(
            one["shard"],
            one["table"],
            f"{one['rows']:,}",
            _size(one["bytes"]),
            f"{one['copying_us'] / 1000:.0f} ms",
            f"{one['changes']:,}",
            _size(one["disk_bytes"]),
        )
    out.print(table)
    for left in report["left_out"]:
        out.print(f"left out: {escape(left)}")
    for problem in report["problems"]:
        place = " ".join(filter(None, (problem["shard"], problem["step"], problem["object"])))
        out.print(f"[red]FAIL[/] {escape(place)}: {escape(problem['what'])}")
        out.print(f"       fix: {escape(problem['fix'])}")
    verdict = "passed" if report["passed"] else f"{len(report['problems'])} problems"
    out.print(f"{report['group']}: {verdict} in {report['took_ms'] / 1000:.1f} s")


def _size(count: int) -> str:
    return f"{count / 1024:,.0f} KiB"
