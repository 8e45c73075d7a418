"""The catalog on the source: what the controller shows of itself, and how it is asked for something."""

from __future__ import annotations

import json
from typing import Any

from . import _core
from .errors import PreconditionFailed, ShardwayError
from .migration import Migration

_NOT_INSTALLED = {"42P01", "3F000", "42883"}


def _parsed(text: str) -> Any:
    return json.loads(text) if text else None


class Catalog:
    """A connection to the catalog. Thread safety: shared use is safe; calls follow one another."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._session = _core.Catalog.open(conninfo)

    @classmethod
    def open(cls, migration: Migration, role: str | None = None) -> Catalog:
        """Connects to the source as the manifest's engine role, or as another."""
        return cls(migration.core.conninfo(migration.engine_role if role is None else role))

    def _read(self, name: str, *arguments: Any) -> Any:
        """A call that changes nothing: a lost connection is made again, once."""
        try:
            return getattr(self._session, name)(*arguments)
        except ShardwayError as error:
            if error.sqlstate in _NOT_INSTALLED:
                raise PreconditionFailed(
                    "schema shardway is not installed on the source",
                    code="precondition_failed",
                    node="source",
                    hint="run `shardway manifest apply`",
                ) from error
            if not error.needs_reconnect:
                raise
        self._session = _core.Catalog.open(self._conninfo)
        return getattr(self._session, name)(*arguments)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(self, kind: str, arguments: dict[str, Any]) -> int:
        """Asks the controller; the request's number. `result_of` tells what became of it."""
        return self._session.enqueue_request(kind, json.dumps(arguments))

    def result_of(self, request: int) -> dict[str, Any] | None:
        """id, kind, state (queued, running, done, failed), result, error_code, error_message."""
        found = self._read("find_request", request)
        if found:
            found["arguments"], found["result"] = _parsed(found["arguments"]), _parsed(found["result"])
        return found

    def status(self) -> dict[str, dict[str, Any]]:
        """The controller's documents by name, each with its `age_ms`."""
        return {
            row["name"]: {"age_ms": row["age_ms"], "document": _parsed(row["document"])}
            for row in self._read("status")
        }

    def generation_document(self) -> str | None:
        return self._read("generation")

    def generation(self) -> dict[str, Any] | None:
        """Number, groups, stages and authority of the newest generation; None before manifests were applied."""
        document = self._read("generation")
        return _core.generation_summary(document) if document else None

    def lease(self) -> dict[str, Any] | None:
        return self._read("lease")

    def is_controller_alive(self) -> bool:
        lease = self.lease()
        return bool(lease and lease["is_alive"])

    def certificates(self, tables: list[str]) -> list[dict[str, Any]]:
        """The newest certificate of each table that has one."""
        found = [self._read("certificate", table) for table in tables]
        return [{**one, "detail": _parsed(one["detail"])} for one in found if one]

    def certificate_gaps(self, tables: list[str], age_max_s: int = 0) -> list[dict[str, str]]:
        return self._read("certificate_gaps", tables, age_max_s)

    def waves(self, group: str = "") -> list[dict[str, Any]]:
        """All waves, the oldest first."""
        return [{**one, "report": _parsed(one["report"])} for one in self._read("waves", group)]

    def journal(self, wave: str = "", limit: int = 100) -> list[dict[str, Any]]:
        return [{**one, "detail": _parsed(one["detail"])} for one in self._read("journal", wave, limit)]

    def clients(self, expire_after_s: int = 60) -> list[dict[str, Any]]:
        return self._read("clients", expire_after_s)

    def observed(self, within_s: int) -> dict[str, Any]:
        """The call reports of all clients as one, proposed groups, and writers that the guard of the source saw."""
        found = self._read("observed", within_s)
        return {**_parsed(found.pop("calls")), **found}

    def manifests(self) -> list[dict[str, Any]]:
        return self._read("manifests")
