"""Rows as Python values, with the names that DB-API 2.0 (PEP 249) gives to reading them."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Callable


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _or_text(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """What Python's type has no value for (infinity, years before 1 or after 9999) stays text."""

    def converted(text: str) -> Any:
        try:
            return convert(text)
        except ValueError:
            return text

    return converted


def _timestamp(text: str) -> datetime.datetime:
    # Sessions are in UTC and ISO: only "+00" needs to be written out for Python before 3.11.
    if text.endswith("+00"):
        text = text[:-3] + "+00:00"
    if "." in text:
        whole, _, rest = text.partition(".")
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))] if rest.lstrip("0123456789") else rest
        text = f"{whole}.{digits:0<6}{rest[len(digits) :]}"
    return datetime.datetime.fromisoformat(text)


def _time(text: str) -> datetime.time:
    whole, dot, digits = text.partition(".")
    return datetime.time.fromisoformat(f"{whole}.{digits:0<6}" if dot else whole)


# By the type's OID in pg_type: numbers that never change.
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
    """The function from PostgreSQL's text form to Python's value; ``None``: the text itself (arrays, intervals, enums, ranges ...)."""
    return _CONVERTERS.get(type_oid)


class Rows(list[dict[str, Any]]):
    """Rows as dicts by column name; give columns distinct names.

    int, bool, float, Decimal, bytes, date, time, datetime, UUID and JSON's values are Python's own; NULL is ``None``; everything else is text.
    ``fetchone``, ``fetchmany`` and ``fetchall`` read on from where the last of them ended and give tuples, as DB-API does.
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
        """How many rows there are."""
        return len(self)

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, or ``None`` after the last."""
        read = self.fetchmany(1)
        return read[0] if read else None

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        """Up to ``size`` more rows."""
        read = self[self._next : self._next + size]
        self._next += len(read)
        return [tuple(row.values()) for row in read]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that have not been fetched."""
        return self.fetchmany(len(self))
