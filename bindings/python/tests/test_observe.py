"""What `observe` makes of collected reports, without a server; test_live.py has it with one."""

import io

from rich.console import Console

from shardway.cli.observing import advice, next_steps_of, show, view_of
from shardway.documents import Group

SHAPES = ("single_shard", "without_key", "crosses_shards", "crosses_groups", "not_known", "unlisted")
GROUPS: list[Group] = [
    {
        "group": "sales",
        "stage": "observing",
        "authority": [],
        "moved_slots": 0,
        "tables": ["shop.items", "shop.orders"],
    }
]


def counts(**of):
    return {**{shape: of.get(shape, 0) for shape in SHAPES}, "calls": sum(of.values())}


def table(name, **of):
    return {"table": name, **counts(**of), "other_call_sites": counts()}


def site(name, where, **of):
    return {"table": name, "site": where, "call": "execute", "statement": "update", **counts(**of)}


def found(tables=(), sites=(), **more):
    return {
        "tables": list(tables),
        "call_sites": list(sites),
        "written_together": [],
        "proposed_groups": [],
        "foreign_writers": [],
        "other_tables": counts(),
        "other_transactions": 0,
        "clients": 2,
        "applications": ["shop"],
        "since": "2026-01-01 00:00:00+00",
        "until": "2026-01-02 00:00:00+00",
        **more,
    }


def printed(view, with_sites=False):
    text = io.StringIO()
    show(Console(file=text, width=200), view, with_sites=with_sites)
    return text.getvalue()


def test_a_table_of_single_shard_calls_is_ready():
    assert advice(counts(single_shard=7), [], is_listed=True) == ["ready: 100 % single-shard"]
    assert advice(counts(), [], is_listed=True) == ["no call was seen"]
    assert advice(counts(unlisted=7), [], is_listed=False) == ["in no manifest: it stays on the source"]


def test_advice_names_what_stands_in_the_way_and_where():
    sites = [
        site("shop.orders", "a.cpp:1:f", without_key=2),
        site("shop.orders", "orders.cpp:88:place", without_key=10),
        site("shop.orders", "b.cpp:1:g", single_shard=5),
    ]
    assert advice(counts(single_shard=5, without_key=12, crosses_shards=1), sites, is_listed=True) == [
        "1 transaction crosses shards",
        "12 calls without shard key at orders.cpp:88:place, a.cpp:1:f",
    ]
    many = [site("shop.orders", f"{letter}.cpp:1:f", without_key=1) for letter in "abcde"]
    assert advice(counts(without_key=5), many, is_listed=True) == [
        "5 calls without shard key at a.cpp:1:f, b.cpp:1:f, c.cpp:1:f and 2 more"
    ]


def test_a_group_is_advanced_when_all_its_tables_are_ready():
    ready = [table("shop.items", single_shard=1), table("shop.orders", single_shard=9)]
    assert next_steps_of(view_of(found(ready), GROUPS)) == [
        "shardway migrate advance --group sales --to copying"
    ]
    assert next_steps_of(view_of(found(ready[:1]), GROUPS)) == [], "orders was never seen"
    assert (
        next_steps_of(view_of(found([ready[0], table("shop.orders", single_shard=9, not_known=1)]), GROUPS))
        == []
    )


def test_the_tables_and_the_rest_are_printed():
    view = view_of(
        found(
            [table("shop.orders", single_shard=3, without_key=1), table("shop.audit", unlisted=2)],
            [site("shop.orders", "a.cpp:1:f", without_key=1)],
            proposed_groups=[{"tables": ["shop.audit", "shop.orders"], "transactions": 4}],
            other_transactions=3,
            applications=["etl"],
            foreign_writers=[
                {
                    "relation": "shop.orders",
                    "operation": "update",
                    "application": "etl",
                    "role": "etl",
                    "statements": 5,
                    "last_seen": "2026-01-02 00:00:00+00",
                }
            ],
        ),
        GROUPS,
    )
    text = printed(view)
    for part in (
        "2 processes of etl",
        "75.0 %",
        "1 call without shard key at a.cpp:1:f",
        "in no manifest",
        "proposed group: shop.audit, shop.orders (4 transactions",
        "etl (also uses the library)",
        "3 calls or transactions exceeded",
    ):
        assert part in text
    assert "call site" not in text
    assert "call site" in printed(view, with_sites=True)


def test_one_table_can_be_asked_for():
    view = view_of(
        found([table("shop.orders", single_shard=3), table("shop.items", single_shard=1)]),
        GROUPS,
        "shop.items",
    )
    assert [one["table"] for one in view["tables"]] == ["shop.items"]


def test_nothing_reported_yet():
    assert "no client has reported a call yet" in printed(
        view_of(found(clients=0, applications=[], since="", until=""), GROUPS)
    )
