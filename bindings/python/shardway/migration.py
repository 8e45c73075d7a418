"""A migration is a folder: ``migration.txtpb`` and one ``<table>.txtpb`` for each table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

from . import _core
from .errors import ConfigError

MIGRATION_FILE = "migration.txtpb"
NamedText = tuple[str, str]


def read_folder(folder: str | Path) -> tuple[NamedText, list[NamedText]]:
    """(file, text) of the migration's manifest and of each table's, sorted by name."""
    place = Path(folder)
    main = place / MIGRATION_FILE
    if not main.is_file():
        raise ConfigError(
            f"{place} holds no {MIGRATION_FILE}",
            code="invalid_argument",
            hint="give the folder of a migration",
        )
    tables = sorted(file for file in place.glob("*.txtpb") if file.name != MIGRATION_FILE)
    return _named(main), [_named(file) for file in tables]


def lint(folder: str | Path) -> list[dict[str, Any]]:
    """Everything wrong with the manifests of a folder: code, file, line, column, message, hint, text."""
    return _core.lint(*read_folder(folder))


class Migration:
    """The manifests of one migration, parsed and valid."""

    def __init__(self, parsed: _core.MigrationSet, folder: Path) -> None:
        self.core = parsed
        self.folder = folder

    @classmethod
    def load(cls, folder: str | Path) -> Migration:
        """Raises ConfigError with all findings."""
        return cls(_core.MigrationSet.load(*read_folder(folder)), Path(folder))

    def __repr__(self) -> str:
        return f"<shardway.Migration {self.name}: {len(self.tables)} tables>"

    @property
    def name(self) -> str:
        return self.core.name

    @property
    def engine_role(self) -> str:
        return self.core.engine_role

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """The source, then the shards."""
        return self.core.nodes

    @property
    def tables(self) -> list[dict[str, Any]]:
        return self.core.tables

    @property
    def groups(self) -> list[str]:
        return sorted({table["group"] for table in self.tables})

    def doctor(self, role: str | None = None) -> list[dict[str, Any]]:
        """What would go wrong later: id, level (pass, warn, fail), node, subject, what, fix. Reads only."""
        return self.core.preflight(self._role(role))

    def plan(self) -> list[dict[str, Any]]:
        """The steps, in order. Connects to nothing."""
        return self.core.plan()

    def roles_sql(self, role: str | None = None) -> list[dict[str, str]]:
        """For each node the SQL that creates the roles, for an administrator to run."""
        return self.core.roles_sql(self._role(role))

    def diff(self, generation: str | None) -> list[dict[str, str]]:
        """What these manifests would change in a generation's document, or in none."""
        return self.core.diff(generation)

    def apply(self) -> dict[str, Any]:
        """Installs and publishes a generation; only while no controller runs."""
        return self.core.apply(_holder())

    def installed(self, role: str | None = None) -> list[dict[str, str]]:
        """What `uninstall` would take away now."""
        return self.core.installed(self._role(role))

    def uninstall(self, role: str | None = None) -> list[dict[str, str]]:
        """Takes away everything of ours on every node; what it was."""
        return self.core.uninstall(self._role(role))

    def plan_wave(
        self,
        group: str,
        percent: float | None = None,
        shard: str | None = None,
        role: str | None = None,
    ) -> dict[str, Any]:
        """The slots a wave would move: forward with `percent`, back without."""
        return self.core.plan_wave(self._role(role), group, percent, shard)

    def run_controller(
        self,
        on_ready: Callable[[], None] | None = None,
        lease_wait: float = 15.0,
        client_programs: str = "",
    ) -> None:
        """Is the controller, until a signal handler raises (KeyboardInterrupt); everything is resumed by calling it again."""
        self.core.run_controller(_holder(), lease_wait, client_programs, on_ready)

    def _role(self, role: str | None) -> str:
        return self.engine_role if role is None else role


def _named(file: Path) -> NamedText:
    try:
        return str(file), file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file} cannot be read: {error.__class__.__name__}",
            code="invalid_argument",
            hint="manifests are UTF-8 text files",
        ) from error


def _holder() -> str:
    return f"{os.uname().nodename}:{os.getpid()}"
