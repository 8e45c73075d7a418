"""Compares what the clients saw with what is there in the end: pure functions, no database.

Each check has a name, the number of things it looked at, and digests of those that are wrong. A check holds
only if it looked at something.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

LIST, REGISTER, CHILD, REFERENCE = "list", "register", "child", "reference"


@dataclass(frozen=True)
class Table:
    group: str
    kind: str
    key: tuple[str, ...]
    shard_key: str
    counter: str = ""  # the column that each operation adds to
    initial: int = 0  # its value before the load began
    register: str = ""  # expression of the operation that last set the value
    generated: bool = False  # rows were there before the load began
    parent: str = ""  # of a child: the column that names the parent


TABLES: dict[str, Table] = {
    "shop.orders": Table("sales", LIST, ("id",), "customer_id", counter="paid_cents"),
    "shop.order_items": Table("sales", CHILD, ("id",), "customer_id", parent="order_id"),
    "shop.payments": Table("sales", CHILD, ("id", "created_at"), "customer_id", parent="order_id"),
    "shop.order_documents": Table(
        "sales",
        LIST,
        ("id",),
        "customer_id",
        counter="revision",
        initial=1,
        register="(document ->> 'op')::bigint",
        generated=True,
    ),
    "shop.outbox_events": Table("sales", REGISTER, ("id",), "customer_id", register="operation"),
    "shop.inventory": Table(
        "stock", LIST, ("sku",), "sku", counter="quantity", initial=100000, generated=True
    ),
    "shop.stock_movements": Table("stock", CHILD, ("id",), "sku", parent="sku"),
    "shop.reservations": Table("stock", REGISTER, ("id",), "sku", register="operation"),
    "shop.customers": Table(
        "crm", LIST, ("id",), "id", counter="loyalty_points", initial=500, generated=True
    ),
    "shop.customer_addresses": Table(
        "crm", REGISTER, ("id",), "customer_id", register="operation", generated=True
    ),
    "shop.currencies": Table("catalogue", REFERENCE, ("code",), ""),
}


@dataclass
class Row:
    """A row as the authority has it: operations in order, the counter, the operation that last set it."""

    operations: list[int] = field(default_factory=list)
    counter: int = 0
    register: int = 0


@dataclass
class Contents:
    """Final contents of the authorities by table: rows by key; for child tables row counts by operation."""

    rows: dict[str, dict[Any, Row]] = field(default_factory=lambda: defaultdict(dict))
    children: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))


@dataclass
class Check:
    evidence: int = 0
    wrong: list[str] = field(default_factory=list)
    detail: str = ""

    @property
    def holds(self) -> bool:
        return self.evidence > 0 and not self.wrong

    def blame(self, *what: object) -> None:
        self.wrong.append(hashlib.sha256("/".join(map(str, what)).encode()).hexdigest()[:12])


class Checks(dict[str, Check]):
    def __missing__(self, name: str) -> Check:
        self[name] = Check()
        return self[name]


@dataclass
class Operation:
    """All attempts at one operation number."""

    number: int
    invoke: int
    end: float
    outcome: str
    effects: list[dict]


def operations_of(lines: Iterable[dict]) -> dict[int, Operation]:
    found: dict[int, Operation] = {}
    rank = {"fail": 0, "in_doubt": 1, "ok": 2}
    for line in lines:
        if not line["op"]:
            continue
        held = found.get(line["op"])
        if held is None:
            found[line["op"]] = Operation(
                line["op"], line["invoke"], line["end"], line["outcome"], line["effects"]
            )
            continue
        held.invoke, held.end = min(held.invoke, line["invoke"]), max(held.end, line["end"])
        if rank[line["outcome"]] >= rank[held.outcome]:
            held.outcome, held.effects = line["outcome"], line["effects"]
    for one in found.values():
        if one.outcome == "in_doubt":
            one.end = float("inf")  # it may still take effect
    return found


UNANSWERED_SHARE = 0.01  # of all calls; the clients of a service would bear no more


def judge_calls(lines: list[dict], checks: Checks) -> None:
    """At most one call in a hundred may fail or stay in doubt: the users of the shop would notice more."""
    calls = checks["calls_answered"]
    unanswered = [line for line in lines if line["outcome"] != "ok"]
    calls.evidence = len(lines)
    failed = Counter("write" if line["op"] else "read" for line in unanswered if line["outcome"] == "fail")
    in_doubt = len(unanswered) - failed.total()
    calls.detail = f"{failed['write']} writes and {failed['read']} reads failed, {in_doubt} in doubt"
    if len(unanswered) > UNANSWERED_SHARE * len(lines):
        for line in unanswered:
            calls.blame(line["thread"], line["invoke"])


def judge(lines: list[dict], contents: Contents, tables: dict[str, Table] = TABLES) -> Checks:
    checks = Checks()
    operations = operations_of(lines)
    by_row: dict[str, dict[Any, list[tuple[Operation, dict]]]] = defaultdict(lambda: defaultdict(list))
    for one in sorted(operations.values(), key=lambda o: o.invoke):
        for effect in one.effects:
            if effect["do"] != "child":
                by_row[effect["table"]][effect["key"]].append((one, effect))
    for name, table in tables.items():
        rows = contents.rows.get(name, {})
        if table.kind == LIST:
            for key in by_row[name].keys() | rows.keys():
                _judge_list(checks, name, table, key, by_row[name].get(key, []), rows.get(key))
        elif table.kind == REGISTER:
            for key in by_row[name].keys() | rows.keys():
                _judge_register(checks, name, table, key, by_row[name].get(key, []), rows.get(key))
    _judge_children(checks, operations, contents)
    _judge_reads(checks, lines, contents)
    _judge_writers(checks, lines)
    _judge_affected(checks, lines)
    return checks


def _judge_list(checks: Checks, name: str, table: Table, key: Any, events: list, row: Row | None) -> None:
    deletes = [one for one, effect in events if effect["do"] == "delete"]
    adds = {one.number: (one, effect) for one, effect in events if effect["do"] != "delete"}
    is_deleted = any(one.outcome == "ok" for one in deletes)
    checks["resurrected"].evidence += is_deleted
    if is_deleted:
        if row is not None:
            checks["resurrected"].blame(name, key)
        return
    if row is None and any(one.outcome == "in_doubt" for one in deletes):
        return
    counts = Counter(row.operations if row else [])
    for number, (one, _) in adds.items():
        checks["lost"].evidence += one.outcome == "ok"
        checks["duplicated"].evidence += one.outcome != "fail"
        checks["ghost"].evidence += 1
        if one.outcome == "ok" and counts[number] == 0:
            checks["lost"].blame(name, key, number)
        if counts[number] > 1:
            checks["duplicated"].blame(name, key, number)
    for number in counts:
        if number not in adds or adds[number][0].outcome == "fail":
            checks["ghost"].blame(name, key, number)
    if row is not None:
        _judge_order(checks, name, key, row, adds)
        _judge_sum(checks, name, table, key, row, adds)


def _judge_order(checks: Checks, name: str, key: Any, row: Row, adds: dict) -> None:
    newest_start = float("-inf")
    for number in row.operations:
        if number not in adds:
            continue
        one = adds[number][0]
        checks["order"].evidence += newest_start > float("-inf")
        if one.end < newest_start:  # it had ended before one that precedes it here began
            checks["order"].blame(name, key, number)
        newest_start = max(newest_start, one.invoke)


def _judge_sum(checks: Checks, name: str, table: Table, key: Any, row: Row, adds: dict) -> None:
    amounts = [adds[number][1].get("add", 0) for number in row.operations if number in adds]
    excess = row.counter - table.initial - sum(amounts)
    checks["doubled_increment"].evidence += len(amounts)
    checks["wrong_sum"].evidence += len(amounts)
    if excess != 0:
        checks["doubled_increment" if excess in amounts else "wrong_sum"].blame(name, key)
    if table.register:
        setters = [number for number in row.operations if number in adds and adds[number][1].get("sets")]
        checks["stale_value"].evidence += len(setters)
        if row.register != (setters[-1] if setters else 0):
            checks["stale_value"].blame(name, key)


def _judge_register(checks: Checks, name: str, table: Table, key: Any, events: list, row: Row | None) -> None:
    states: set[int | None] = {0 if table.generated else None}
    lingering: set[int | None] = set()
    past: set[int | None] = set(states)
    for one, effect in events:
        state = None if effect["do"] == "delete" else one.number
        checks["lost"].evidence += one.outcome == "ok" and state is not None
        checks["resurrected"].evidence += one.outcome == "ok" and state is None
        checks["stale_value"].evidence += one.outcome == "ok" and effect["do"] == "set"
        if one.outcome == "ok":
            states = {state}
        elif one.outcome == "in_doubt":
            states, lingering = states | {state}, lingering | {state}
        if one.outcome != "fail":
            past.add(state)
    final = row.register if row else None
    if final in states | lingering:
        return
    if final is None:
        checks["lost"].blame(name, key)
    elif final not in past:
        checks["ghost"].blame(name, key)
    else:
        checks["resurrected" if states == {None} else "stale_value"].blame(name, key)


def _judge_children(checks: Checks, operations: dict[int, Operation], contents: Contents) -> None:
    known: dict[str, set[int]] = defaultdict(set)
    for one in operations.values():
        for effect in one.effects:
            if effect["do"] != "child":
                continue
            table = effect["table"]
            known[table].add(one.number)
            parent = contents.rows.get(effect["parent_table"], {}).get(effect["parent"])
            wanted = effect["count"] if parent and one.number in parent.operations else 0
            found = contents.children.get(table, Counter())[one.number]
            checks["lost"].evidence += one.outcome == "ok"
            if found < wanted:
                checks["lost"].blame(table, one.number)
            elif found > wanted:
                checks["duplicated" if wanted else "ghost" if one.outcome == "fail" else "resurrected"].blame(
                    table, one.number
                )
    for table, counts in contents.children.items():
        for number in counts.keys() - known[table]:
            checks["ghost"].blame(table, number)


def _judge_reads(checks: Checks, lines: list[dict], contents: Contents) -> None:
    seen: dict[tuple, int] = {}
    for line in sorted(
        (line for line in lines if not line["op"] and line["outcome"] == "ok"),
        key=lambda line: line["invoke"],
    ):
        own = line["consistency"] == "read_your_writes" and (line["must_see"] or line["must_be_gone"])
        if own:
            checks["read_your_writes"].evidence += 1
            checks["lagging_replica_reads"].evidence += (
                line["node"] == "source_replica" and line["replica_lags"]
            )
            if line["violation"]:
                checks["read_your_writes"].blame(line["table"], line["row"], line["invoke"])
        if TABLES[line["table"]].kind != LIST or not line["saw_row"]:
            continue
        length = line["saw_length"]
        key = line["row"] if line["table"] == "shop.inventory" else int(line["row"])
        row = contents.rows.get(line["table"], {}).get(key)
        if row is not None and length > 0:
            checks["reads_are_prefixes"].evidence += 1
            if len(row.operations) < length or row.operations[length - 1] != line["saw_last"]:
                checks["reads_are_prefixes"].blame(line["table"], key, line["invoke"])
        if line["kind"] == "read_back":
            session = (line["thread"], line["table"], key)
            checks["reads_never_go_back"].evidence += session in seen
            if length < seen.get(session, 0):
                checks["reads_never_go_back"].blame(*session, line["invoke"])
            seen[session] = length


def _judge_writers(checks: Checks, lines: list[dict]) -> None:
    """One node a slot and epoch, and epochs only grow in real time."""
    nodes: dict[tuple, set[str]] = defaultdict(set)
    by_slot: dict[tuple, list[dict]] = defaultdict(list)
    for line in lines:
        if line["op"] and line["outcome"] == "ok" and line["epoch"] > 0:
            nodes[line["group"], line["slot"], line["epoch"]].add(line["node"])
            by_slot[line["group"], line["slot"]].append(line)
    for where, found in nodes.items():
        checks["one_writer"].evidence += 1
        if len(found) > 1:
            checks["one_writer"].blame(*where)
    for where, writes in by_slot.items():
        ended = sorted(writes, key=lambda line: line["end"])
        newest, at = 0, 0
        for line in sorted(writes, key=lambda line: line["invoke"]):
            while ended[at]["end"] < line["invoke"]:
                newest, at = max(newest, ended[at]["epoch"]), at + 1
            if line["epoch"] < newest:
                checks["one_writer"].blame(*where, line["op"])


def _judge_affected(checks: Checks, lines: list[dict]) -> None:
    """An acknowledged operation changes the rows it names. Only this sees a row lost before its delete."""
    changed, short = checks["changed_something"], []
    for line in lines:
        if not line["op"] or line["outcome"] != "ok" or line["answer_lost"]:
            continue
        if line["kind"] == "sell" and line["attempt"] > 0:
            continue  # an earlier attempt may have done it
        changed.evidence += 1
        if line["affected"] < max(1, sum(effect.get("count", 1) for effect in line["effects"])):
            changed.blame(line["kind"], line["op"])
            short.append(f"{line['kind']} {line['op']}")
    if short:
        changed.detail = "rows missing under: " + ", ".join(short[:10])
