"""``migrate`` and ``reconcile``: the controller, and bringing groups from stage to stage."""

from __future__ import annotations

import signal
from datetime import datetime, timezone
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from ..errors import ConfigError, PreconditionFailed
from . import exit_codes, status_view
from .command import command
from .io import Answer, Change, Io
from .place import Place
from .requests import ask
from .root import migrate, root

_STAGES = ["copying", "replicating", "dual_writing"]
_group = click.option("--group", "-g", required=True, metavar="NAME", help="The group of tables.")
_timeout = click.option(
    "--timeout",
    type=float,
    metavar="SECONDS",
    help="Stop waiting after this; the request goes on. Default: wait.",
)


@command(migrate, "start", is_change=True)
@click.option(
    "--lease-wait",
    type=float,
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for another controller's lease to end.",
)
@click.option(
    "--client-programs", default="", metavar="DIR", help="Folder of pg_dump and psql. Default: PATH."
)
def start(io: Io, place: Place, lease_wait: float, client_programs: str) -> Change:
    """Be the controller, in the foreground, until SIGINT or SIGTERM. Whatever ends it, starting it again goes on where it was."""
    migration = place.migration

    def run() -> Answer:
        signal.signal(signal.SIGTERM, _interrupt)
        again = f"shardway migrate start --migration {place.folder}"
        io.note(f"starting the controller of {migration.name}")
        try:
            migration.run_controller(
                lambda: io.note("the controller acts; stop it with Ctrl-C"), lease_wait, client_programs
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"stopped in order; resume with: {again}") from None
        return Answer({"stopped": True}, None, [again])

    steps = [
        "take the lease, so that no other controller acts",
        "raise the token on every node",
        "finish or undo waves that a dead controller left",
        "go on with streams, copies and mirrors where they were",
        "serve requests until stopped",
    ]
    return Change(
        "starting the controller", steps, {"nodes": [node["name"] for node in migration.nodes]}, run
    )


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


@command(migrate, "status")
def status(io: Io, place: Place) -> Answer:
    """Where the migration stands: groups, copies, streams, mirrors, certificates, the controller's lease."""
    view = collect(place)
    return Answer(
        {"migration": place.name, **view}, lambda out: status_view.show(out, view), _advice(place, view)
    )


def collect(place: Place) -> dict[str, Any]:
    """Everything `migrate status` shows, as one document."""
    catalog = place.catalog
    generation = catalog.generation()
    if generation is None:
        raise PreconditionFailed(
            "no generation is published", code="precondition_failed", hint="run `shardway manifest apply`"
        )
    documents = catalog.status()
    return {
        "generation": generation["generation"],
        "groups": generation["groups"],
        "controller": status_view.controller_of(documents),
        "status_age_ms": (documents.get("controller") or {}).get("age_ms"),
        "lease": catalog.lease(),
        "certificates": _certificates(place, generation),
        "clients": catalog.clients(),
    }


def _certificates(place: Place, generation: dict[str, Any]) -> list[dict[str, Any]]:
    tables = [table for group in generation["groups"] for table in group["tables"]]
    found = place.catalog.certificates(tables)
    gaps = {one["relation"]: one["why"] for one in place.catalog.certificate_gaps(tables)} if found else {}
    return [{**one, "age": _age(one["at"]), "gap": gaps.get(one["relation"], "")} for one in found]


def _age(at: str) -> str:
    """From the database's text form of a time in UTC; as it is where it does not parse."""
    text = at.strip().replace(" ", "T")
    try:
        when = datetime.fromisoformat(text + ":00" if text[-3:-2] in "+-" else text)
    except ValueError:
        return at
    seconds = (
        datetime.now(timezone.utc) - (when if when.tzinfo else when.replace(tzinfo=timezone.utc))
    ).total_seconds()
    return f"{seconds:.0f} s"


def _advice(place: Place, view: dict[str, Any]) -> list[str]:
    if not (view["lease"] and view["lease"]["is_alive"]):
        return [f"shardway migrate start --migration {place.folder}"]
    following = {
        "observing": "migrate advance --group {0} --to copying",
        "copying": "migrate advance --group {0} --to replicating",
        "replicating": "migrate advance --group {0} --to dual_writing",
        "dual_writing": "wave plan --group {0} --percent 1",
    }
    return [
        f"shardway {following[group['stage']].format(group['group'])}"
        for group in view["groups"]
        if group["stage"] in following
    ]


