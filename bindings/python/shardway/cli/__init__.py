"""The ``shardway`` command: how an operator does each step of a migration. ``docs/COMMAND.md`` is its manual."""

from .root import main

__all__ = ["main"]
