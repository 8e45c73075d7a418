"""The catalog on the source: the state of the migration, and requests to the controller."""

from __future__ import annotations

import json
from typing import Any, Callable, TypeVar, cast

from . import _core
from .documents import (
    Certificate,
    CertificateGap,
    ClientProcess,
    ForeignWriter,
    Generation,
    JournalEntry,
    JsonObject,
    Lease,
    Request,
    Status,
    Wave,
)
from .errors import PreconditionFailed, ShardwayError
from .migration import Migration

_NOT_INSTALLED = {"42P01", "3F000", "42883"}
_Read = TypeVar("_Read")


def _parsed(text: str) -> Any:
    return json.loads(text) if text else None


class Catalog:
    """A connection to the catalog.

    Thread safety: threads may share it; their calls run one after another.
    Lifetime: call ``close``, or use it as a context manager.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._session = _core.Catalog.open(conninfo)

    @classmethod
    def open(cls, migration: Migration, role: str | None = None) -> Catalog:
        """Connect to the source as `role`. Default: the engine role of the manifest."""
        return cls(migration.core.conninfo(migration.engine_role if role is None else role))

    def _read(self, call: Callable[[_core.Catalog], _Read]) -> _Read:
        """Run a call that changes nothing. If the connection is lost, connect again and repeat it once."""
        try:
            return call(self._session)
        except ShardwayError as error:
            if error.sqlstate in _NOT_INSTALLED:
                raise PreconditionFailed(
                    "cannot read the catalog: schema shardway is not installed on the source",
                    code="precondition_failed",
                    node="source",
                    hint="run `shardway manifest apply`",
                ) from error
            if not error.needs_reconnect:
                raise
        self._session = _core.Catalog.open(self._conninfo)
        return call(self._session)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def request(self, kind: str, arguments: JsonObject) -> int:
        """Queue a request for the controller and return its number. `result_of` returns its outcome."""
        return self._session.enqueue_request(kind, json.dumps(arguments))

    def result_of(self, request: int) -> Request | None:
        """Return a request with its state and its result or error, or None if there is no such request."""
        found = cast("Request | None", self._read(lambda on: on.find_request(request)))
        if found:
            found["arguments"] = _parsed(cast("str", found["arguments"]))
            found["result"] = _parsed(found["result"])
        return found

    def status(self) -> dict[str, Status]:
        """Return the status documents of the controller by name."""
        return {
            row["name"]: {"age_ms": row["age_ms"], "document": _parsed(row["document"])}
            for row in self._read(lambda on: on.status())
        }

    def generation_document(self) -> str | None:
        """Return the newest generation as JSON text, or None if none is published."""
        return self._read(lambda on: on.generation())

    def generation(self) -> Generation | None:
        """Return the newest generation, or None if none is published."""
        document = self.generation_document()
        return cast("Generation", _core.generation_summary(document)) if document else None

    def lease(self) -> Lease | None:
        """Return the lease of the controller, or None if no controller ever ran."""
        return cast("Lease | None", self._read(lambda on: on.lease()))

    def is_controller_alive(self) -> bool:
        """Return whether a controller holds a valid lease."""
        lease = self.lease()
        return lease is not None and lease["is_alive"]

    def certificates(self, tables: list[str]) -> list[Certificate]:
        """Return the newest certificate of each table that has one."""
        found = [cast("Certificate | None", self._certificate(table)) for table in tables]
        return [{**one, "detail": _parsed(cast("str", one["detail"]))} for one in found if one]

    def _certificate(self, table: str) -> object:
        return self._read(lambda on: on.certificate(table))

    def certificate_gaps(self, tables: list[str], age_max_s: int = 0) -> list[CertificateGap]:
        """Return why the certificates of these tables do not count. Tables with a valid one are left out."""
        return self._read(lambda on: on.certificate_gaps(tables, age_max_s))

    def waves(self, group: str = "") -> list[Wave]:
        """Return the waves of a group, or all waves, oldest first."""
        waves: list[Wave] = self._read(lambda on: on.waves(group))
        return [{**one, "report": _parsed(cast("str", one["report"]))} for one in waves]

    def journal(self, wave: str = "", limit: int = 100) -> list[JournalEntry]:
        """Return the journal of a wave, or of all waves."""
        entries: list[JournalEntry] = self._read(lambda on: on.journal(wave, limit))
        return [{**one, "detail": _parsed(cast("str", one["detail"]))} for one in entries]

    def clients(self, expire_after_s: int = 60) -> list[ClientProcess]:
        """Return the processes that use the library and reported within this time."""
        return self._read(lambda on: on.clients(expire_after_s))

    def foreign_writers(self, within_s: int) -> list[ForeignWriter]:
        """Return who has written tables of the source without the library, most statements first."""
        return self._read(lambda on: on.foreign_writers(within_s))

    def observed(self, within_s: int) -> JsonObject:
        """Return the call reports of all clients, added up, with proposed groups and foreign writers."""
        found = self._read(lambda on: on.observed(within_s))
        return {**_parsed(found.pop("calls")), **found}