@command(migrate, "advance", is_change=True)
@_group
@click.option("--to", required=True, type=click.Choice(_STAGES), help="The stage to reach, step by step.")
@_timeout
def advance(io: Io, place: Place, group: str, to: str, timeout: float | None) -> Change:
    """Bring a group to a stage and wait until it is there. Waves, not this, move authority."""
    at = stage_of(place, group)
    passed = _stages_between(at["stage"], to)
    arguments = {"group": group, "to": to}

    def run() -> Answer:
        ask(io, place, "advance", arguments, timeout)
        return Answer(
            {"group": group, "stage": to}, lambda out: out.print(escape(f"{group} is at stage {to}"))
        )

    what = {
        "copying": "create the schema on the shards, put the tables into the publication, start the copy",
        "replicating": "wait for the copy to close, build indexes and constraints on the shards",
        "dual_writing": "interleave ids, make the reverse replication slots, start the mirrors; the library writes to both sides",
    }
    return Change(
        f"advancing {group} to {to}",
        [f"{name}: {what[name]}" for name in passed],
        at,
        run,
        {"kind": "advance", "arguments": arguments},
    )


def _stages_between(at: str, to: str) -> list[str]:
    if at not in ("observing", *_STAGES):
        raise PreconditionFailed(
            f"the group is at stage {at}, past {to}",
            code="precondition_failed",
            hint="`shardway wave rollback` goes back",
        )
    return [
        name
        for name in _STAGES
        if _STAGES.index(name) <= _STAGES.index(to)
        and (at == "observing" or _STAGES.index(name) > _STAGES.index(at))
    ]


def stage_of(place: Place, group: str) -> dict[str, Any]:
    """A group's stage, authority and generation; raises ConfigError for an unknown one."""
    generation = place.catalog.generation()
    for found in (generation or {}).get("groups", []):
        if found["group"] == group:
            return {
                "stage": found["stage"],
                "authority": found["authority"],
                "generation": generation["generation"],
            }  # type: ignore[index]
    raise ConfigError(
        f"there is no group {group} in the generation in force",
        code="invalid_argument",
        hint="`shardway migrate status` lists the groups",
    )


@command(migrate, "guard", is_change=True)
@_group
@_timeout
def guard(io: Io, place: Place, group: str, timeout: float | None) -> Change:
    """From now on refuse writers that bypass the library, on every node. A wave needs this."""
    arguments = {"group": group, "mode": "refusing"}

    def run() -> Answer:
        done = ask(io, place, "guard", arguments, timeout)
        return Answer(
            {"group": group, "result": done},
            lambda out: out.print(escape(f"{group}: foreign writers are refused")),
        )

    steps = [
        f"on every node: make the write guard of each table of {group} refuse (a short lock on each table)"
    ]
    return Change(
        f"refusing foreign writers of {group}",
        steps,
        stage_of(place, group),
        run,
        {"kind": "guard", "arguments": arguments},
    )


@command(migrate, "verify", is_change=True)
@_group
@_timeout
def verify(io: Io, place: Place, group: str, timeout: float | None) -> Change:
    """Compare every row of a group on both sides and certify what is equal. Exit code 4: rows differ; 5: could not tell."""
    return _comparing(io, place, group, timeout, "verify")


@command(root, "reconcile", is_change=True)
@_group
@_timeout
def reconcile(io: Io, place: Place, group: str, timeout: float | None) -> Change:
    """Compare a group and repair the side without authority, row by row. Older certificates are worth nothing afterwards."""
    return _comparing(io, place, group, timeout, "reconcile")


