"""The tree of commands."""

from __future__ import annotations

import json
import sys

import click

from .. import __version__
from . import exit_codes
from .io import SCHEMA_VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="shardway")
def root() -> None:
    """Move tables of one PostgreSQL to shards while services keep reading and writing.

    \b
    A migration goes: doctor, plan, manifest apply, migrate start (leave it running), migrate advance,
    migrate verify, wave plan, wave run ... migrate finalize. Every step but the last can be taken back.

    \b
    Exit codes: 0 done, 1 error, 2 usage, 3 a precondition, check or gate is red, 4 verification found a
    difference, 5 not now (try again), 6 in doubt (look before trying again), 7 aborted by the operator,
    130 interrupted.
    """


@root.group()
def manifest() -> None:
    """The files that say what is to move."""


@root.group()
def migrate() -> None:
    """Run the controller and bring groups from stage to stage."""


@root.group()
def lookup() -> None:
    """Keep the ways from other columns to the shard key."""


@root.group()
def wave() -> None:
    """Move authority for a share of the slots, or take it back."""


@root.group()
def route() -> None:
    """Ask where a call goes."""


def main() -> None:
    """The entry point of ``shardway`` and of ``python -m shardway``."""
    from . import doctor, lookups, manifests, migrations, observing, routes, uninstalling, waves  # noqa: F401  (each adds its commands)

    try:
        root(prog_name="shardway", standalone_mode=False)
    except click.UsageError as error:
        sys.exit(_refuse(error))
    except click.Abort:
        sys.exit(exit_codes.INTERRUPTED)


def _refuse(error: click.UsageError) -> int:
    """A wrong call: click's words on stderr, and with --json the same object as every other error."""
    error.show()
    if "--json" in sys.argv:
        path = error.ctx.command_path.split(" ", 1)[-1] if error.ctx else ""
        hint = f"shardway {path} --help" if error.ctx else ""
        document = {
            "schema_version": SCHEMA_VERSION,
            "command": path,
            "ok": False,
            "error": {"code": "invalid_argument", "message": error.format_message(), "hint": hint},
            "next_steps": [hint],
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return exit_codes.USAGE
