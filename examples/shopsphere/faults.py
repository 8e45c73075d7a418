"""Faults for databases that are right. The checker must find each by its name.

Each is a context: the fault exists inside it and is gone afterwards. Precondition: nothing else writes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import slots

AS_ENGINE = "-c session_replication_role=replica -c shardway.writer=fault"
Fault = Callable[[list[str], list[dict]], contextlib.AbstractContextManager[None]]


def shard_of(shards: list[str], key: Any) -> str:
    return shards[slots.shard_of(slots.slot_of(key), len(shards))]


def run(conninfo: str, *statements: tuple[str, list]) -> None:
    with psycopg.connect(conninfo, options=AS_ENGINE) as connection:
        for sql, parameters in statements:
            if connection.execute(sql, parameters).rowcount == 0:
                raise LookupError(f"the fault found no row: {sql}")


def acknowledged(lines: list[dict], table: str, what: str) -> Iterator[tuple[Any, dict, dict]]:
    """(row key, line, effect) of acknowledged operations, the last first."""
    for line in reversed(lines):
        for effect in line.get("effects", ()):
            if line["outcome"] == "ok" and effect["table"] == table and effect["do"] == what:
                yield effect["key"], line, effect


@contextlib.contextmanager
def kept_row(conninfo: str, table: str, where: str, key: Any) -> Iterator[None]:
    """Puts the row back as it was. For tables without generated columns."""
    with psycopg.connect(conninfo, options=AS_ENGINE, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS pg_temp.kept")
        connection.execute(f"CREATE TEMPORARY TABLE kept AS SELECT * FROM {table} WHERE {where} = '{key}'")
        try:
            yield
        finally:
            with connection.transaction():
                connection.execute(f"DELETE FROM {table} WHERE {where} = %s", [key])
                connection.execute(f"INSERT INTO {table} SELECT * FROM kept")


@contextlib.contextmanager
def lost_row(shards: list[str], lines: list[dict]) -> Iterator[None]:
    sku, _, _ = next(acknowledged(lines, "shop.inventory", "append"))
    with kept_row(shard_of(shards, sku), "shop.inventory", "sku", sku):
        run(shard_of(shards, sku), ("DELETE FROM shop.inventory WHERE sku = %s", [sku]))
        yield


@contextlib.contextmanager
def doubled_increment(shards: list[str], lines: list[dict]) -> Iterator[None]:
    customer, _, effect = next(acknowledged(lines, "shop.customers", "append"))
    with kept_row(shard_of(shards, customer), "shop.customers", "id", customer):
        run(
            shard_of(shards, customer),
            (
                "UPDATE shop.customers SET loyalty_points = loyalty_points + %s WHERE id = %s",
                [effect["add"], customer],
            ),
        )
        yield


@contextlib.contextmanager
def stale_value(shards: list[str], lines: list[dict]) -> Iterator[None]:
    document, line, _ = next(
        found for found in acknowledged(lines, "shop.order_documents", "append") if found[2]["sets"]
    )
    shard = shard_of(shards, line["key"])
    with kept_row(shard, "shop.order_documents", "id", document):
        run(
            shard,
            (
                "UPDATE shop.order_documents SET document = jsonb_set(document, '{op}', '0') WHERE id = %s",
                [document],
            ),
        )
        yield


@contextlib.contextmanager
def resurrected_row(shards: list[str], lines: list[dict]) -> Iterator[None]:
    order, line, _ = next(acknowledged(lines, "shop.orders", "delete"))
    shard = shard_of(shards, line["key"])
    run(
        shard,
        (
            "INSERT INTO shop.orders (id, customer_id, reference, net) VALUES (%s, %s, gen_random_uuid(), 1)",
            [order, line["key"]],
        ),
    )
    try:
        yield
    finally:
        run(shard, ("DELETE FROM shop.orders WHERE id = %s", [order]))


@contextlib.contextmanager
def misplaced_row(shards: list[str], lines: list[dict]) -> Iterator[None]:
    sku, _, _ = next(acknowledged(lines, "shop.inventory", "append"))
    here = shard_of(shards, sku)
    other = next(shard for shard in shards if shard != here)
    columns = "sku, warehouse, quantity, operations, price, attributes, updated_at"
    with psycopg.connect(here) as connection:
        row = connection.execute(
            "SELECT sku, warehouse, quantity, operations, price, attributes::text, updated_at "
            "FROM shop.inventory WHERE sku = %s",
            [sku],
        ).fetchone()
    assert row
    run(other, (f"INSERT INTO shop.inventory ({columns}) VALUES (%s, %s, %s, %s, %s, %s, %s)", list(row)))
    try:
        yield
    finally:
        run(other, ("DELETE FROM shop.inventory WHERE sku = %s", [sku]))


#: By the name under which the checker must report each.
FAULTS: dict[str, Fault] = {
    "lost": lost_row,
    "doubled_increment": doubled_increment,
    "stale_value": stale_value,
    "resurrected": resurrected_row,
    "misplaced": misplaced_row,
}
