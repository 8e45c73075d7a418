"""A migration is a folder: ``migration.txtpb`` and one ``<table>.txtpb`` for each table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Callable, cast

from . import _core
from .documents import (
    Applied,
    Finding,
    Installed,
    LintFinding,
    ManifestChange,
    Node,
    Rehearsal,
    Script,
    Step,
    Table,
    WavePlan,
)
from .errors import ConfigError

MIGRATION_FILE = "migration.txtpb"
NamedText = tuple[str, str]


def read_folder(folder: str | Path) -> tuple[NamedText, list[NamedText]]:
    """Return (file, text) of the migration manifest, and of each table manifest sorted by name."""
    place = Path(folder)
    main = place / MIGRATION_FILE
    if not main.is_file():
        raise ConfigError(
            f"{place} has no {MIGRATION_FILE}", code="invalid_argument", hint="name the folder of a migration"
        )
    tables = sorted(file for file in place.glob("*.txtpb") if file.name != MIGRATION_FILE)
    return _named(main), [_named(file) for file in tables]


def lint(folder: str | Path) -> list[LintFinding]:
    """Return every mistake in the manifests of a folder."""
    return _core.lint(*read_folder(folder))


class Migration:
    """The manifests of one migration, parsed and valid."""

    def __init__(self, parsed: _core.MigrationSet, folder: Path) -> None:
        self.core = parsed
        self.folder = folder

    @classmethod
    def load(cls, folder: str | Path) -> Migration:
        """Read and check the manifests of a folder. Raises ConfigError with all findings."""
        return cls(_core.MigrationSet.load(*read_folder(folder)), Path(folder))

    def __repr__(self) -> str:
        return f"<shardway.Migration {self.name}: {len(self.tables)} tables>"

    @property
    def name(self) -> str:
        """The name of the migration."""
        return self.core.name

    @property
    def engine_role(self) -> str:
        """The role that the controller and the command connect with."""
        return self.core.engine_role

    @property
    def nodes(self) -> list[Node]:
        """The source, then the shards."""
        return self.core.nodes

    @property
    def tables(self) -> list[Table]:
        """The tables of all groups."""
        return self.core.tables

    @property
    def groups(self) -> list[str]:
        """The names of the groups, sorted."""
        return sorted({table["group"] for table in self.tables})

    def doctor(
        self, role: str | None = None, groups: Sequence[str] = (), tables: Sequence[str] = ()
    ) -> list[Finding]:
        """Check every node and table for what would fail later. Reads only.

        With groups or tables, only the tables of these groups and these tables are checked.
        """
        return self.core.preflight(self._role(role), groups=list(groups), tables=list(tables))

    def rehearse(self, group: str, role: str | None = None, client_programs: str = "") -> Rehearsal:
        """Try the onboarding of a group in a scratch database on each shard, and record the outcome."""
        return cast("Rehearsal", self.core.rehearse(self._role(role), group, client_programs))

    def plan(self) -> list[Step]:
        """Return the steps in order. Connects to no server."""
        return self.core.plan()

    def roles_sql(self, role: str | None = None) -> list[Script]:
        """Return, for each node, the SQL that creates the roles. An administrator runs it."""
        return self.core.roles_sql(self._role(role))

    def diff(self, generation: str | None) -> list[ManifestChange]:
        """Return what these manifests would change in a generation. None stands for an empty one."""
        return self.core.diff(generation)

    def apply(self) -> Applied:
        """Install the schema and publish a generation. Precondition: no controller runs."""
        return cast("Applied", self.core.apply(_holder()))

    def installed(self, role: str | None = None) -> list[Installed]:
        """Return what `uninstall` would remove now."""
        return self.core.installed(self._role(role))

    def uninstall(self, role: str | None = None, *, even_with_clients: bool = False) -> list[Installed]:
        """Remove everything of shardway on every node, and return what was removed.

        It raises PreconditionFailed while clients are registered, unless `even_with_clients` is set.
        """
        return self.core.uninstall(self._role(role), even_with_clients)

    def plan_wave(
        self, group: str, percent: float | None = None, shard: str | None = None, role: str | None = None
    ) -> WavePlan:
        """Return the slots that a wave would move. With `percent` it moves forward, without it back."""
        return cast("WavePlan", self.core.plan_wave(self._role(role), group, percent, shard))

    def run_controller(
        self, on_ready: Callable[[], None] | None = None, lease_wait: float = 15.0, client_programs: str = ""
    ) -> None:
        """Run the controller until a signal handler raises (KeyboardInterrupt).

        It calls `on_ready` once it holds the lease and acts. `lease_wait` is in seconds. Another call resumes
        all work that a stopped or crashed controller left.
        """
        self.core.run_controller(_holder(), lease_wait, client_programs, on_ready)

    def _role(self, role: str | None) -> str:
        return self.engine_role if role is None else role


def _named(file: Path) -> NamedText:
    try:
        return str(file), file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read {file}: {error.__class__.__name__}",
            code="invalid_argument",
            hint="manifests are UTF-8 text files",
        ) from error


def _holder() -> str:
    return f"{os.uname().nodename}:{os.getpid()}"
