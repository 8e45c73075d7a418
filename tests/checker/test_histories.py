"""Hand-made histories: each bad one must be rejected by the name of what is wrong, clean ones accepted."""

import pytest
from judge import Checks, Contents, Row, judge, judge_calls
from slots import prove, slot_of


class History:
    """Builds the lines that clients log; time goes on by itself."""

    def __init__(self):
        self.lines, self.clock = [], 0

    def line(self, op, table, key, effects, **more):
        self.clock += 10
        self.lines.append(
            {
                "op": op,
                "thread": 0,
                "kind": "write",
                "table": table,
                "group": "stock",
                "key": key,
                "slot": slot_of(key),
                "invoke": self.clock,
                "end": self.clock + 5,
                "outcome": "ok",
                "epoch": 1,
                "node": "source",
                "effects": effects,
                "dual_write": "none",
                "captured": 0,
                "attempt": 0,
                "affected": sum(effect.get("count", 1) for effect in effects),
                "answer_lost": False,
                **more,
            }
        )
        return self

    def append(self, op, add=1, key="SKU-1", **more):
        return self.line(
            op,
            "shop.inventory",
            key,
            [{"table": "shop.inventory", "key": key, "do": "append", "add": add, "sets": False}],
            **more,
        )

    def document(self, op, sets, **more):
        return self.line(
            op,
            "shop.order_documents",
            7,
            [{"table": "shop.order_documents", "key": 7, "do": "append", "add": 1, "sets": sets}],
            **more,
        )

    def address(self, op, what, **more):
        return self.line(
            op,
            "shop.customer_addresses",
            5,
            [{"table": "shop.customer_addresses", "key": 5, "do": what}],
            group="crm",
            **more,
        )

    def order(self, op, order=64, items=2, **more):
        return self.line(
            op,
            "shop.orders",
            9,
            [
                {"table": "shop.orders", "key": order, "do": "insert"},
                {
                    "table": "shop.order_items",
                    "do": "child",
                    "count": items,
                    "parent_table": "shop.orders",
                    "parent": order,
                },
            ],
            group="sales",
            **more,
        )

    def delete_order(self, op, order=64, **more):
        return self.line(
            op,
            "shop.orders",
            9,
            [{"table": "shop.orders", "key": order, "do": "delete"}],
            group="sales",
            **more,
        )

    def read(self, saw, must_see=0, key="SKU-1", kind="read_back", violation=False, gone=False, **more):
        self.clock += 10
        self.lines.append(
            {
                "op": 0,
                "thread": 0,
                "kind": kind,
                "table": "shop.inventory",
                "group": "stock",
                "key": key,
                "row": key,
                "consistency": "read_your_writes",
                "invoke": self.clock,
                "end": self.clock + 5,
                "outcome": "ok",
                "node": "source",
                "from_replica": False,
                "replica_lags": False,
                "must_see": must_see,
                "must_be_gone": gone,
                "violation": violation,
                "saw_row": saw is not None,
                "saw_length": len(saw or ()),
                "saw_last": (saw or (0,))[-1],
                **more,
            }
        )
        return self


def stock(*operations, quantity=None, key="SKU-1"):
    contents = Contents()
    contents.rows["shop.inventory"][key] = Row(
        list(operations), 100000 + len(operations) if quantity is None else quantity
    )
    return contents


def found(history, contents):
    return {name for name, check in judge(history.lines, contents).items() if check.wrong}


def with_order(present=True, items=2, operations=(1,)):
    contents = Contents()
    if present:
        contents.rows["shop.orders"][64] = Row(list(operations), 0)
    contents.children["shop.order_items"][1] = items
    return contents


def with_address(value):
    contents = Contents()
    if value is not None:
        contents.rows["shop.customer_addresses"][5] = Row(register=value)
    return contents


def with_document(operations, register):
    contents = Contents()
    contents.rows["shop.order_documents"][7] = Row(operations, 1 + len(operations), register)
    return contents


CLEAN = {
    "appends": (History().append(1).append(2), stock(1, 2)),
    "in doubt and there": (History().append(1).append(2, outcome="in_doubt"), stock(1, 2)),
    "in doubt and not there": (History().append(1).append(2, outcome="in_doubt"), stock(1)),
    "failed and not there": (History().append(1).append(2, outcome="fail"), stock(1)),
    "failed, then tried again": (History().append(1, outcome="fail").append(1), stock(1)),
    "in doubt, then found done": (History().append(1, outcome="in_doubt").append(1), stock(1)),
    "at the same time, either order": (
        History().append(1, invoke=10, end=30).append(2, invoke=20, end=40),
        stock(2, 1),
    ),
    "an order with its items": (History().order(1), with_order()),
    "an order deleted": (History().order(1).delete_order(2), with_order(False, 0)),
    "an order whose delete is in doubt": (
        History().order(1).delete_order(2, outcome="in_doubt"),
        with_order(),
    ),
    "an address deleted and put back": (History().address(1, "delete").address(2, "insert"), with_address(2)),
    "an address changed in doubt": (
        History().address(1, "set").address(2, "set", outcome="in_doubt"),
        with_address(1),
    ),
    "a document of which the last change kept the value": (
        History().document(1, True).document(2, False),
        with_document([1, 2], 1),
    ),
    "authority moves": (History().append(1).append(2, epoch=2, node="shard1"), stock(1, 2)),
    "a sale tried again that was done already": (
        History()
        .append(1, outcome="fail", kind="sell", affected=0)
        .append(1, kind="sell", attempt=1, affected=0),
        stock(1),
    ),
    "a write whose answer was lost": (History().append(1, affected=0, answer_lost=True), stock(1)),
    "a delete takes its items along": (History().order(1).delete_order(2, affected=3), with_order(False, 0)),
    "reads": (History().append(1).read([1], must_see=1).append(2).read([1, 2], must_see=2), stock(1, 2)),
}

