"""What `migrate status` shows to people."""

import io

from rich.console import Console

from shardway.cli import status_view


def shown(clients, newest):
    out = Console(width=140, record=True, file=io.StringIO())
    status_view.show_clients(out, clients, newest)
    return out.export_text()


def client(application, generation, version="0.1.0", silent_ms=10):
    return {
        "client_id": f"{application}{generation}{silent_ms}",
        "application": application,
        "library_version": version,
        "generation": generation,
        "silent_ms": silent_ms,
    }


def test_clients_that_are_alike_are_one_line_with_generation_and_version():
    lines = shown(
        [client("app", 7), client("app", 7, silent_ms=130), client("old[x]", 5, version="0.0.9")], 7
    ).splitlines()
    assert len(lines) == 3
    assert lines[1].split()[:4] == ["app", "2", "0.1.0", "7"] and "newest" in lines[1] and "130" in lines[1]
    assert lines[2].startswith("old[x]") and "0.0.9" in lines[2] and "behind by 2" in lines[2]


def test_no_client_shows_nothing():
    assert shown([], 7) == ""


def paused_view():
    def difference(table):
        return {
            "table": table,
            "node": "shard0",
            "object": "column note",
            "difference": "is missing on shard0",
            "way_out": "add it",
            "answer": "pause",
        }

    tables = ["shop.a", "shop.b"]
    return {
        "lease": None,
        "groups": [{"group": "sales", "stage": "copying", "moved_slots": 0, "tables": tables}],
        "controller": {
            "groups": [
                {
                    "group": "sales",
                    "paused": True,
                    "differences": [difference(one) for one in [*tables, "(all)"]],
                }
            ]
        },
        "certificates": [],
        "foreign_writers": [],
    }


def test_a_paused_group_is_named_in_short_too():
    out = Console(width=140, record=True, file=io.StringIO())
    status_view.show_short(out, paused_view())
    assert "paused: sales" in out.export_text()


def test_differences_are_those_of_the_tables_that_were_asked_for():
    kept = status_view.only(paused_view(), set(), {"shop.b"})["controller"]["groups"][0]
    assert [one["table"] for one in kept["differences"]] == ["shop.b", "(all)"]
