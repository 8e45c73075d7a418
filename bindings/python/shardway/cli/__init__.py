"""The ``shardway`` command: how an operator does each step of a migration. ``docs/COMMAND.md`` is its manual.

Each module defines the commands of one subject. Only ``root`` knows them all.
"""
