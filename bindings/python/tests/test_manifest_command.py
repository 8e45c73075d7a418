"""`manifest` and what needs no server."""

import json
import re

import pytest
from conftest import NOWHERE, ORDERS, ROOT, shardway, write_migration

from shardway.migration import Migration

BROKEN = """\
api_version: 1
table: "orders"
group: "sales"
  shard_keys: "customer_id"
key: "id"
"""


def test_lint_of_a_good_folder(migration):
    done = shardway("manifest", "lint", "-m", str(migration))
    assert (done.code, done.out, done.err) == (0, "no findings\n", "")


def test_lint_names_file_line_and_column(tmp_path):
    folder = write_migration(tmp_path / "shop", tables={"orders.txtpb": BROKEN})
    done = shardway("manifest", "lint", "-m", str(folder))
    assert done.code == 1
    assert re.search(rf"^{re.escape(str(folder))}/orders.txtpb:4:\d+: M001: ", done.out, re.MULTILINE)
    assert done.err.startswith("next:")


def test_lint_reports_everything_at_once(tmp_path):
    folder = write_migration(
        tmp_path / "shop",
        tables={
            "a.txtpb": ORDERS.replace('key: "id"\n', ""),
            "b.txtpb": ORDERS.replace('"shop.orders"', '"orders"'),
        },
    )
    found = shardway("manifest", "lint", "--json", "-m", str(folder)).document["findings"]
    assert {one["file"].rsplit("/", 1)[1] for one in found} == {"a.txtpb", "b.txtpb"}
    assert all(one["line"] > 0 and one["column"] > 0 and one["message"] and one["hint"] for one in found)


def test_fmt_writes_the_one_form_and_is_done_then(migration):
    messy = migration / "orders.txtpb"
    messy.write_text(ORDERS.replace('group: "sales"\n', "") + '   group:    "sales"\n')
    assert shardway("manifest", "fmt", "--check", "-m", str(migration)).code == 1
    dry = shardway("manifest", "fmt", "--dry-run", "--json", "-m", str(migration)).document
    assert [step for step in dry["steps"] if "orders.txtpb" in step]
    assert "   group" in messy.read_text()
    done = shardway("manifest", "fmt", "--json", "-m", str(migration))
    assert done.code == 0 and str(messy) in done.document["changed"]
    assert [f"rewrite {name}" for name in done.document["changed"]] == dry["steps"]
    assert shardway("manifest", "fmt", "--check", "-m", str(migration)).code == 0
    assert shardway("manifest", "lint", "-m", str(migration)).code == 0


def test_fmt_keeps_a_file_it_cannot_read(tmp_path):
    folder = write_migration(tmp_path / "shop", tables={"orders.txtpb": BROKEN})
    assert shardway("manifest", "fmt", "-m", str(folder)).code == 1
    assert (folder / "orders.txtpb").read_text() == BROKEN


def test_schema_is_itself_a_valid_manifest(tmp_path):
    text = shardway("manifest", "schema").out
    main, table = text.split("# <table>.txtpb")
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "migration.txtpb").write_text(main)
    (folder / "orders.txtpb").write_text("#" + table)
    done = shardway("manifest", "lint", "-m", str(folder))
    assert done.code == 0, done.out


def test_offline_plan(migration):
    document = shardway("plan", "--offline", "--json", "-m", str(migration)).document
    assert [step["number"] for step in document["steps"]] == list(range(1, len(document["steps"]) + 1))
    assert document["roles_sql"] == []
    assert shardway("plan", "--offline", "-m", str(migration)).out


def test_no_folder_and_wrong_folder(tmp_path):
    assert shardway("manifest", "lint").code == 2
    assert shardway("manifest", "lint", "-m", str(tmp_path)).code == 2
    assert "SHARDWAY_MIGRATION" in shardway("doctor").err


def test_folder_from_the_environment(migration):
    assert shardway("manifest", "lint", environment={"SHARDWAY_MIGRATION": str(migration)}).code == 0


def test_invalid_manifest_stops_everything(tmp_path):
    folder = write_migration(tmp_path / "shop", tables={"orders.txtpb": BROKEN})
    for words in (["doctor"], ["plan", "--offline"], ["migrate", "status"], ["uninstall", "--dry-run"]):
        done = shardway(*words, "--json", "-m", str(folder))
        assert done.code == 1
        assert done.document["error"]["code"] == "manifest_invalid"
        assert "orders.txtpb:4:" in done.document["error"]["message"]


def test_unreachable_source_is_worth_another_try(migration):
    done = shardway("migrate", "status", "--json", "-m", str(migration))
    assert done.code == 5
    error = done.document["error"]
    assert (error["code"], error["node"], error["retryable"]) == ("node_unreachable", "source", True)


def test_a_password_is_never_shown(tmp_path):  # P4
    folder = write_migration(tmp_path / "shop", nodes={"source": NOWHERE + " password=hunter2"})
    for words in (["manifest", "lint"], ["doctor"], ["migrate", "status"]):
        done = shardway(*words, "-m", str(folder))
        assert done.code != 0 and "hunter2" not in done.out + done.err


@pytest.mark.parametrize(
    "words", [["doctor"], ["migrate", "status"], ["wave", "status"], ["route", "explain", "shop.orders", "1"]]
)
def test_json_is_one_object_with_its_version(migration, words):
    document = json.loads(shardway(*words, "--json", "-m", str(migration)).out)
    assert document["schema_version"] == 1
    assert document["command"] == " ".join(words[:2] if words[0] != "doctor" else words)
    assert isinstance(document["next_steps"], list) and document["ok"] is False


def test_usage_errors_are_json_too(migration):
    done = shardway("migrate", "advance", "--json", "--to", "nowhere", "-m", str(migration))
    assert done.code == 2
    assert done.document["error"]["code"] == "invalid_argument"


def test_no_colour_without_a_terminal(migration):
    done = shardway("migrate", "status", "-m", str(migration))
    assert "\x1b" not in done.out + done.err


def test_the_migration_itself_is_compared_too(migration):
    stored = (ROOT / "tests/golden/generation.json").read_text()
    changes = {one["field"]: one for one in Migration.load(migration).diff(stored) if not one["table"]}
    assert changes["source.conninfo"]["kind"] == "option_changed"
    assert (
        changes["shard[0].name"]["kind"] == "forbidden" and "observing" in changes["shard[0].name"]["reason"]
    )
    assert "catalog" not in changes
