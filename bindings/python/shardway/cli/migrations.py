"""``migrate``: see where the migration stands, and take groups from stage to stage."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Callable

import click
from rich.console import Console
from rich.markup import escape

from ..documents import Generation, JsonObject
from ..errors import PreconditionFailed
from . import status_view
from .approval import approved_by_option, approver
from .command import command, group_option, groups_options, timeout_option
from .context import Context
from .generations import published, stage_of
from .io import Answer, Change
from .requests import ask, ask_each

_STAGES = ["copying", "replicating", "dual_writing"]
_LAST_OF_REFERENCE = "replicating"
_FOREIGN_WITHIN_S = 24 * 3600
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
@click.option(
    "--group", "-g", "groups", multiple=True, metavar="NAME", help="Only this group. May be repeated."
)
@click.option("--table", "tables", multiple=True, metavar="NAME", help="Only this table, as schema.name.")
@click.option("--short", is_flag=True, help="One line for each group, and what has stopped.")
def status(context: Context, groups: tuple[str, ...], tables: tuple[str, ...], short: bool) -> Answer:
    """Show where the migration stands.

    It shows groups, copies, streams, mirrors, certificates, foreign writers, clients and the lease of the
    controller.
    """
    view = status_view.only(collect(context), set(groups), set(tables))
    data = {"migration": context.name, **view}
    show = status_view.show_short if short else status_view.show
    return Answer(data, lambda out: show(out, view), _advice(context, view))


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
        "foreign_writers": catalog.foreign_writers(_FOREIGN_WITHIN_S),
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
    reference = _reference_groups(context)
    return [
        f"shardway {_NEXT_COMMANDS[group['stage']].format(group['group'])}"
        for group in view["groups"]
        if group["stage"] in _NEXT_COMMANDS
        and not (group["stage"] == _LAST_OF_REFERENCE and group["group"] in reference)
    ]


def _reference_groups(context: Context) -> set[str]:
    """Return the groups of reference tables: they end at replicating."""
    return {table["group"] for table in context.migration.tables if table["kind"] == "reference"}


@command("advance", is_change=True)
@groups_options
@click.option(
    "--to", required=True, type=click.Choice(_STAGES), help="The stage to reach, one stage at a time."
)
@timeout_option
def advance(context: Context, named: tuple[str, ...], is_all: bool, to: str, timeout: float | None) -> Change:
    """Take groups to a stage and wait until they are there.

    Several groups advance at the same time. It moves no authority: waves do. It is refused while a check of
    the doctor fails for a group that no manifest accepts.
    """
    before = ("observing", *_STAGES)[: _STAGES.index(to) + 1]
    groups = context.groups(named, is_all=is_all, stages=before)
    if is_all and to == "dual_writing":
        groups = [group for group in groups if group not in _reference_groups(context)]
    states = {group: stage_of(context, group) for group in groups}
    steps = [
        f"{_prefix(group, groups)}{name}: {_STEPS_OF_STAGE[name]}"
        for group in groups
        for name in _stages_between(group, states[group]["stage"], to)
    ]
    arguments = [{"group": group, "to": to} for group in groups]

    def run() -> Answer:
        ask_each(context, "advance", arguments, timeout)
        return _answer_of(groups, {"stage": to}, f"is at stage {to}")

    return _change_of(f"advancing {_words(groups)} to {to}", steps, states, run, "advance", arguments)


def _stages_between(group: str, at: str, to: str) -> list[str]:
    stages = ["observing", *_STAGES]
    if at not in stages:
        raise PreconditionFailed(
            f"cannot advance group {group} to {to}: it is at stage {at}",
            code="precondition_failed",
            hint="`shardway wave rollback` takes it back",
        )
    return stages[stages.index(at) + 1 : stages.index(to) + 1]


def _prefix(group: str, groups: list[str]) -> str:
    return f"{group}, " if len(groups) > 1 else ""


def _words(groups: list[str]) -> str:
    return ", ".join(groups)


def _answer_of(groups: list[str], facts: JsonObject, words: str) -> Answer:
    """Return the same facts about each group. Those of a single group also stand at the top."""
    data: JsonObject = {"groups": [{"group": group, **facts} for group in groups]}
    if len(groups) == 1:
        data = {"group": groups[0], **facts, **data}

    def show(out: Console) -> None:
        for group in groups:
            out.print(escape(f"{group} {words}"))

    return Answer(data, show)


def _change_of(
    what: str,
    steps: list[str],
    states: dict[str, JsonObject],
    run: Callable[[], Answer],
    kind: str,
    arguments: list[JsonObject],
) -> Change:
    if len(arguments) == 1:
        (state,) = states.values()
        return Change(what, steps, state, run, {"kind": kind, "arguments": arguments[0]})
    return Change(what, steps, dict(states), run, {"kind": kind, "arguments": arguments})


@command("guard", is_change=True)
@groups_options
@timeout_option
def guard(context: Context, named: tuple[str, ...], is_all: bool, timeout: float | None) -> Change:
    """Refuse foreign writers of groups on every node. A wave needs this.

    It is refused before `dual_writing`. `migrate unguard` takes it back.
    """
    groups = context.groups(named, is_all=is_all, stages=("dual_writing", "sharded"))
    arguments = [{"group": group, "mode": "refusing"} for group in groups]

    def run() -> Answer:
        ask_each(context, "guard", arguments, timeout)
        return _answer_of(groups, {"result": {"mode": "refusing"}}, "refuses foreign writers")

    steps = [
        f"on every node: set the write guard of each table of {group} to refuse (a short lock on each table)"
        for group in groups
    ]
    states = {group: stage_of(context, group) for group in groups}
    return _change_of(f"refusing foreign writers of {_words(groups)}", steps, states, run, "guard", arguments)


@command("unguard", is_change=True)
@groups_options
@timeout_option
def unguard(context: Context, named: tuple[str, ...], is_all: bool, timeout: float | None) -> Change:
    """Let foreign writers of groups write again; they are recorded.

    It is refused while shards have authority for a slot of the group.
    """
    groups = context.groups(named, is_all=is_all, stages=("observing", *_STAGES))
    arguments = [{"group": group} for group in groups]

    def run() -> Answer:
        ask_each(context, "unguard", arguments, timeout)
        return _answer_of(groups, {"result": {"mode": "recording"}}, "takes foreign writers again")

    steps = [
        f"set the write guard of each table of {group} to record on the source, and remove it on the shards"
        for group in groups
    ]
    states = {group: stage_of(context, group) for group in groups}
    return _change_of(f"taking back the guard of {_words(groups)}", steps, states, run, "unguard", arguments)


@command("withdraw", is_dangerous=True)
@groups_options
@click.option(
    "--keep-shard-tables", is_flag=True, help="Leave the tables on the shards, with rows that go stale."
)
@timeout_option
def withdraw(
    context: Context,
    named: tuple[str, ...],
    is_all: bool,
    keep_shard_tables: bool,
    timeout: float | None,
) -> Change:
    """Take groups back to observing and remove what onboarding made.

    Services go on. It works at every stage before the first wave, and after a rollback of all waves.
    """
    groups = context.groups(named, is_all=is_all, stages=tuple(_STAGES))
    arguments = [{"group": group, "keep_shard_tables": keep_shard_tables} for group in groups]

    def run() -> Answer:
        ask_each(context, "withdraw", arguments, timeout)
        fate = "kept" if keep_shard_tables else "dropped"
        return _answer_of(groups, {"stage": "observing", "shard_tables": fate}, "is at stage observing")

    of_shards = (
        "remove what was added to the tables" if keep_shard_tables else "drop the tables with their rows"
    )
    steps = [
        f"{_prefix(group, groups)}{step}"
        for group in groups
        for step in (
            "on the source: foreign writers are recorded again, not refused",
            "publish the stage observing, and wait until every client uses it",
            "on the source: leave the publication, drop the triggers, give sequences their increments back",
            f"on every shard: {of_shards}, mappings of lookups, with the last group the replication slot",
            "on every node: drop the fence; on the source: delete chunks, certificates and outbox rows",
            "after the last group: end the stream and drop its replication slot and publication",
        )
    ]
    states = {group: stage_of(context, group) for group in groups}
    return _change_of(f"withdrawing {_words(groups)}", steps, states, run, "withdraw", arguments)


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
