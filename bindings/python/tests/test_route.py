"""Keys and slots: the same numbers as everywhere else."""

import random
import struct
import uuid

import pytest
import xxhash

import shardway


def slot(canonical: bytes) -> int:
    return xxhash.xxh32(canonical, seed=0).intdigest() & 4095


def part(tag: int, value: bytes) -> bytes:
    return struct.pack(">BI", tag, len(value)) + value


def test_integers():
    numbers = [0, 1, -1, 2**63 - 1, -(2**63)] + [
        random.Random(7).randrange(-(2**63), 2**63) for _ in range(2000)
    ]
    assert shardway.slots_of(numbers) == [slot(struct.pack(">q", number)) for number in numbers]
    assert len(set(shardway.slots_of(list(range(2000))))) > 1000


def test_text_uuid_and_bytes():
    one = uuid.UUID("0190f3c5-7e1b-7c40-9d5b-2f6a54f0b3aa")
    assert shardway.slot_of("Größe") == slot("Größe".encode())
    assert shardway.slot_of(one) == slot(one.bytes)
    assert shardway.slot_of(b"\x00\xff") == slot(b"\x00\xff")


def test_composite():
    key = shardway.ShardKey((7, "de"))
    assert key.bytes == part(1, struct.pack(">q", 7)) + part(2, b"de")
    assert (len(key), key.slot) == (2, slot(key.bytes))
    assert shardway.slot_of([7, "de"]) == key.slot
    assert shardway.ShardKey((7,)) == shardway.ShardKey(7)
    assert key != shardway.ShardKey((7, "at")) and key != 7


def test_from_text_is_what_postgres_shows():
    assert shardway.ShardKey.from_text(["integer"], ["42"]) == shardway.ShardKey(42)
    assert shardway.ShardKey.from_text(["bytea", "text"], ["\\x00ff", "a"]) == shardway.ShardKey(
        (b"\x00\xff", "a")
    )
    with pytest.raises(shardway.ConfigError):
        shardway.ShardKey.from_text(["integer"], ["many"])
    with pytest.raises(shardway.RouteError):
        shardway.ShardKey.from_text(["integer", "text"], ["1"])


@pytest.mark.parametrize("value", [True, 1.5, {}, 2**63, "a\x00b", (1, 2, 3, 4, 5), ()])
def test_what_is_no_key(value):
    with pytest.raises(shardway.ConfigError) as caught:
        shardway.slot_of(value)
    assert caught.value.code == "invalid_argument"


def test_none_is_a_missing_key():
    with pytest.raises(shardway.RouteError) as caught:
        shardway.slot_of(None)
    assert caught.value.code == "shard_key_missing"


def test_repr_shows_no_value():
    assert "secret" not in repr(shardway.ShardKey("secret"))
