"""The tree of commands. It imports the modules of all commands; none of them imports it."""

from __future__ import annotations

import json
import sys

import click

from .. import __version__
from . import (
    controlling,
    doctor,
    exit_codes,
    lookups,
    manifests,
    migrations,
    observing,
    rehearsing,
    routes,
    uninstalling,
    verifying,
    waves,
)
from .command import group
from .io import SCHEMA_VERSION

migrate = group(
    "migrate",
    "Run the controller, and take groups from stage to stage.",
    [
        migrations.advance,
        migrations.finalize,
        migrations.guard,
        migrations.pause,
        migrations.resume,
        controlling.start,
        migrations.status,
        verifying.verify,
    ],
)


@click.group(
    commands=[
        doctor.doctor,
        lookups.lookup,
        manifests.manifest,
        migrate,
        observing.observe,
        doctor.plan,
        verifying.reconcile,
        rehearsing.rehearse,
        routes.route,
        uninstalling.uninstall,
        waves.wave,
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="shardway")
def root() -> None:
    """Move tables of one PostgreSQL to shards while services keep reading and writing.

    \b
    A migration in order: doctor, plan, manifest apply, rehearse, migrate start (keep it running),
    migrate advance, migrate verify, wave plan, wave run ... migrate finalize.
    Every step except the last can be undone.

    \b
    Exit codes:
      0    done
      1    error
      2    usage: an option, the folder or a confirmation is wrong or missing
      3    a precondition, a check or a gate is red; nothing was changed
      4    verification found a difference
      5    not now; try again
      6    in doubt; check before you try again
      7    aborted by the operator
      130  interrupted
    """  # noqa: D301 (click looks for the character itself, which keeps the lines that follow it)


def main() -> None:
    """Run ``shardway``, as its entry point or as ``python -m shardway``."""
    try:
        root(prog_name="shardway", standalone_mode=False)
    except click.UsageError as error:
        sys.exit(_refuse(error))
    except click.Abort:
        sys.exit(exit_codes.INTERRUPTED)


def _refuse(error: click.UsageError) -> int:
    """Print what click says and, with --json, the same object as for every other error."""
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
