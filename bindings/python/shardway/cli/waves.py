"""``wave``: plan, run, rollback, status."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape

from ..documents import JsonObject, WavePlan
from ..errors import ConfigError
from . import exit_codes
from .approval import approved_by_option, approver
from .command import command, group, group_option, timeout_option
from .context import Context
from .generations import stage_of
from .io import Answer, Change
from .requests import ask

_percent = click.option(
    "--percent",
    "-p",
    required=True,
    type=click.FloatRange(0, 100, min_open=True),
    help="Share of each shard's slots that will have moved afterwards, earlier waves included.",
)


def _ranges(planned: WavePlan) -> list[str]:
    return [f"{one['shard']}: slots {one['slots'][0]} to {one['slots'][1]}" for one in planned["ranges"]]


@command("plan")
@group_option
@_percent
def plan(context: Context, group: str, percent: float) -> Answer:
    """Show which slots a wave would move, and every gate.

    A wave is refused while a gate is red. This command changes nothing. Exit code 3: a gate is red.
    """
    planned = context.migration.plan_wave(group, percent, None, context.role)
    gates = ask(context, "gates", {"group": group}, 60.0)

    def show(out: Console) -> None:
        epochs = f"epoch {planned['epoch_before']} -> {planned['epoch_after']}"
        out.print(escape(f"{planned['slots']} slots of {group} would move, {epochs}"))
        for line in _ranges(planned):
            out.print(escape(f"  {line}"))
        for gate in gates["gates"]:
            _show_gate(out, gate)

    data = {"plan": planned, "gates": gates["gates"], "green": gates["green"]}
    if not gates["green"]:
        return Answer(data, show, ["correct what is red, then plan again"], exit_codes.RED)
    return Answer(data, show, [f"shardway wave run --group {group} --percent {percent:g} --dry-run"])


def _show_gate(out: Console, gate: JsonObject) -> None:
    colour = "green" if gate["green"] else "red"
    out.print(f"[{colour}]{colour:5}[/] {escape(gate['name'])}: {escape(gate['detail'])}")
    if gate["fix"]:
        out.print(escape(f"        fix: {gate['fix']}"))


@command("run", is_dangerous=True)
@group_option
@_percent
@approved_by_option
@timeout_option
def run(
    context: Context, group: str, percent: float, approved_by: str | None, timeout: float | None
) -> Change:
    """Move authority for a share of the slots to the shards.

    Writes to these slots wait a moment. Reads do not wait.
    """
    planned = context.migration.plan_wave(group, percent, None, context.role)
    arguments = {"group": group, "percent": percent, "approved_by": approver(approved_by)}
    steps = [
        "check every gate; the wave is refused if one is red",
        f"close the source's fence for {planned['slots']} slots and write a marker",
        "wait until the marker has arrived on every shard of the wave",
        "write the decision `commit`: from here on the wave is completed, not undone",
        f"open the shards' fences at epoch {planned['epoch_after']}: {'; '.join(_ranges(planned))}",
        "publish the generation",
    ]
    request = {"kind": "wave", "arguments": arguments}
    return _moving(context, f"wave of {group} to {percent:g} %", request, steps, planned, timeout)


@command("rollback", is_dangerous=True)
@group_option
@click.option("--shard", metavar="NAME", help="Only the slots of this shard.")
@click.option("--all", "is_all", is_flag=True, help="All slots that have moved.")
@approved_by_option
@timeout_option
def rollback(
    context: Context,
    group: str,
    shard: str | None,
    is_all: bool,
    approved_by: str | None,
    timeout: float | None,
) -> Change:
    """Return authority for slots to the source.

    These are the slots of one shard, or all that have moved. A rollback is refused while the mirror is broken
    or too far behind.
    """
    if bool(shard) == is_all:
        raise ConfigError(
            "a rollback needs either one shard or all",
            code="invalid_argument",
            hint="give --shard NAME or --all",
        )
    planned = context.migration.plan_wave(group, None, shard, context.role)
    arguments = {"group": group, "approved_by": approver(approved_by), **({"shard": shard} if shard else {})}
    steps = [
        "check every gate of a rollback; it is refused if one is red",
        f"close the shards' fences: {'; '.join(_ranges(planned))}",
        "wait until the markers of the shards have arrived on the source",
        "write the decision `commit`: from here on the rollback is completed, not undone",
        f"open the source's fence at epoch {planned['epoch_after']}",
        "publish the generation",
    ]
    request = {"kind": "rollback", "arguments": arguments}
    what = f"rollback of {group} {shard or 'on all shards'}"
    return _moving(context, what, request, steps, planned, timeout)


def _moving(
    context: Context,
    what: str,
    request: JsonObject,
    steps: list[str],
    planned: WavePlan,
    timeout: float | None,
) -> Change:
    group = request["arguments"]["group"]

    def act() -> Answer:
        done = ask(context, request["kind"], request["arguments"], timeout)

        def show(out: Console) -> None:
            out.print(escape(f"{what}: done"))
            for step, took in (done.get("steps_ms") or {}).items():
                out.print(escape(f"  {step:12} {took:8.1f} ms"))

        next_steps = [
            f"shardway wave status --group {group}",
            f"shardway migrate verify --group {group}",
        ]
        return Answer({"wave": done}, show, next_steps)

    return Change(what, steps, {"plan": planned, **stage_of(context, group)}, act, request)


@command("status")
@click.option("--group", "-g", default="", metavar="NAME", help="Only this group.")
def status(context: Context, group: str) -> Answer:
    """List all waves with their outcome, oldest first."""
    waves = context.catalog.waves(group)

    def show(out: Console) -> None:
        for one in waves:
            slots = sum(last - first + 1 for first, last in one["ranges"])
            what = f"{one['group']} {one['direction']} {slots} slots, epoch {one['epoch_after']}"
            when = f"{one['started_at']} - {one['finished_at'] or 'runs'}"
            out.print(escape(f"{one['wave']} {what}: {one['state']} ({when})"))
        if not waves:
            out.print("no waves")

    return Answer({"waves": waves}, show)


wave = group(
    "wave",
    "Move authority for slots to the shards, or back to the source.",
    [plan, rollback, run, status],
)
