"""What a command works with: its output, the manifests and the catalog of its migration."""

from __future__ import annotations

from ..catalog import Catalog
from ..errors import ConfigError, PreconditionFailed
from ..migration import Migration
from .io import Io


class Context:
    """One run of a command. It reads manifests and connects to the catalog on first use."""

    def __init__(self, io: Io, folder: str | None, user: str | None) -> None:
        self.io = io
        self._folder = folder
        self._user = user
        self._migration: Migration | None = None
        self._catalog: Catalog | None = None

    @property
    def folder(self) -> str:
        """The folder of the migration."""
        if not self._folder:
            raise ConfigError(
                "this command needs a migration, and none was named",
                code="invalid_argument",
                hint="give --migration DIR or set SHARDWAY_MIGRATION",
            )
        return self._folder

    @property
    def migration(self) -> Migration:
        """The parsed manifests. Raises ConfigError with all findings if one is invalid."""
        if self._migration is None:
            self._migration = Migration.load(self.folder)
        return self._migration

    @property
    def name(self) -> str:
        """The name of the migration."""
        return self.migration.name

    @property
    def role(self) -> str:
        """The role to connect with."""
        return self._user if self._user is not None else self.migration.engine_role

    @property
    def catalog(self) -> Catalog:
        """The connection to the catalog."""
        if self._catalog is None:
            self._catalog = Catalog.open(self.migration, self.role)
        return self._catalog

    def groups(self, named: tuple[str, ...], *, is_all: bool, stages: tuple[str, ...]) -> list[str]:
        """Return the groups that a command names, or with `--all` those at one of these stages.

        Raises ConfigError if neither or both were given, PreconditionFailed if no group is at such a stage.
        """
        if bool(named) == is_all:
            raise ConfigError(
                "the command needs groups: either named, or all",
                code="invalid_argument",
                hint="give --group NAME, once for each, or --all",
            )
        if named:
            return list(dict.fromkeys(named))
        generation = self.catalog.generation()
        found = [
            group["group"]
            for group in (generation["groups"] if generation else [])
            if group["stage"] in stages
        ]
        if not found:
            raise PreconditionFailed(
                f"no group is at {' or '.join(stages)}",
                code="precondition_failed",
                hint="`shardway migrate status` shows the stages",
            )
        return found

    def close(self) -> None:
        """Close the connection if there is one."""
        if self._catalog is not None:
            self._catalog.close()
