"""Short forms for plain SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg


def value_of(connection: psycopg.Connection, sql: str, parameters: Sequence[Any] = ()) -> Any:
    """The first column of the first row. Raises LookupError if there is no row."""
    row = connection.execute(sql, parameters).fetchone()
    if row is None:
        raise LookupError(f"no row for: {sql}")
    return row[0]
