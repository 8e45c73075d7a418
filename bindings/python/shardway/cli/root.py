"""The tree of commands."""

from __future__ import annotations

import click

from .. import __version__


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
def wave() -> None:
    """Move authority for a share of the slots, or take it back."""


@root.group()
def route() -> None:
    """Ask where a call goes."""


def main() -> None:
    """The entry point of ``shardway`` and of ``python -m shardway``."""
    from . import doctor, manifests, migrations, routes, uninstalling, waves  # noqa: F401  (each adds its commands)

    root(prog_name="shardway")
