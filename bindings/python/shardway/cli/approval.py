"""Who approved a dangerous step, for the audit log."""

from __future__ import annotations

import getpass

import click

from ..errors import ConfigError

approved_by_option = click.option(
    "--approved-by", metavar="NAME", help="Who approved it, for the audit log. Default: your login name."
)


def approver(given: str | None) -> str:
    """Return the name that was given, or else the login name."""
    if given:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise ConfigError(
            "cannot find out your login name", code="invalid_argument", hint="give --approved-by NAME"
        ) from None