BAD = {
    "an acknowledged write is missing": ("lost", History().append(1).append(2), stock(1)),
    "the row of an acknowledged write is missing": ("lost", History().append(1), Contents()),
    "an item of an order is missing": ("lost", History().order(1), with_order(items=1)),
    "an address is missing": ("lost", History().address(1, "set"), with_address(None)),
    "a write is there twice": ("duplicated", History().append(1), stock(1, 1)),
    "a write in doubt is there twice": ("duplicated", History().append(1, outcome="in_doubt"), stock(1, 1)),
    "an item is there twice": ("duplicated", History().order(1), with_order(items=3)),
    "a failed write is there": ("ghost", History().append(1).append(2, outcome="fail"), stock(1, 2)),
    "a write nobody made": ("ghost", History().append(1), stock(1, 99, quantity=100001)),
    "an address nobody wrote": ("ghost", History().address(1, "set"), with_address(77)),
    "order against real time": ("order", History().append(1).append(2), stock(2, 1)),
    "a stale address": ("stale_value", History().address(1, "set").address(2, "set"), with_address(1)),
    "a stale address of before the load": ("stale_value", History().address(1, "set"), with_address(0)),
    "a stale document": (
        "stale_value",
        History().document(1, True).document(2, True),
        with_document([1, 2], 1),
    ),
    "a deleted address is back": (
        "resurrected",
        History().address(1, "set").address(2, "delete"),
        with_address(1),
    ),
    "a deleted order is back": ("resurrected", History().order(1).delete_order(2), with_order()),
    "items of a deleted order are back": (
        "resurrected",
        History().order(1).delete_order(2),
        with_order(False, 2),
    ),
    "an increment done twice": (
        "doubled_increment",
        History().append(1, add=5).append(2, add=7),
        stock(1, 2, quantity=100019),
    ),
    "an increment forgotten": ("wrong_sum", History().append(1, add=5), stock(1, quantity=100000)),
    "two writers in one epoch": ("one_writer", History().append(1).append(2, node="shard1"), stock(1, 2)),
    "an epoch goes back": (
        "one_writer",
        History().append(1, epoch=2, node="shard1").append(2, epoch=1),
        stock(1, 2),
    ),
    "a read misses its own write": (
        "read_your_writes",
        History().append(1).read([], must_see=1, violation=True),
        stock(1),
    ),
    "a read is no prefix": ("reads_are_prefixes", History().append(1).append(2).read([2]), stock(1, 2)),
    "a read saw what was undone": ("reads_are_prefixes", History().append(1).read([1, 9]), stock(1)),
    "an order was lost before it was deleted": (
        "changed_something",
        History().order(1).delete_order(2, affected=0),
        with_order(False, 0),
    ),
    "an item was lost on the way in": ("changed_something", History().order(1, affected=2), with_order()),
    "a first sale changes nothing": (
        "changed_something",
        History().append(1, kind="sell", affected=0),
        stock(1),
    ),
    "a write other than a sale, tried again, changes nothing": (
        "changed_something",
        History().append(1, attempt=1, affected=0),
        stock(1),
    ),
    "a read goes back": (
        "reads_never_go_back",
        History().append(1).append(2).read([1, 2]).read([1]),
        stock(1, 2),
    ),
}


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_history_is_accepted(name):
    history, contents = CLEAN[name]
    assert found(history, contents) == set()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_rejected_by_name(name):
    wanted, history, contents = BAD[name]
    assert found(history, contents) == {wanted}


def test_a_check_without_evidence_does_not_hold():
    checks = judge([], Contents())
    assert not checks["lost"].holds and not checks["order"].holds


def calls_answered(good, **bad):
    """Of a history with so many good writes, and reads and writes that went otherwise."""
    history, checks = History(), Checks()
    for op in range(1, good + 1):
        history.append(op)
    for what, count in bad.items():
        outcome, kind = what.split("_of_")
        for one in range(count):
            history.append(good + one + 1, outcome=outcome) if kind == "write" else history.read(
                None, outcome=outcome
            )
    judge_calls(history.lines, checks)
    return checks["calls_answered"]


def test_one_failed_call_in_a_hundred_is_borne():
    calls = calls_answered(99, fail_of_read=1)
    assert calls.holds and calls.evidence == 100 and calls.detail == "0 writes and 1 reads failed, 0 in doubt"


@pytest.mark.parametrize(
    "bad",
    [
        {"fail_of_write": 2},
        {"fail_of_read": 2},
        {"in_doubt_of_write": 2},
        {"fail_of_write": 1, "fail_of_read": 1},
    ],
)
def test_more_failed_calls_are_not(bad):
    calls = calls_answered(99, **bad)
    assert not calls.holds and len(calls.wrong) == 2 and calls.evidence == 101


def test_no_calls_are_no_answered_calls():
    assert not calls_answered(0).holds


def test_an_operation_that_changed_nothing_is_named():
    history, contents = BAD["an order was lost before it was deleted"][1:]
    found = judge(history.lines, contents)["changed_something"]
    assert (found.evidence, found.detail) == (2, "rows missing under: write 2")


def test_digests_name_no_value():
    history, contents = BAD["an acknowledged write is missing"][1:]
    assert all("SKU" not in digest for digest in judge(history.lines, contents)["lost"].wrong)


def test_slots_agree_with_the_golden_file():
    assert prove() > 50


def test_a_wrong_slot_function_is_noticed(monkeypatch):
    monkeypatch.setattr("slots.xxhash.xxh32_intdigest", len)
    slot_of.cache_clear()
    with pytest.raises(AssertionError):
        prove()
    slot_of.cache_clear()
