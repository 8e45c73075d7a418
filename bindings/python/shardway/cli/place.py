"""The migration a command is about: its folder, its manifests, its catalog. Each is opened when first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..catalog import Catalog
from ..errors import ConfigError
from ..migration import Migration

if TYPE_CHECKING:
    from .io import Io


class Place:
    def __init__(self, io: Io, folder: str | None, user: str | None) -> None:
        self._io = io
        self._folder = folder
        self._user = user
        self._migration: Migration | None = None
        self._catalog: Catalog | None = None

    @property
    def folder(self) -> str:
        if not self._folder:
            raise ConfigError(
                "no migration was named",
                code="invalid_argument",
                hint="give --migration DIR or set SHARDWAY_MIGRATION",
            )
        return self._folder

    @property
    def migration(self) -> Migration:
        """Raises ConfigError with all findings if a manifest is invalid."""
        if self._migration is None:
            self._migration = Migration.load(self.folder)
        return self._migration

    @property
    def name(self) -> str:
        return self.migration.name

    @property
    def role(self) -> str:
        return self._user if self._user is not None else self.migration.engine_role

    @property
    def catalog(self) -> Catalog:
        if self._catalog is None:
            self._catalog = Catalog.open(self.migration, self.role)
        return self._catalog

    def close(self) -> None:
        if self._catalog is not None:
            self._catalog.close()
