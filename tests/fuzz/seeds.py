"""Makes the inputs that the fuzz targets begin with. Most are what other tests use already."""

import re
import struct
from pathlib import Path

STATEMENT = re.compile(
    r'"((?:INSERT|UPDATE|DELETE|SELECT|WITH|VALUES|insert|update|select)\b(?:\\.|[^"\\\n])*)"'
)
FENCED = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)
RAW_TEXT = re.compile(r'R"\((.*?)\)"', re.DOTALL)
PROTO_WORD = re.compile(r"\b([A-Z][A-Z_]+|[a-z][a-z_]+) = \d+;")
# Pieces of SQL that random bytes rarely hit.
FRAGMENTS = (
    *("/*", "*/", "--", "$$", "$1", "E'", "U&'", "\\'", "''", ";"),
    *("{slots:a}", " RETURNING ", " FOR UPDATE", " AS ", "ON CONFLICT"),
)
NO_DEFAULTS = b"""api_version: 1 table: "a.b" group: "g" shard_key: "c" key: "d" stage_until: COPYING
triggers: SOURCE_ONLY capture: TRIGGER dual_write { mode: ASYNC budget_ms: 7 }
ids { strategy: LEASED block: 7 }"""


def statements(root):
    for test in sorted((root / "tests/unit").glob("*/*_test.cpp")):
        for found in STATEMENT.findall(test.read_text()):
            yield found.encode().decode("unicode_escape").encode("latin-1")


def manifests(root):
    yield NO_DEFAULTS
    for file in sorted((root / "examples").glob("*/manifests/*")):
        yield file.read_bytes()
    for text in RAW_TEXT.findall((root / "tests/unit/manifest/samples.hpp").read_text()):
        yield text.encode()
    for page in [root / "docs/MANIFEST.md", *sorted((root / "docs/manifest").glob("M*.md"))]:
        for text in FENCED.findall(page.read_text()):
            yield text.encode()


def generations(root):
    for file in sorted((root / "tests/golden").glob("generation*.json")):
        yield file.read_bytes()


def session_tokens(_root):
    yield b"1:0"
    yield b"1:7;source=5f3b2c1d0e9a8b7c.1.16b374d848"
    yield b"1:ff;source=1.1.ffffffffffffffff;shard0=2.3.10;shard1=4.7fffffff.0"


def c_string(text):
    return text.encode() + b"\0"


def sized(text):
    return struct.pack(">I", len(text)) + text


def pgoutput_messages():
    columns = [(1, "id", 20), (0, "note", 25)]
    relation = (
        b"R"
        + struct.pack(">I", 42)
        + c_string("shop")
        + c_string("orders")
        + b"d"
        + struct.pack(">H", len(columns))
    )
    relation += b"".join(
        struct.pack(">B", flag) + c_string(name) + struct.pack(">Ii", type_oid, -1)
        for flag, name, type_oid in columns
    )
    row = struct.pack(">H", 2) + b"t" + sized(b"7") + b"n"
    changed = struct.pack(">H", 2) + b"t" + sized(b"7") + b"u"
    table = struct.pack(">I", 42)
    return [
        b"B" + struct.pack(">QqI", 16, 5, 777),
        relation,
        b"I" + table + b"N" + row,
        b"U" + table + b"K" + row + b"N" + changed,
        b"U" + table + b"O" + row + b"N" + row,
        b"D" + table + b"K" + row,
        b"T" + struct.pack(">IB", 1, 3) + table,
        b"M" + struct.pack(">BQ", 1, 24) + c_string("shardway") + sized(b"content"),
        b"Y" + table + c_string("shop") + c_string("state"),
        b"O" + struct.pack(">Q", 8) + c_string("origin"),
        b"C" + struct.pack(">BQQq", 0, 16, 24, 5),
    ]


def pgoutput_streams(_root):
    """As the target reads them: two bytes of length before each message."""
    yield b"".join(struct.pack(">H", len(message)) + message for message in pgoutput_messages())


def binary_copies(_root):
    """As the target reads them: the stream, then a byte for the size of a piece and one for the columns."""
    header = b"PGCOPY\n\xff\r\n\0" + struct.pack(">II", 0, 0)
    row = struct.pack(">H", 3) + sized(struct.pack(">I", 7)) + struct.pack(">i", -1) + sized(b"text")
    yield header + row + row + struct.pack(">h", -1) + bytes([6, 2])
    yield header + struct.pack(">h", -1) + bytes([0, 0])


def shard_keys(_root):
    yield b"-7\\\1\x03"
    yield b"key\\\1\x03\xc3\xa9\\\1\x03"
    yield b"123e4567-e89b-12d3-a456-426614174000\\\1\x04\\x00ff\\\1\x05"


SEEDS = {
    "statement": statements,
    "manifest": manifests,
    "generation": generations,
    "session_token": session_tokens,
    "pgoutput": pgoutput_streams,
    "binary_copy": binary_copies,
    "shard_key": shard_keys,
}


def write_seeds(root, target, folder):
    """Fills the folder and returns how many inputs it has."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = sorted(set(SEEDS[target](root)))
    for number, seed in enumerate(seeds):
        (folder / f"seed_{number:03}").write_bytes(seed)
    return len(seeds)


def words(root, target):
    """What the target's mutations may put in as a whole."""
    if target == "statement":
        return FRAGMENTS
    names = PROTO_WORD.findall((root / "lib/manifest/manifest.proto").read_text())
    if target == "generation":  # its names are in lowerCamelCase
        names = [re.sub(r"(?<=[a-z])_(.)", lambda found: found[1].upper(), name) for name in names]
    return sorted(set(names)) if target in ("manifest", "generation") else ()


def write_dictionary(root, target, file):
    """In libFuzzer's form; whether there is anything in it."""
    lines = [
        '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"\n' for word in words(root, target)
    ]
    Path(file).write_text("".join(lines))
    return bool(lines)
