#!/usr/bin/env python3
"""Compares what the clients of the load saw with what the databases hold. It uses plain SQL, not the library.

    checker.py --log FOLDER --source CONNINFO --shard CONNINFO ... [--finalized GROUP]
               [--authority fences|source|shards] [--settle SECONDS]

Prints one JSON object. The exit code is 0 only if every check holds: it looked at something and found nothing
wrong.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import slots
from judge import CHILD, REFERENCE, REGISTER, TABLES, Checks, Contents, Row, Table, judge, judge_calls
from queries import value_of

SETTINGS = (
    "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=3 "
    "-c bytea_output=hex -c search_path=pg_catalog"
)
INTEGER_KEYS = ("id", "customer_id")
ENGINE_CHECKS = ("duplicates_counted", "outbox_counted", "one_writer", "slots_of_receipts")


@dataclass
class Nodes:
    """Where everything is. `authority` says whose rows count: those the fences name, or those of one side."""

    source: str
    shards: list[str]
    authority: str = "fences"
    finalized: list[str] = field(default_factory=list)

    def all(self) -> dict[str, str]:
        return {"source": self.source} | {f"shard{i}": conninfo for i, conninfo in enumerate(self.shards)}

    def home(self, slot: int) -> str:
        return f"shard{slots.shard_of(slot, len(self.shards))}"


def connect(conninfo: str) -> psycopg.Connection:
    return psycopg.connect(conninfo, options=SETTINGS, autocommit=True, application_name="shopsphere-checker")


def typed(column: str, text: str) -> int | str:
    return int(text) if column in INTEGER_KEYS else text


def read_history(folder: Path) -> list[dict]:
    lines = []
    for file in sorted(folder.glob("client-*.jsonl")):
        with file.open() as stream:
            lines += [json.loads(line) for line in stream]
    return lines


def authorities(nodes: Nodes, checks: Checks) -> dict[str, list[str]]:
    """For each group the node with authority for each slot, as the fences of all nodes say."""
    groups = sorted({table.group for table in TABLES.values() if table.kind != REFERENCE})
    if nodes.authority == "source" or (nodes.authority == "fences" and not nodes.shards):
        return {group: ["source"] * slots.SLOTS for group in groups}
    if nodes.authority == "shards":
        return {group: [nodes.home(slot) for slot in range(slots.SLOTS)] for group in groups}
    open_on = {group: open_fences(nodes, group) for group in groups}
    for group, held in open_on.items():
        for slot, found in enumerate(held):
            checks["one_authority"].evidence += 1
            if len(found) != 1:
                checks["one_authority"].blame(group, slot, *found)
    return {group: [(found or ["nobody"])[0] for found in held] for group, held in open_on.items()}


def open_fences(nodes: Nodes, group: str) -> list[list[str]]:
    """For each slot the nodes whose fence is open for it."""
    open_on: list[list[str]] = [[] for _ in range(slots.SLOTS)]
    for node, conninfo in nodes.all().items():
        with connect(conninfo) as connection:
            if value_of(connection, "SELECT to_regclass(%s)", [f"shardway.fence_{group}"]) is None:
                continue
            ranges = f"SELECT slot_from, slot_to FROM shardway.fence_{group} WHERE is_open"
            for first, last in connection.execute(ranges):
                for slot in range(first, last + 1):
                    open_on[slot].append(node)
    return open_on


def read_contents(nodes: Nodes, held_by: dict[str, list[str]], lines: list[dict]) -> Contents:
    named: dict[str, set] = defaultdict(set)
    for line in lines:
        for effect in line.get("effects", ()):
            if effect["do"] != "child":
                named[effect["table"]].add(effect["key"])
    contents = Contents()
    for node, conninfo in nodes.all().items():
        with connect(conninfo) as connection:
            for name, table in TABLES.items():
                if table.kind != REFERENCE:
                    _read_table(
                        connection,
                        contents,
                        name,
                        table,
                        named[name],
                        functools.partial(_is_held_by, node, held_by[table.group]),
                    )
    return contents


def _is_held_by(node: str, held_by: list[str], shard_key: int | str) -> bool:
    return held_by[slots.slot_of(shard_key)] == node


def _read_table(
    connection: psycopg.Connection,
    contents: Contents,
    name: str,
    table: Table,
    named: set,
    is_owned: Callable[[Any], bool],
) -> None:
    key = table.key[0]
    if value_of(connection, "SELECT to_regclass(%s)", [name]) is None:
        return
    if table.kind == CHILD:
        for shard_key, operation, count in connection.execute(
            f"SELECT {table.shard_key}, operation, count(*) FROM {name} WHERE operation <> 0 GROUP BY 1, 2"
        ):
            if is_owned(shard_key):
                contents.children[name][operation] += count
        return
    keys = [str(one) for one in named]
    if table.kind == REGISTER:
        found = connection.execute(
            f"SELECT {key}::text, {table.shard_key}, {table.register} FROM {name} "
            f"WHERE operation <> 0 OR {key}::text = ANY(%s)",
            [keys],
        )
        for row_key, shard_key, register in found:
            if is_owned(shard_key):
                contents.rows[name][_row_key(name, key, row_key)] = Row(register=register)
        return
    found = connection.execute(
        f"SELECT {key}::text, {table.shard_key}, operations, {table.counter}, {table.register or '0'} "
        f"FROM {name} WHERE operations <> '{{}}' "
        f"OR {table.counter} <> {table.initial if table.generated else 0} "
        f"OR {key}::text = ANY(%s)",
        [keys],
    )
    for row_key, shard_key, operations, counter, register in found:
        if is_owned(shard_key):
            contents.rows[name][_row_key(name, key, row_key)] = Row(operations, counter, register)


def _row_key(name: str, column: str, text: str) -> int | str:
    return text if name == "shop.reservations" else typed(column, text)


def row_sums(conninfo: str, name: str, table: Table, columns: list[str]) -> dict[str, tuple[str, str]]:
    """Of every row: its key -> (shard key, hash of all its columns as text)."""
    listed = ", ".join(f'"{column}"' for column in columns)
    key = " || '/' || ".join(f"{column}::text" for column in table.key)
    row = f"{key}, {table.shard_key or key}, left(md5(ROW({listed})::text), 16)"
    sql = f"COPY (SELECT {row} FROM {name}) TO STDOUT"
    found: dict[str, tuple[str, str]] = {}
    with connect(conninfo) as connection, connection.cursor().copy(sql) as copy:
        rest = b""
        for block in copy:
            *whole, rest = (rest + bytes(block)).split(b"\n")
            for line in whole:
                row_key, shard_key, digest = line.decode().split("\t")
                found[row_key] = (shard_key, digest)
    return found


def columns_of(source: str, name: str) -> list[str]:
    with connect(source) as connection:
        return [
            row[0]
            for row in connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
                "AND NOT attisdropped ORDER BY attnum",
                [name],
            )
        ]


Sums = dict[str, tuple[str, str]]


def compare_table(nodes: Nodes, name: str, table: Table) -> tuple[Checks, int]:
    """Checks the placement of a table's rows, and compares the source with the shards in both directions.

    Returns the checks and how many rows were compared.
    """
    checks = Checks()
    columns = columns_of(nodes.source, name)
    with ThreadPoolExecutor(max_workers=2) as pool:
        jobs = {
            node: pool.submit(row_sums, conninfo, name, table, columns)
            for node, conninfo in nodes.all().items()
        }
        found = {node: job.result() for node, job in jobs.items()}
    source = found.pop("source")
    if table.kind == REFERENCE:
        for rows in found.values():
            compare_sides(checks, name, source, rows, len(rows))
        return checks, len(source)
    seen = check_placement(nodes, checks, name, table, found)
    if table.group not in nodes.finalized:  # the source's copy of a finalized group is not kept up any more
        compare_sides(checks, name, source, seen, len(source))
    return checks, len(source)


def compare_sides(checks: Checks, name: str, source: Sums, rows: Sums, evidence: int) -> None:
    checks["sides_differ"].evidence += evidence
    for key in source.keys() | rows.keys():
        if source.get(key) != rows.get(key):
            checks["sides_differ"].blame(name, key)


def check_placement(nodes: Nodes, checks: Checks, name: str, table: Table, found: dict[str, Sums]) -> Sums:
    """Each row is on the shard of its slot and on no other. Returns the rows of all shards."""
    seen: Sums = {}
    for node, rows in found.items():
        for key, (shard_key, digest) in rows.items():
            checks["misplaced"].evidence += 1
            checks["on_two_shards"].evidence += 1
            if nodes.home(slots.slot_of(typed(table.shard_key, shard_key))) != node:
                checks["misplaced"].blame(name, key)
            if key in seen:
                checks["on_two_shards"].blame(name, key)
            seen[key] = (shard_key, digest)
    return seen


def compare(nodes: Nodes, checks: Checks, settle: float) -> dict[str, int]:
    rows: dict[str, int] = {}
    deadline = time.monotonic() + settle
    for name, table in TABLES.items():
        found, rows[name] = compare_table(nodes, name, table)
        while found["sides_differ"].wrong and time.monotonic() < deadline:
            time.sleep(0.5)  # the streams may still be on their way
            found, rows[name] = compare_table(nodes, name, table)
        for check, one in found.items():
            checks[check].evidence += one.evidence
            checks[check].wrong += one.wrong
    return rows


def count_duplicates(nodes: Nodes, lines: list[dict], checks: Checks) -> dict[str, int]:
    """Compares what the engine counted with receipts and outbox. An unsure receipt leaves room upwards."""
    totals = {"outbox": 0, "duplicates": 0, "healed": 0, "corrected": 0, "foreign_writes": 0}
    for conninfo in nodes.shards:
        with connect(conninfo) as connection:
            for row in connection.execute(
                "SELECT DISTINCT ON (stream) outbox, duplicates, healed, corrected, foreign_writes "
                "FROM shardway.stream_progress ORDER BY stream, id DESC"
            ):
                for name, value in zip(totals, row, strict=True):
                    totals[name] += value
    writes = [line for line in lines if line["op"] and line["outcome"] == "ok"]
    applied = sum(line["captured"] for line in writes if line["dual_write"] == "applied")
    unsure = sum(line["captured"] for line in writes if line["dual_write"] in ("pending", "refused"))
    in_doubt = any(line["op"] and line["outcome"] == "in_doubt" for line in lines)
    counted = checks["duplicates_counted"]
    counted.evidence = applied
    counted.detail = (
        f"receipts say {applied} applied and {unsure} not sure; the streams counted {totals['duplicates']}"
    )
    if totals["duplicates"] < applied or (totals["duplicates"] > applied + unsure and not in_doubt):
        counted.blame("duplicates")
    with connect(nodes.source) as connection:
        written = value_of(connection, "SELECT count(*) FROM shardway.outbox")
    outbox = checks["outbox_counted"]
    outbox.evidence = written
    outbox.detail = (
        f"{written} rows in the outbox; the streams saw {totals['outbox']}: "
        f"{totals['duplicates']} there already, {totals['healed']} healed"
    )
    if written != totals["outbox"] or totals["outbox"] != totals["duplicates"] + totals["healed"]:
        outbox.blame("outbox")
    return totals | {"implied": applied, "unsure": unsure}


def check_slots(lines: list[dict], checks: Checks) -> None:
    for line in lines:
        if line["op"] and line["outcome"] == "ok" and line["slot"] >= 0:
            checks["slots_of_receipts"].evidence += 1
            if slots.slot_of(line["key"]) != line["slot"]:
                checks["slots_of_receipts"].blame(line["group"], line["key"])


def run(nodes: Nodes, log: Path, settle: float = 0, with_engine: bool = True) -> dict[str, Any]:
    started = time.monotonic()
    lines = read_history(log)
    own = Checks()
    own["slots"].evidence = slots.prove()
    held_by = authorities(nodes, own)
    rows = compare(nodes, own, settle) if nodes.shards else {}
    checks = judge(lines, read_contents(nodes, held_by, lines))
    judge_calls(lines, checks)
    checks.update(own)
    totals: dict[str, int] = {}
    if with_engine:
        check_slots(lines, checks)
        totals = count_duplicates(nodes, lines, checks)
    return report(
        checks, lines, rows, totals, expected_checks(nodes, with_engine), time.monotonic() - started
    )


def expected_checks(nodes: Nodes, with_engine: bool) -> list[str]:
    """Each of these must have looked at something. A replica and fences are not everywhere."""
    names = [
        "lost",
        "duplicated",
        "ghost",
        "order",
        "stale_value",
        "resurrected",
        "doubled_increment",
        "wrong_sum",
        "read_your_writes",
        "reads_are_prefixes",
        "reads_never_go_back",
        "changed_something",
        "calls_answered",
        "slots",
    ]
    if nodes.shards:
        names += ["misplaced", "on_two_shards", "sides_differ"]
    return names + (["one_authority", "lagging_replica_reads", *ENGINE_CHECKS] if with_engine else [])


def report(
    checks: Checks,
    lines: list[dict],
    rows: dict[str, int],
    totals: dict[str, int],
    expected: list[str],
    seconds: float,
) -> dict[str, Any]:
    listed = {name: checks[name] for name in expected} | {
        name: check for name, check in checks.items() if check.wrong
    }
    reads = [line for line in lines if not line["op"] and line["outcome"] == "ok"]
    return {
        "holds": all(check.holds for check in listed.values()),
        "checks": {
            name: {
                "result": "pass" if check.holds else "fail",
                "evidence": check.evidence,
                "wrong": len(check.wrong),
                "digests": check.wrong[:20],
                "detail": check.detail or ("" if check.evidence else "nothing was looked at"),
            }
            for name, check in listed.items()
        },
        "acknowledged_writes": len({line["op"] for line in lines if line["op"] and line["outcome"] == "ok"}),
        "in_doubt_writes": sum(1 for line in lines if line["op"] and line["outcome"] == "in_doubt"),
        "failed_writes": sum(1 for line in lines if line["op"] and line["outcome"] == "fail"),
        "failed_reads": sum(1 for line in lines if not line["op"] and line["outcome"] != "ok"),
        "reads": len(reads),
        "replica_reads": sum(line["from_replica"] for line in reads),
        "rows": rows,
        "totals": totals,
        "seconds": round(seconds, 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--shard", action="append", default=[])
    parser.add_argument("--authority", choices=("fences", "source", "shards"), default="fences")
    parser.add_argument("--finalized", action="append", default=[], metavar="GROUP")
    parser.add_argument("--settle", type=float, default=0, metavar="SECONDS")
    parser.add_argument(
        "--without-engine",
        action="store_true",
        help="databases that shardway never saw: no fences, streams or outbox",
    )
    chosen = parser.parse_args()
    nodes = Nodes(chosen.source, chosen.shard, chosen.authority, chosen.finalized)
    found = run(nodes, chosen.log, chosen.settle, not chosen.without_engine)
    json.dump(found, sys.stdout, indent=2)
    print()
    return 0 if found["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