def _comparing(io: Io, place: Place, group: str, timeout: float | None, kind: str) -> Change:
    at = stage_of(place, group)
    tables = next(
        one["tables"] for one in (place.catalog.generation() or {})["groups"] if one["group"] == group
    )

    def run() -> Answer:
        done = ask(io, place, kind, {"group": group}, timeout)
        return _verdict(group, kind, done)

    steps = [f"compare every row of {table} on the source and the shards" for table in tables] + [
        "write a certificate for each table"
    ]
    if kind == "reconcile":
        steps.append(
            "repair each row that differs on the side without authority, if it is unchanged since it was read"
        )
    return Change(f"{kind} {group}", steps, at, run, {"kind": kind, "arguments": {"group": group}})


def _verdict(group: str, kind: str, done: dict[str, Any]) -> Answer:
    verdicts = {table["verdict"] for table in done["tables"]}

    def show(out: Console) -> None:
        for table in done["tables"]:
            out.print(
                escape(
                    f"{table['relation']}: {table['verdict']}, {table['rows']:,} rows, {table['differing']} differ, {table['rechecked']} looked at again"
                )
            )
            for row in table["rows_named"]:
                out.print(escape(f"  {row['kind']} on {row['node']}, key digest {row['key_digest']}"))
        for repair in done.get("repairs", []):
            out.print(
                escape(
                    f"repaired {repair['relation']} on {repair['node']}: {repair['kind']}, key digest {repair['key_digest']}"
                )
            )

    data = {"group": group, **done}
    if kind == "reconcile" and "could_not_tell" not in verdicts:
        return Answer(data, show, [f"shardway migrate verify --group {group}"])
    if "different" in verdicts:
        return Answer(data, show, [f"shardway reconcile --group {group}"], exit_codes.DIFFERENT)
    if "could_not_tell" in verdicts:
        return Answer(
            data,
            show,
            [
                f"try again when the load is lower: shardway {'migrate verify' if kind == 'verify' else kind} --group {group}"
            ],
            exit_codes.NOT_NOW,
        )
    return Answer(data, show, [f"shardway wave plan --group {group} --percent 1"])


@command(migrate, "pause", is_change=True)
def pause(io: Io, place: Place) -> Change:
    """Open no new chunks of the copy. Chunks that are open are finished; streams go on."""
    return _switch(io, place, "pause", "hold back new chunks of all copies; the streams go on")


@command(migrate, "resume", is_change=True)
def resume(io: Io, place: Place) -> Change:
    """Let the copy go on."""
    return _switch(io, place, "resume", "open chunks again")


def _switch(io: Io, place: Place, kind: str, step: str) -> Change:
    def run() -> Answer:
        ask(io, place, kind, {}, 60.0)
        return Answer({"done": kind}, lambda out: out.print(f"{kind}: done"))

    return Change(f"{kind} of the copy", [step], {}, run, {"kind": kind, "arguments": {}})


@command(migrate, "finalize", is_dangerous=True)
@_group
@click.option(
    "--approved-by", metavar="NAME", help="Who approved it, for the audit log. Default: the login name."
)
@_timeout
def finalize(io: Io, place: Place, group: str, approved_by: str | None, timeout: float | None) -> Change:
    """End a group's migration: the mirror and the helpers go. There is no way back after this."""
    at = stage_of(place, group)
    on_source = [one["slots"] for one in at["authority"] if one["node"] == place.migration.nodes[0]["name"]]
    if on_source:
        raise PreconditionFailed(
            f"group {group} still has slots on the source",
            code="precondition_failed",
            hint=f"shardway wave run --group {group} --percent 100",
        )
    arguments = {"group": group, "approved_by": approver(approved_by)}

    def run() -> Answer:
        done = ask(io, place, "finalize", arguments, timeout)
        return Answer(
            {"group": group, "result": done}, lambda out: out.print(escape(f"{group} is finalized"))
        )

    steps = [
        f"on every shard: stop the mirror of {group}; after this there is no rollback",
        "publish the stage finalized",
        "on the source: take the tables out of the publication; the write guard stays closed",
        "on every shard: drop the version columns and helper objects of the tables",
    ]
    return Change(f"finalizing {group}", steps, at, run, {"kind": "finalize", "arguments": arguments})


def approver(given: str | None) -> str:
    if given:
        return given
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise ConfigError(
            "the login name is not known", code="invalid_argument", hint="give --approved-by"
        ) from None
