"""Rows as Python values, with the reading methods of DB-API 2.0 (PEP 249)."""

from __future__ import annotations

import datetime
import json
import re
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Callable


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _or_text(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """Keep the text where Python has no value: infinity, years before 1 or after 9999."""

    def converted(text: str) -> Any:
        try:
            return convert(text)
        except ValueError:
            return text

    return converted


def _with_microseconds(text: str) -> str:
    """Write all six digits of a fraction, as Python before 3.11 demands."""
    return re.sub(r"\.(\d+)", lambda found: f".{found[1]:0<6}", text)


def _timestamp(text: str) -> datetime.datetime:
    # Sessions are in UTC and ISO. Python before 3.11 does not know "+00".
    return datetime.datetime.fromisoformat(_with_microseconds(re.sub(r"\+00$", "+00:00", text)))


def _time(text: str) -> datetime.time:
    return datetime.time.fromisoformat(_with_microseconds(text))


# By the OID of the type in pg_type: these numbers never change.
_CONVERTERS: dict[int, Callable[[str], Any]] = {
    16: lambda text: text == "t",
    17: _bytes,
    20: int,
    21: int,
    23: int,
    26: int,
    114: json.loads,
    3802: json.loads,
    700: float,
    701: float,
    1082: _or_text(datetime.date.fromisoformat),
    1083: _or_text(_time),
    1114: _or_text(_timestamp),
    1184: _or_text(_timestamp),
    1700: Decimal,
    2950: uuid.UUID,
}


def converter_of(type_oid: int) -> Callable[[str], Any] | None:
    """Return the function from PostgreSQL's text form to a Python value, or None if the value stays text.

    Arrays, intervals, enums and ranges stay text.
    """
    return _CONVERTERS.get(type_oid)


class Rows(list[dict[str, Any]]):
    """Rows as dicts by column name. Give each column a name of its own.

    bool, int, float, Decimal, bytes, date, time, datetime, UUID and JSON become Python values. NULL becomes
    ``None``. All other types stay text. ``fetchone``, ``fetchmany`` and ``fetchall`` return tuples, as DB-API
    does; each continues where the last one ended.
    """

    def __init__(
        self, rows: Sequence[dict[str, Any]] = (), description: Sequence[tuple[str, int]] = ()
    ) -> None:
        super().__init__(rows)
        #: (name, type OID, None, None, None, None, None) for each column.
        self.description: list[tuple[Any, ...]] = [
            (name, oid, None, None, None, None, None) for name, oid in description
        ]
        self._next = 0

    @property
    def rowcount(self) -> int:
        """The number of rows."""
        return len(self)

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row, or ``None`` after the last."""
        read = self.fetchmany(1)
        return read[0] if read else None

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        """Return up to ``size`` more rows."""
        read = self[self._next : self._next + size]
        self._next += len(read)
        return [tuple(row.values()) for row in read]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows that are not yet fetched."""
        return self.fetchmany(len(self))
