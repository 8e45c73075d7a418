"""The frame around each command: common options, one place where an exception becomes an exit code."""

from __future__ import annotations

import functools
import sys
from typing import Any, Callable, Union

import click

from ..errors import ShardwayError
from . import exit_codes
from .io import Aborted, Answer, Change, Io, confirm, dry_run
from .place import Place

Body = Callable[..., Union[Answer, Change]]


def command(
    group: click.Group,
    name: str,
    *,
    is_dangerous: bool = False,
    is_change: bool = False,
    needs_migration: bool = True,
) -> Callable[[Body], Body]:
    """Adds a command. Its body gets `io` (and `place`, the migration) and returns an `Answer`, or a `Change` that the frame asks about."""

    def add(body: Body) -> Body:
        @functools.wraps(body)
        def framed(**options: Any) -> None:
            sys.exit(_run(body, options, is_dangerous, needs_migration))

        group.command(name)(_with_options(framed, is_dangerous, is_change or is_dangerous, needs_migration))
        return body

    return add


def _with_options(
    framed: Callable[..., None], is_dangerous: bool, is_change: bool, needs_migration: bool
) -> Callable[..., None]:
    if is_dangerous:
        framed = click.option(
            "--expect-state", metavar="HASH", help="With --yes: the state that --dry-run printed."
        )(framed)
        framed = click.option("--yes", "is_yes", is_flag=True, help="Do not ask; needs --expect-state.")(
            framed
        )
    if is_change:
        framed = click.option(
            "--dry-run", "is_dry", is_flag=True, help="Print the ordered steps and do nothing."
        )(framed)
    framed = click.option("--quiet", "is_quiet", is_flag=True, help="No progress on stderr.")(framed)
    framed = click.option("--json", "is_json", is_flag=True, help="One JSON object on stdout.")(framed)
    if needs_migration:
        framed = click.option(
            "--user", metavar="ROLE", help="Connect as this role. Default: the manifest's engine role."
        )(framed)
        framed = click.option(
            "--migration",
            "-m",
            "folder",
            envvar="SHARDWAY_MIGRATION",
            metavar="DIR",
            help="Folder of migration.txtpb and the tables' files. Also $SHARDWAY_MIGRATION.",
        )(framed)
    return framed


def _run(body: Body, options: dict, is_dangerous: bool, needs_migration: bool) -> int:
    path = click.get_current_context().command_path.split(" ", 1)
    io = Io(path[1] if len(path) > 1 else path[0], options.pop("is_json"), options.pop("is_quiet"))
    place: Place | None = None
    try:
        if needs_migration:
            place = Place(io, options.pop("folder"), options.pop("user"))
            options["place"] = place
        return io.answer(_settle(io, body, place, options, is_dangerous))
    except ShardwayError as error:
        return io.fail(_document_of(error), exit_codes.of(error), list(getattr(error, "next_steps", [])))
    except Aborted:
        return io.fail(
            {"code": "cancelled", "message": "not confirmed; nothing was done", "hint": ""},
            exit_codes.ABORTED,
            [],
        )
    except KeyboardInterrupt as interrupt:
        steps = list(interrupt.args)
        return io.fail(
            {"code": "cancelled", "message": "interrupted", "hint": ""}, exit_codes.INTERRUPTED, steps
        )
    finally:
        if place:
            place.close()


def _settle(io: Io, body: Body, place: Place | None, options: dict, is_dangerous: bool) -> Answer:
    is_dry, is_yes, expect = (
        options.pop("is_dry", False),
        options.pop("is_yes", False),
        options.pop("expect_state", None),
    )
    wanted = body(io=io, **options)
    if isinstance(wanted, Answer):
        return wanted
    name = place.name if place else ""
    if is_dry:
        return dry_run(io, wanted, name, is_dangerous)
    if is_dangerous:
        confirm(io, wanted, name, is_yes, expect)
    return wanted.run()


def _document_of(error: ShardwayError) -> dict:
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "node": error.node,
        "sqlstate": error.sqlstate,
        "retryable": error.retryable,
        "needs_operator": error.needs_operator,
    }
