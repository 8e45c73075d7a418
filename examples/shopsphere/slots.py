"""The checker's own way from a shard key to its slot and shard, proved against the golden file before use."""

from __future__ import annotations

import json
import uuid
from functools import lru_cache
from pathlib import Path

import xxhash

SLOTS = 4096
GOLDEN = Path(__file__).resolve().parents[2] / "tests/golden/slots.json"


def canonical(value: int | str | uuid.UUID | bytes) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(8, "big", signed=True)
    if isinstance(value, uuid.UUID):
        return value.bytes
    return value.encode() if isinstance(value, str) else bytes(value)


@lru_cache(maxsize=1 << 17)
def slot_of(value: int | str | uuid.UUID | bytes) -> int:
    return xxhash.xxh32_intdigest(canonical(value)) % SLOTS


def shard_of(slot: int, shards: int) -> int:
    """Shard i of n has [4096 i / n, 4096 (i + 1) / n)."""
    return next(i for i in range(shards) if SLOTS * i // shards <= slot < SLOTS * (i + 1) // shards)


def from_text(kind: str, text: str) -> int | str | uuid.UUID | bytes:
    if kind in ("smallint", "integer", "bigint"):
        return int(text)
    if kind == "uuid":
        return uuid.UUID(text)
    return bytes.fromhex(text.removeprefix("\\x")) if kind == "bytea" else text


def prove(golden: Path = GOLDEN) -> int:
    """Compares this module with the golden vectors of one column and counts them. Raises if one differs."""
    compared = 0
    for vector in json.loads(golden.read_text()):
        if len(vector["columns"]) != 1:
            continue
        column = vector["columns"][0]
        value = from_text(column["type"], column["text"])
        if canonical(value).hex() != vector["canonical"] or slot_of(value) != vector["slot"]:
            raise AssertionError(
                f"the slot of a {column['type']} differs from {golden}: the checker would prove nothing"
            )
        compared += 1
    if compared == 0:
        raise AssertionError(f"{golden} holds no vectors")
    return compared
