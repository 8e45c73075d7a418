"""``migrate verify`` and ``reconcile``: compare the source with the shards."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from ..documents import JsonObject
from . import exit_codes
from .command import command, group_option, groups_options, timeout_option
from .context import Context
from .generations import group_of, stage_of
from .io import Answer, Change
from .requests import ask, ask_each

_SEVERITY = [exit_codes.DONE, exit_codes.NOT_NOW, exit_codes.DIFFERENT]


@command("verify", is_change=True)
@groups_options
@timeout_option
def verify(context: Context, named: tuple[str, ...], is_all: bool, timeout: float | None) -> Change:
    """Compare every row of groups and certify equal tables.

    Exit code 4: rows differ. Exit code 5: verification could not decide.
    """
    groups = context.groups(named, is_all=is_all, stages=("replicating", "dual_writing", "sharded"))
    if len(groups) == 1:
        return _comparing(context, groups[0], timeout, "verify")
    return _verifying_all(context, groups, timeout)


@command("reconcile", is_change=True)
@group_option
@timeout_option
def reconcile(context: Context, group: str, timeout: float | None) -> Change:
    """Compare a group and repair the side without authority.

    It repairs row by row. Older certificates of the group do not count afterwards: verify it again.
    """
    return _comparing(context, group, timeout, "reconcile")


def _comparing(context: Context, group: str, timeout: float | None, kind: str) -> Change:
    tables = group_of(context, group)[1]["tables"]
    steps = [f"compare every row of {table} on the source and the shards" for table in tables]
    steps += ["write a certificate for each table"]
    if kind == "reconcile":
        steps += ["repair each row that differs on the side without authority, unless it changed meanwhile"]

    def run() -> Answer:
        return _verdict(group, kind, ask(context, kind, {"group": group}, timeout))

    request = {"kind": kind, "arguments": {"group": group}}
    return Change(f"{kind} {group}", steps, stage_of(context, group), run, request)


def _verifying_all(context: Context, groups: list[str], timeout: float | None) -> Change:
    changes = {group: _comparing(context, group, timeout, "verify") for group in groups}
    arguments = [{"group": group} for group in groups]

    def run() -> Answer:
        answers = [
            _verdict(group, "verify", done)
            for group, done in zip(groups, ask_each(context, "verify", arguments, timeout))
        ]

        def show(out: Console) -> None:
            for one in answers:
                if one.show:
                    one.show(out)

        worst = max(answers, key=lambda one: _SEVERITY.index(one.exit_code))
        next_steps = [step for one in answers for step in one.next_steps]
        return Answer({"groups": [one.data for one in answers]}, show, next_steps, worst.exit_code)

    steps = [f"{group}: {step}" for group in groups for step in changes[group].steps]
    states = {group: changes[group].state for group in groups}
    request = {"kind": "verify", "arguments": arguments}
    return Change(f"verify {', '.join(groups)}", steps, states, run, request)


def _verdict(group: str, kind: str, done: JsonObject) -> Answer:
    verdicts = {table["verdict"] for table in done["tables"]}

    def show(out: Console) -> None:
        _show(out, done)

    data = {"group": group, **done}
    if kind == "reconcile" and "could_not_tell" not in verdicts:
        return Answer(data, show, [f"shardway migrate verify --group {group}"])
    if "different" in verdicts:
        return Answer(data, show, [f"shardway reconcile --group {group}"], exit_codes.DIFFERENT)
    if "could_not_tell" in verdicts:
        again = f"shardway {'migrate verify' if kind == 'verify' else kind} --group {group}"
        return Answer(data, show, [f"try again when the load is lower: {again}"], exit_codes.NOT_NOW)
    return Answer(data, show, [f"shardway wave plan --group {group} --percent 1"])


def _show(out: Console, done: JsonObject) -> None:
    for table in done["tables"]:
        counts = f"{table['rows']:,} rows, {table['differing']} differ, {table['rechecked']} checked again"
        out.print(escape(f"{table['relation']}: {table['verdict']}, {counts}"))
        for row in table["rows_named"]:
            out.print(escape(f"  {row['kind']} on {row['node']}, key digest {row['key_digest']}"))
    for repair in done.get("repairs", []):
        what = f"{repair['kind']}, key digest {repair['key_digest']}"
        out.print(escape(f"repaired {repair['relation']} on {repair['node']}: {what}"))
