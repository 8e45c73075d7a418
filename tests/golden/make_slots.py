"""Makes slots.json: shard keys with canonical bytes, hash and slot, independently of the library.

    python tests/golden/make_slots.py > tests/golden/slots.json

It needs the PyPI package xxhash. The file is frozen: test_slots.py checks that its bytes stay the same.
"""

import json
import random
import struct
import sys
import uuid

import xxhash

TAGS = {"smallint": 1, "integer": 1, "bigint": 1, "text": 2, "character varying": 2, "uuid": 3, "bytea": 4}
WIDTHS = {"smallint": 16, "integer": 32, "bigint": 64}


def canonical(kind, text):
    """The canonical bytes of one column from PostgreSQL's text form."""
    if kind in WIDTHS:
        return struct.pack(">q", int(text))
    if kind == "uuid":
        return uuid.UUID(text).bytes
    if kind == "bytea":
        return bytes.fromhex(text[2:])
    return text.encode("utf-8")


def composite(parts):
    out = b""
    for kind, text in parts:
        value = canonical(kind, text)
        out += struct.pack(">BI", TAGS[kind], len(value)) + value
    return out


def vector(parts):
    data = canonical(*parts[0]) if len(parts) == 1 else composite(parts)
    hashed = xxhash.xxh32_intdigest(data, 0)
    return {
        "columns": [{"type": kind, "text": text} for kind, text in parts],
        "canonical": data.hex(),
        "xxh32": hashed,
        "slot": hashed & 4095,
    }


def integers(rng, kind):
    bits = WIDTHS[kind]
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    fixed = [0, 1, -1, 2, 7, 42, 100, 255, 256, -256, 4095, 4096, 32767, -32768, low, high, low + 1, high - 1]
    return [str(v) for v in fixed] + [str(rng.randint(low, high)) for _ in range(30)]


def texts(rng):
    fixed = [
        "",
        " ",
        "a",
        "A",
        "ab",
        "abc",
        "abcd",
        "abcde",
        "customer-1",
        "Ä",
        "ä",
        "straße",
        "日本語",
        "🛒",
        "a\u0301",
        "á",
        "x\ty",
        "it's",
        'say "hi"',
        "back\\slash",
        "42",
        "-1",
        "null",
        "\u007f",
        "\u0080",
        "\uffff",
        "\U0010ffff",
    ]
    sized = [
        "".join(rng.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(n))
        for n in (
            7,
            8,
            9,
            11,
            12,
            13,
            15,
            16,
            17,
            19,
            20,
            31,
            32,
            33,
            39,
            40,
            41,
            47,
            48,
            63,
            64,
            65,
            100,
            255,
            1000,
            8192,
        )
    ]
    return fixed + sized


def uuids(rng):
    fixed = [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    ]
    return fixed + [str(uuid.UUID(int=rng.getrandbits(128))) for _ in range(40)]


def byteas(rng):
    sizes = [*range(37), 63, 64, 65, 127, 128, 129, 300]
    return ["\\x" + rng.randbytes(n).hex() for n in sizes]


def composites(rng, single):
    fixed = [
        [("bigint", "1"), ("bigint", "2")],
        [("bigint", "2"), ("bigint", "1")],
        [("text", "a"), ("text", "bc")],
        [("text", "ab"), ("text", "c")],
        [("text", ""), ("text", "")],
        [("integer", "1"), ("text", "1")],
        [("bytea", "\\x"), ("text", "")],
    ]
    kinds = sorted(single)
    for columns in (2, 3, 4):
        for _ in range(14):
            chosen = [rng.choice(kinds) for _ in range(columns)]
            fixed.append([(kind, rng.choice(single[kind])) for kind in chosen])
    return fixed


def make():
    rng = random.Random(20240229)
    single = {kind: integers(rng, kind) for kind in WIDTHS}
    single["text"] = texts(rng)
    single["uuid"] = uuids(rng)
    single["bytea"] = byteas(rng)
    vectors = [vector([(kind, text)]) for kind, values in single.items() for text in values]
    vectors += [vector(parts) for parts in composites(rng, single)]
    return vectors


def main():
    lines = ",\n".join(json.dumps(v) for v in make())
    sys.stdout.write("[\n" + lines + "\n]\n")


if __name__ == "__main__":
    main()
