"""``wave``: plan, run, rollback, status."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from ..errors import ConfigError
from . import exit_codes
from .command import command
from .io import Answer, Change, Io
from .migrations import approver, stage_of
from .place import Place
from .requests import ask
from .root import wave

_group = click.option("--group", "-g", required=True, metavar="NAME", help="The group of tables.")
_timeout = click.option(
    "--timeout",
    type=float,
    metavar="SECONDS",
    help="Stop waiting after this; the request goes on. Default: wait.",
)
_approved = click.option(
    "--approved-by", metavar="NAME", help="Who approved it, for the audit log. Default: the login name."
)
_percent = click.option(
    "--percent",
    "-p",
    required=True,
    type=click.FloatRange(0, 100, min_open=True),
    help="Share of each shard's slots that shall have moved afterwards, those moved before included.",
)


def _ranges(planned: dict[str, Any]) -> list[str]:
    return [f"{one['shard']}: slots {one['slots'][0]} to {one['slots'][1]}" for one in planned["ranges"]]


@command(wave, "plan")
@_group
@_percent
def plan(io: Io, place: Place, group: str, percent: float) -> Answer:
    """Which slots a wave would move, and every gate, green or red. Changes nothing; exit code 3 if a gate is red."""
    planned = place.migration.plan_wave(group, percent, None, place.role)
    gates = ask(io, place, "gates", {"group": group}, 60.0)

    def show(out: Console) -> None:
        out.print(
            escape(
                f"{planned['slots']} slots of {group} would move, epoch {planned['epoch_before']} -> {planned['epoch_after']}"
            )
        )
        for line in _ranges(planned):
            out.print(escape(f"  {line}"))
        for gate in gates["gates"]:
            colour = "green" if gate["green"] else "red"
            out.print(f"[{colour}]{colour:5}[/] {escape(gate['name'])}: {escape(gate['detail'])}")
            if gate["fix"]:
                out.print(escape(f"        fix: {gate['fix']}"))

    steps = (
        [f"shardway wave run --group {group} --percent {percent:g} --dry-run"]
        if gates["green"]
        else ["put right what is red, then plan again"]
    )
    return Answer(
        {"plan": planned, "gates": gates["gates"], "green": gates["green"]},
        show,
        steps,
        exit_codes.DONE if gates["green"] else exit_codes.RED,
    )


@command(wave, "run", is_dangerous=True)
@_group
@_percent
@_approved
@_timeout
def run(
    io: Io, place: Place, group: str, percent: float, approved_by: str | None, timeout: float | None
) -> Change:
    """Move authority for a share of a group's slots from the source to the shards. Writers of these slots wait a moment; reads do not."""
    planned = place.migration.plan_wave(group, percent, None, place.role)
    arguments = {"group": group, "percent": percent, "approved_by": approver(approved_by)}
    steps = [
        "look at every gate; a red one refuses",
        f"close the source's fence for {planned['slots']} slots and write a marker",
        "wait until every shard involved has passed the marker",
        "write the decision `commit`: the point of no return",
        f"open the shards' fences at epoch {planned['epoch_after']}: {'; '.join(_ranges(planned))}",
        "publish the generation",
    ]
    return _moving(io, place, f"wave of {group} to {percent:g} %", "wave", arguments, steps, planned, timeout)


@command(wave, "rollback", is_dangerous=True)
@_group
@click.option("--shard", metavar="NAME", help="Only the slots of this shard.")
@click.option("--all", "is_all", is_flag=True, help="All slots that have moved.")
@_approved
@_timeout
def rollback(
    io: Io,
    place: Place,
    group: str,
    shard: str | None,
    is_all: bool,
    approved_by: str | None,
    timeout: float | None,
) -> Change:
    """Give authority back to the source, for one shard's slots or for all. Refused while the mirror is broken or too far behind."""
    if bool(shard) == is_all:
        raise ConfigError(
            "say which slots go back", code="invalid_argument", hint="give --shard NAME or --all"
        )
    planned = place.migration.plan_wave(group, None, shard, place.role)
    arguments = {"group": group, "approved_by": approver(approved_by), **({"shard": shard} if shard else {})}
    steps = [
        "look at every gate of a rollback; a red one refuses",
        f"close the shards' fences: {'; '.join(_ranges(planned))}",
        "wait until the mirror has passed the shards' markers",
        "write the decision `commit`: the point of no return",
        f"open the source's fence at epoch {planned['epoch_after']}",
        "publish the generation",
    ]
    return _moving(
        io,
        place,
        f"rollback of {group} {shard or 'on all shards'}",
        "rollback",
        arguments,
        steps,
        planned,
        timeout,
    )


def _moving(
    io: Io,
    place: Place,
    what: str,
    kind: str,
    arguments: dict[str, Any],
    steps: list[str],
    planned: dict[str, Any],
    timeout: float | None,
) -> Change:
    group = arguments["group"]

    def act() -> Answer:
        done = ask(io, place, kind, arguments, timeout)

        def show(out: Console) -> None:
            out.print(escape(f"{what}: done"))
            for step, took in (done.get("steps_ms") or {}).items():
                out.print(escape(f"  {step:12} {took:8.1f} ms"))

        return Answer(
            {"wave": done},
            show,
            [f"shardway wave status --group {group}", f"shardway migrate verify --group {group}"],
        )

    return Change(
        what, steps, {"plan": planned, **stage_of(place, group)}, act, {"kind": kind, "arguments": arguments}
    )


@command(wave, "status")
@click.option("--group", "-g", default="", metavar="NAME", help="Only this group.")
def status(io: Io, place: Place, group: str) -> Answer:
    """All waves, the oldest first, with what became of each."""
    waves = place.catalog.waves(group)

    def show(out: Console) -> None:
        for one in waves:
            slots = sum(last - first + 1 for first, last in one["ranges"])
            ended = one["finished_at"] or "runs"
            out.print(
                escape(
                    f"{one['wave']} {one['group']} {one['direction']} {slots} slots, epoch {one['epoch_after']}: {one['state']} ({one['started_at']} - {ended})"
                )
            )
        if not waves:
            out.print("no waves")

    return Answer({"waves": waves}, show)
