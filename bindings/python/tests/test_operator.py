"""An operator's day: the README's commands in their order, on servers that somebody else has made.

The tests build on one another, in the order of the file.
"""

from __future__ import annotations

import ctypes
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ORDERS, ROOT, shardway, write_migration

NODES = ("source", "shard1", "shard2")
PROGRAMS = "/usr/lib/postgresql/15/bin"
COUNTRIES = """\
api_version: 1
table: "desk.countries"
group: "lists"
kind: REFERENCE
key: "code"
"""


def without_user(conninfo: str) -> str:
    return " ".join(word for word in conninfo.split() if not word.startswith("user="))


def readme_commands() -> list[list[str]]:
    """The words of each command in the README's block about a migration."""
    text = (ROOT / "README.md").read_text()
    (block,) = re.findall(r"```\n(export SHARDWAY_MIGRATION.*?)```", text, re.DOTALL)
    lines = [line.split("#")[0].split() for line in block.splitlines()]
    return [words[1:] for words in lines if words and words[0] == "shardway"]


class Desk:
    """A migration of one sharded table and one reference table, and the controller that runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.controller: subprocess.Popen[str] | None = None

    def run(self, *words: str, expect: int = 0, as_json: bool = True, timeout: float = 180) -> Any:
        options = ["--json", "--quiet"] if as_json else []
        done = shardway(*words, *options, "-m", str(self.folder), timeout=timeout)
        assert done.code == expect, f"{words}: {done.code}\n{done.out}\n{done.err}"
        return done.document if as_json else done

    def agree(self, *words: str) -> Any:
        """Do a dangerous step, with the state of its dry run."""
        return self.run(*words, "--yes", f"--expect-state={self.run(*words, '--dry-run')['expect_state']}")

    def start(self) -> None:
        words = ["migrate", "start", "-m", str(self.folder), "--client-programs", PROGRAMS]
        self.controller = subprocess.Popen(
            [sys.executable, "-m", "shardway", *words],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL),  # PR_SET_PDEATHSIG
        )
        assert self.controller.stderr
        seen = []
        for line in self.controller.stderr:
            seen.append(line)
            if "the controller acts" in line:
                return
        raise AssertionError("".join(seen))

    def stop(self) -> None:
        if self.controller and self.controller.poll() is None:
            self.controller.send_signal(signal.SIGTERM)
            self.controller.communicate(timeout=30)


@pytest.fixture(scope="module")
def desk(cluster, tmp_path_factory):
    """Tables of an owner of their own, and no role of the migration yet."""
    for node in NODES:
        cluster.run(node, "CREATE ROLE desk_owner NOLOGIN")
    cluster.run("source", "CREATE SCHEMA desk AUTHORIZATION desk_owner")
    for sql in (
        "CREATE TABLE desk.orders (id bigserial PRIMARY KEY, customer_id bigint NOT NULL, total numeric)",
        "CREATE TABLE desk.countries (code text PRIMARY KEY)",
        "INSERT INTO desk.orders (customer_id, total) SELECT n % 50, n FROM generate_series(1, 300) AS n",
        "INSERT INTO desk.countries VALUES ('DE'), ('FR')",
    ):
        cluster.run("source", f"SET ROLE desk_owner; {sql}")
    nodes = {name: without_user(cluster.nodes[name]) for name in NODES}
    orders = (
        ORDERS.replace("shop.orders", "desk.orders").replace("EXTERNAL", "INTERLEAVED")
        + "stage_until: FINALIZED\n"
    )
    folder = write_migration(
        tmp_path_factory.mktemp("desk") / "desk",
        nodes,
        {"orders.txtpb": orders, "countries.txtpb": COUNTRIES},
    )
    file = folder / "migration.txtpb"
    text = (
        file.read_text().replace("shardway_engine", "desk_engine").replace("shardway_mirror", "desk_mirror")
    )
    file.write_text(text.replace("shop_app", "desk_app").replace('name: "shop"', 'name: "desk"'))
    made = Desk(folder)
    yield made
    made.stop()


def as_administrator(cluster: Any, output: str) -> None:
    """Run on each node the SQL that `plan --sql` printed for it."""
    parts = re.split(r"^-- on (\w+), as an administrator:$", output, flags=re.MULTILINE)
    assert parts[1::2] == list(NODES)
    for node, sql in zip(parts[1::2], parts[2::2]):
        cluster.run(node, sql)


def test_the_readmes_commands_work_in_their_order(desk, cluster):
    commands = readme_commands()
    assert [" ".join(words[:2]) for words in commands][:2] == ["plan --sql", "doctor"]
    for words in commands:
        name = " ".join(words[:2])
        if name == "plan --sql":
            as_administrator(cluster, desk.run(*words, as_json=False).out)
        elif name == "migrate start":
            desk.start()
        elif name == "wave run":
            for percent in ("1", "10", "100"):
                assert desk.agree(*words[:-1], percent)["wave"]["committed"]
        elif name == "wave rollback":
            assert desk.agree(*words)["wave"]["direction"] == "back"
            desk.run("migrate", "verify", "--group", "sales")
            desk.agree("wave", "run", "--group", "sales", "--percent", "100")
        elif name == "migrate finalize":
            assert desk.agree(*words)["result"]["stage"] == "finalized"
        else:
            desk.run(*words)
    counted = [cluster.run(node, "SELECT count(*) FROM desk.orders")[0][0] for node in NODES[1:]]
    assert sum(counted) == 300


def test_a_reference_group_ends_at_replicating(desk):
    desk.run("rehearse", "--group", "lists")
    desk.run("migrate", "advance", "--group", "lists", "--to", "replicating")
    document = desk.run("migrate", "status", "--group", "lists")
    assert [group["group"] for group in document["groups"]] == ["lists"]
    assert not any("dual_writing" in step for step in document["next_steps"])
    assert desk.run("migrate", "status", "--table", "desk.nothing")["groups"] == []


def test_status_is_short_or_whole_and_never_cut(desk):
    short = desk.run("migrate", "status", "--short", as_json=False).out
    assert "lists: replicating, 1 tables" in short and len(short.splitlines()) <= 4
    whole = desk.run("migrate", "status", as_json=False).out
    assert "…" not in whole and max(map(len, whole.splitlines())) > 80


def test_groups_are_named_or_all(desk):
    assert desk.run("migrate", "withdraw", "--dry-run", expect=2)["error"]["code"] == "invalid_argument"
    both = ("--group", "lists", "--all")
    assert (
        desk.run("migrate", "withdraw", *both, "--dry-run", expect=2)["error"]["code"] == "invalid_argument"
    )
    refused = desk.run("migrate", "guard", "--group", "sales", "--group", "lists", "--dry-run")
    assert [one["group"] for one in refused["request"]["arguments"]] == ["sales", "lists"]


def test_withdraw_takes_back_what_has_not_moved(desk, cluster):
    done = desk.agree("migrate", "withdraw", "--all")
    assert (done["group"], done["stage"], done["shard_tables"]) == ("lists", "observing", "dropped")
    assert cluster.run("shard1", "SELECT to_regclass('desk.countries') IS NULL") == [(True,)]
    assert cluster.run("source", "SELECT count(*) FROM pg_publication") == [(0,)]
    refused = desk.run("migrate", "withdraw", "--group", "sales", "--dry-run")
    agreed = f"--expect-state={refused['expect_state']}"
    error = desk.run("migrate", "withdraw", "--group", "sales", "--yes", agreed, expect=3)["error"]
    assert "finalized" in error["hint"]


def test_the_servers_text_is_shown_only_where_it_is_asked_for(desk, cluster):
    cluster.run("shard1", "CREATE TABLE desk.countries (code int PRIMARY KEY)")
    words = ("migrate", "advance", "--group", "lists", "--to", "copying")
    without = desk.run(*words, expect=3)["error"]
    assert "server_detail" not in without
    detailed = desk.run(*words, "--show-server-detail", expect=3)["error"]
    assert detailed["code"] == without["code"] and "server_detail" in detailed
    cluster.run("shard1", "DROP TABLE desk.countries")


def test_uninstall_closes_the_stale_copy(desk, cluster):
    desk.stop()
    steps = desk.run("uninstall", "--dry-run")["steps"]
    assert any("shardway_stale_copy refuses writes to desk.orders" in step for step in steps)
    desk.agree("uninstall")
    with pytest.raises(Exception, match="stale copy"):
        cluster.run("source", "DELETE FROM desk.orders")
    increments = cluster.run(
        "source", "SELECT seqincrement FROM pg_sequence WHERE seqrelid = 'desk.orders_id_seq'::regclass"
    )
    assert increments == [(1,)]
    cluster.run(
        "source", "DROP TABLE desk.orders; DROP SCHEMA shardway_stale CASCADE; DROP SCHEMA desk CASCADE"
    )
    for node in NODES[1:]:
        cluster.run(node, "DROP SCHEMA desk CASCADE")
    for node in NODES:  # nothing belongs to the roles any more
        for role in ("desk_engine", "desk_mirror"):
            cluster.run(
                node,
                f"DROP OWNED BY {role}; DROP ROLE {role}"
                if cluster.run(node, f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'")
                else "SELECT 1",
            )
