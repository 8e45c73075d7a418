"""The frame around each command: its common options, and how exceptions become exit codes."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from typing import Any, Callable, Union

import click

from ..documents import JsonObject
from ..errors import ShardwayError
from . import exit_codes
from .context import Context
from .io import Aborted, Answer, Change, Io, confirm, dry_run
from .requests import NoController

#: Gets a `Context` and the options of the command; what they are differs from command to command.
Body = Callable[..., Union[Answer, Change]]
#: Adds an option to the function of a command.
Option = Callable[[Callable[..., None]], Callable[..., None]]

group_option = click.option("--group", "-g", required=True, metavar="NAME", help="The group of tables.")
_groups_option = click.option(
    "--group", "-g", "named", multiple=True, metavar="NAME", help="A group of tables. May be repeated."
)
_all_groups_option = click.option("--all", "is_all", is_flag=True, help="All groups that this concerns.")


def groups_options(body: Body) -> Body:
    """Add the options that name one group, several, or all. See `Context.groups`."""
    return _groups_option(_all_groups_option(body))


timeout_option = click.option(
    "--timeout",
    type=float,
    metavar="SECONDS",
    help="Stop waiting after this time; the request continues. Default: wait until it ends.",
)
_MIGRATION_OPTIONS: list[Option] = [
    click.option(
        "--migration",
        "-m",
        "folder",
        envvar="SHARDWAY_MIGRATION",
        metavar="DIR",
        help="Folder with migration.txtpb and the table manifests. Also $SHARDWAY_MIGRATION.",
    ),
    click.option("--user", metavar="ROLE", help="Connect as this role. Default: the manifest's engine role."),
]
_OUTPUT_OPTIONS: list[Option] = [
    click.option("--json", "is_json", is_flag=True, help="Print one JSON object on standard output."),
    click.option("--quiet", "is_quiet", is_flag=True, help="Print no progress on standard error."),
    click.option(
        "--show-server-detail",
        "with_detail",
        is_flag=True,
        help="With an error, also print the server's own text. It may hold values of rows.",
    ),
]
_CHANGE_OPTIONS: list[Option] = [
    click.option("--dry-run", "is_dry", is_flag=True, help="Print the steps in order and change nothing."),
]
_DANGER_OPTIONS: list[Option] = [
    click.option("--yes", "is_yes", is_flag=True, help="Do not ask. Needs --expect-state."),
    click.option("--expect-state", metavar="HASH", help="With --yes: the state that --dry-run printed."),
]


def command(
    name: str, *, is_dangerous: bool = False, is_change: bool = False, needs_migration: bool = True
) -> Callable[[Body], click.Command]:
    """Make a command. Its body returns an `Answer`, or a `Change` for the frame to confirm and run."""

    def make(body: Body) -> click.Command:
        @functools.wraps(body)
        def framed(**options: Any) -> None:
            sys.exit(_run(body, options, is_dangerous=is_dangerous))

        made: Callable[..., None] = framed
        options = _options(
            is_dangerous=is_dangerous, is_change=is_change or is_dangerous, needs_migration=needs_migration
        )
        for option in reversed(options):
            made = option(made)
        return click.command(name)(made)

    return make


def group(name: str, help_text: str, commands: Iterable[click.Command]) -> click.Group:
    """Make a group of commands."""
    return click.Group(name, help=help_text, commands=list(commands))


def _options(*, is_dangerous: bool, is_change: bool, needs_migration: bool) -> list[Option]:
    """Return the common options of a command, in the order in which its help shows them."""
    return [
        *(_MIGRATION_OPTIONS if needs_migration else []),
        *_OUTPUT_OPTIONS,
        *(_CHANGE_OPTIONS if is_change else []),
        *(_DANGER_OPTIONS if is_dangerous else []),
    ]


def _run(body: Body, options: dict[str, Any], *, is_dangerous: bool) -> int:
    path = click.get_current_context().command_path.split(" ", 1)
    io = Io(
        path[1] if len(path) > 1 else path[0],
        is_json=options.pop("is_json"),
        is_quiet=options.pop("is_quiet"),
    )
    context = Context(io, options.pop("folder", None), options.pop("user", None))
    with_detail = options.pop("with_detail")
    try:
        return io.answer(_settle(body, context, options, is_dangerous=is_dangerous))
    except NoController as error:
        return io.fail(_document_of(error, with_detail=with_detail), exit_codes.of(error), [error.next_step])
    except ShardwayError as error:
        return io.fail(_document_of(error, with_detail=with_detail), exit_codes.of(error), [])
    except Aborted:
        return io.fail(_cancelled("not confirmed; nothing was changed"), exit_codes.ABORTED, [])
    except KeyboardInterrupt as interrupt:
        return io.fail(_cancelled("interrupted"), exit_codes.INTERRUPTED, list(interrupt.args))
    finally:
        context.close()


def _settle(body: Body, context: Context, options: dict[str, Any], *, is_dangerous: bool) -> Answer:
    is_dry, is_yes = options.pop("is_dry", False), options.pop("is_yes", False)
    expect_state = options.pop("expect_state", None)
    wanted = body(context, **options)
    if isinstance(wanted, Answer):
        return wanted
    if is_dry:
        return dry_run(wanted, context.name, is_dangerous=is_dangerous)
    if is_dangerous:
        confirm(context.io, wanted, context.name, is_yes=is_yes, expect_state=expect_state)
    return wanted.run()


def _cancelled(message: str) -> JsonObject:
    return {"code": "cancelled", "message": message, "hint": ""}


def _document_of(error: ShardwayError, *, with_detail: bool) -> JsonObject:
    detail = {"server_detail": error.server_detail} if with_detail else {}
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "node": error.node,
        "sqlstate": error.sqlstate,
        "retryable": error.retryable,
        "needs_operator": error.needs_operator,
        **detail,
    }
