"""The catalog on the source: what the controller shows of itself, and how it is asked for something."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

from . import _core
from .migration import Migration


def _parsed(text: str) -> Any:
    return json.loads(text) if text else None


class Catalog:
    """A connection to the catalog. Thread safety: shared use is safe; calls follow one another."""

    def __init__(self, session: "_core.Catalog") -> None:
        self._session = session

    @classmethod
    def open(cls, migration: Migration, role: Optional[str] = None) -> "Catalog":
        return cls(_core.Catalog.open(migration.core.conninfo(migration.engine_role if role is None else role)))

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> "Catalog":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def request(self, kind: str, arguments: Dict[str, Any]) -> int:
        """Asks the controller; the request's number. `result_of` tells what became of it."""
        return self._session.enqueue_request(kind, json.dumps(arguments))

    def result_of(self, request: int) -> Optional[Dict[str, Any]]:
        """id, kind, state (queued, running, done, failed), result, error_code, error_message."""
        found = self._session.find_request(request)
        if found:
            found["arguments"], found["result"] = _parsed(found["arguments"]), _parsed(found["result"])
        return found

    def status(self) -> Dict[str, Dict[str, Any]]:
        """The controller's documents by name, each with its `age_ms`."""
        return {row["name"]: {"age_ms": row["age_ms"], "document": _parsed(row["document"])} for row in self._session.status()}

    def generation_document(self) -> Optional[str]:
        return self._session.generation()

    def generation(self) -> Optional[Dict[str, Any]]:
        """Number, groups, stages and authority of the newest generation; None before manifests were applied."""
        document = self._session.generation()
        return _core.generation_summary(document) if document else None

    def lease(self) -> Optional[Dict[str, Any]]:
        return self._session.lease()

    def is_controller_alive(self) -> bool:
        lease = self.lease()
        return bool(lease and lease["is_alive"])

    def certificates(self, tables: List[str]) -> List[Dict[str, Any]]:
        """The newest certificate of each table that has one."""
        found = [self._session.certificate(table) for table in tables]
        return [{**one, "detail": _parsed(one["detail"])} for one in found if one]

    def certificate_gaps(self, tables: List[str], age_max_s: int = 0) -> List[Dict[str, str]]:
        return self._session.certificate_gaps(tables, age_max_s)

    def waves(self, group: str = "") -> List[Dict[str, Any]]:
        """All waves, the oldest first."""
        return [{**one, "report": _parsed(one["report"])} for one in self._session.waves(group)]

    def journal(self, wave: str = "", limit: int = 100) -> List[Dict[str, Any]]:
        return [{**one, "detail": _parsed(one["detail"])} for one in self._session.journal(wave, limit)]

    def clients(self, expire_after_s: int = 60) -> List[Dict[str, Any]]:
        return self._session.clients(expire_after_s)

    def manifests(self) -> List[Dict[str, Any]]:
        return self._session.manifests()
