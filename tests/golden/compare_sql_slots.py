"""Compares the slots a server computes with those of the PyPI package xxhash, over 100,000 keys of each type.

    python tests/golden/compare_sql_slots.py "<conninfo of a server with slot_of installed>" [keys per type]

Ends with status 1 if any differs, naming the type and how many.
"""

import random
import sys
import uuid

import psycopg
import xxhash
from make_slots import canonical, composite

SQL_TYPES = {
    "smallint": "smallint",
    "integer": "integer",
    "bigint": "bigint",
    "text": "text",
    "varchar": "character varying",
    "uuid": "uuid",
    "bytea": "bytea",
}


def keys(rng, kind, count):
    if kind in ("smallint", "integer", "bigint"):
        bits = {"smallint": 16, "integer": 32, "bigint": 64}[kind]
        return [str(rng.randint(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)) for _ in range(count)]
    if kind == "uuid":
        return [str(uuid.UUID(int=rng.getrandbits(128))) for _ in range(count)]
    if kind == "bytea":
        return ["\\x" + rng.randbytes(rng.randint(0, 40)).hex() for _ in range(count)]
    alphabet = "abcxyz0189 -_äßé日🛒'\"\\"
    return ["".join(rng.choice(alphabet) for _ in range(rng.randint(0, 24))) for _ in range(count)]


def slot(data):
    return xxhash.xxh32_intdigest(data, 0) & 4095


def compare(connection, kind, values):
    sql_type = SQL_TYPES[kind]
    plain = "text" if kind == "varchar" else kind
    rows = connection.execute(
        f"SELECT shardway.slot_of(k), shardway.slot_of_parts(shardway.key_part(k), shardway.key_part(i)) "
        f"FROM unnest(%s::{sql_type}[]) WITH ORDINALITY AS t(k, i) ORDER BY i",
        (values,),
    ).fetchall()
    wrong = 0
    for position, (text, found) in enumerate(zip(values, rows, strict=False), start=1):
        pair = slot(composite([(plain, text), ("bigint", str(position))]))
        wrong += found != (slot(canonical(plain, text)), pair)
    return wrong + abs(len(rows) - len(values))


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    rng = random.Random(1)
    failed = False
    with psycopg.connect(sys.argv[1]) as connection:
        for kind in SQL_TYPES:
            wrong = compare(connection, kind, keys(rng, kind, count))
            print(f"{kind}: {count} keys, {wrong} different")
            failed = failed or wrong > 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
