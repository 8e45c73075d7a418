"""``migrate``: see where the migration stands, and take groups from stage to stage."""

from __future__ import annotations

from datetime import datetime, timezone

import click
from rich.markup import escape

from ..documents import Generation, JsonObject
from ..errors import PreconditionFailed
from . import status_view
from .approval import approved_by_option, approver
from .command import command, group_option, timeout_option
from .context import Context
from .generations import published, stage_of
from .io import Answer, Change
from .requests import ask

_STAGES = ["copying", "replicating", "dual_writing"]
_NEXT_COMMANDS = {
    "observing": "migrate advance --group {} --to copying",
    "copying": "migrate advance --group {} --to replicating",
    "replicating": "migrate advance --group {} --to dual_writing",
    "dual_writing": "wave plan --group {} --percent 1",
}
_STEPS_OF_STAGE = {
    "copying": "create the schema on the shards, add the tables to the publication, start the copy",
    "replicating": "wait until the copy is complete, build indexes and constraints on the shards",
    "dual_writing": "interleave ids, create the reverse replication slots, start the mirrors; from then on "
    "the library writes to both sides",
}


@command("status")
def status(context: Context) -> Answer:
    """Show where the migration stands.

    It shows groups, copies, streams, mirrors, certificates, clients and the lease of the controller.
    """
    view = collect(context)
    data = {"migration": context.name, **view}
    return Answer(data, lambda out: status_view.show(out, view), _advice(context, view))


def collect(context: Context) -> JsonObject:
    """Return everything that `migrate status` shows."""
    catalog = context.catalog
    generation = published(context)
    documents = catalog.status()
    return {
        "generation": generation["generation"],
        "groups": generation["groups"],
        "controller": status_view.controller_of(documents),
        "status_age_ms": documents["controller"]["age_ms"] if "controller" in documents else None,
        "lease": catalog.lease(),
        "certificates": _certificates(context, generation),
        "clients": catalog.clients(),
    }


def _certificates(context: Context, generation: Generation) -> list[JsonObject]:
    tables = [table for group in generation["groups"] for table in group["tables"]]
    found = context.catalog.certificates(tables)
    gaps = {one["relation"]: one["why"] for one in context.catalog.certificate_gaps(tables)} if found else {}
    return [{**one, "age": _age(one["at"]), "gap": gaps.get(one["relation"], "")} for one in found]


def _age(at: str) -> str:
    """Return the age of a time in the database's text form, or the text itself if it is no time."""
    text = at.strip().replace(" ", "T")
    try:
        when = datetime.fromisoformat(text + ":00" if text[-3:-2] in "+-" else text)
    except ValueError:
        return at
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return f"{(datetime.now(timezone.utc) - when).total_seconds():.0f} s"


def _advice(context: Context, view: JsonObject) -> list[str]:
    if not (view["lease"] and view["lease"]["is_alive"]):
        return [f"shardway migrate start --migration {context.folder}"]
    return [
        f"shardway {_NEXT_COMMANDS[group['stage']].format(group['group'])}"
        for group in view["groups"]
        if group["stage"] in _NEXT_COMMANDS
    ]


@command("advance", is_change=True)
@group_option
@click.option(
    "--to", required=True, type=click.Choice(_STAGES), help="The stage to reach, one stage at a time."
)
@timeout_option
def advance(context: Context, group: str, to: str, timeout: float | None) -> Change:
    """Take a group to a stage and wait until it is there.

    It moves no authority: waves do.
    """
    at = stage_of(context, group)
    arguments = {"group": group, "to": to}

    def run() -> Answer:
        ask(context, "advance", arguments, timeout)
        return Answer(
            {"group": group, "stage": to}, lambda out: out.print(escape(f"{group} is at stage {to}"))
        )

    steps = [f"{name}: {_STEPS_OF_STAGE[name]}" for name in _stages_between(group, at["stage"], to)]
    request = {"kind": "advance", "arguments": arguments}
    return Change(f"advancing {group} to {to}", steps, at, run, request)


def _stages_between(group: str, at: str, to: str) -> list[str]:
    stages = ["observing", *_STAGES]
    if at not in stages:
        raise PreconditionFailed(
            f"cannot advance group {group} to {to}: it is at stage {at}",
            code="precondition_failed",
            hint="`shardway wave rollback` takes it back",
        )
    return stages[stages.index(at) + 1 : stages.index(to) + 1]


@command("guard", is_change=True)
@group_option
@timeout_option
def guard(context: Context, group: str, timeout: float | None) -> Change:
    """Refuse foreign writers of a group on every node. A wave needs this."""
    arguments = {"group": group, "mode": "refusing"}

    def run() -> Answer:
        done = ask(context, "guard", arguments, timeout)
        return Answer(
            {"group": group, "result": done},
            lambda out: out.print(escape(f"{group}: foreign writers are refused")),
        )

    steps = [
        f"on every node: set the write guard of each table of {group} to refuse (a short lock on each table)"
    ]
    request = {"kind": "guard", "arguments": arguments}
    return Change(f"refusing foreign writers of {group}", steps, stage_of(context, group), run, request)


@command("pause", is_change=True)
def pause(context: Context) -> Change:
    """Start no new chunks of the copy. Open chunks are finished, and the streams continue."""
    return _switch(context, "pause", "start no new chunks of any copy; the streams continue")


@command("resume", is_change=True)
def resume(context: Context) -> Change:
    """Continue a copy that was paused."""
    return _switch(context, "resume", "start chunks again")


def _switch(context: Context, kind: str, step: str) -> Change:
    def run() -> Answer:
        ask(context, kind, {}, 60.0)
        return Answer({"done": kind}, lambda out: out.print(f"{kind}: done"))

    return Change(f"{kind} of the copy", [step], {}, run, {"kind": kind, "arguments": {}})


@command("finalize", is_dangerous=True)
@group_option
@approved_by_option
@timeout_option
def finalize(context: Context, group: str, approved_by: str | None, timeout: float | None) -> Change:
    """End the migration of a group and remove its mirror. This cannot be undone."""
    at = stage_of(context, group)
    if any(one["node"] == context.migration.nodes[0]["name"] for one in at["authority"]):
        raise PreconditionFailed(
            f"cannot finalize group {group}: the source still has authority for some of its slots",
            code="precondition_failed",
            hint=f"shardway wave run --group {group} --percent 100",
        )
    arguments = {"group": group, "approved_by": approver(approved_by)}

    def run() -> Answer:
        done = ask(context, "finalize", arguments, timeout)
        return Answer(
            {"group": group, "result": done}, lambda out: out.print(escape(f"{group} is finalized"))
        )

    steps = [
        f"on every shard: stop the mirror of {group}; from then on there is no rollback",
        "publish the stage finalized",
        "on the source: remove the tables from the publication; the write guard stays closed",
        "on every shard: drop the version columns and helper objects of the tables",
    ]
    return Change(f"finalizing {group}", steps, at, run, {"kind": "finalize", "arguments": arguments})
