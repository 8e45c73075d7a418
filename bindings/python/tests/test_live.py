"""The command and the module against a real 13 source and two 15 shards.

The tests build on one another, in the order of the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import datetime
import os
import pty
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, cast

import pytest
from conftest import shardway, write_migration

import shardway as module

SHARD_NAMES = ("shard1", "shard2")
PROGRAMS = "/usr/lib/postgresql/15/bin"


def without_user(conninfo: str) -> str:
    return " ".join(word for word in conninfo.split() if not word.startswith("user="))


@contextlib.contextmanager
def opened(conninfo: str, **options: Any) -> Iterator[module.Client]:
    client = module.Client.open(conninfo, **options)
    with client:
        yield client


def report_of(client: module.Client) -> dict[str, Any]:
    return cast("dict[str, Any]", client.report())


@pytest.fixture(scope="module")
def shop(cluster, tmp_path_factory):
    """A source with a table of 500 orders, its manifests, and the roles that `plan` says."""
    cluster.run("source", "CREATE SCHEMA shop")
    columns = "id bigint PRIMARY KEY, customer_id bigint NOT NULL, total numeric(12,2) NOT NULL"
    cluster.run("source", f"CREATE TABLE shop.orders ({columns})")
    cluster.run("source", "INSERT INTO shop.orders SELECT n, n % 50, n FROM generate_series(1, 500) AS n")
    for node in ("source", *SHARD_NAMES):
        cluster.run(node, "CREATE ROLE shop_owner NOLOGIN")
        cluster.run(node, "CREATE ROLE shop_app LOGIN")
    cluster.run("source", "ALTER SCHEMA shop OWNER TO shop_owner")
    cluster.run("source", "ALTER TABLE shop.orders OWNER TO shop_owner")
    cluster.run("source", "GRANT USAGE ON SCHEMA shop TO shop_app")
    cluster.run("source", "GRANT SELECT, INSERT, UPDATE, DELETE ON shop.orders TO shop_app")
    nodes = {name: without_user(cluster.nodes[name]) for name in ("source", *SHARD_NAMES)}
    return write_migration(tmp_path_factory.mktemp("live") / "shop", nodes)


@pytest.fixture
def run(shop):
    def run(*words, expect=0, timeout=120):
        done = shardway(*words, "--json", "--quiet", "-m", str(shop), timeout=timeout)
        assert done.code == expect, f"{words}: {done.code}\n{done.out}\n{done.err}"
        return done.document

    return run


def test_doctor_is_red_before_the_roles_exist(run):
    document = run("doctor", expect=3)
    assert document["counts"]["fail"] > 0
    assert all(one["fix"] for one in document["findings"] if one["level"] == "fail")


def test_plan_creates_the_roles(run, cluster):
    scripts = run("plan", "--user", "postgres")["roles_sql"]
    assert [script["node"] for script in scripts] == ["source", *SHARD_NAMES]
    for script in scripts:
        cluster.run(script["node"], script["sql"])
    assert cluster.run("source", "SELECT rolreplication FROM pg_roles WHERE rolname = 'shardway_engine'") == [
        (True,)
    ]


def test_doctor_is_green_then(run):
    document = run("doctor")
    assert document["counts"]["pass"] > 10


def test_status_before_anything_is_applied(run):
    error = run("migrate", "status", expect=3)["error"]
    assert error["code"] == "precondition_failed" and "manifest apply" in error["hint"]


def test_apply_does_what_its_dry_run_says(run, cluster):
    dry = run("manifest", "apply", "--dry-run")
    assert dry["dry_run"] and any("shop.orders" in step for step in dry["steps"])
    assert cluster.run("source", "SELECT to_regnamespace('shardway') IS NULL") == [(True,)]
    applied = run("manifest", "apply")["applied"]
    assert applied["generation"] == 1
    assert [step for step in dry["steps"] if step.startswith("table_added")] == applied["changes"]
    assert run("manifest", "diff")["changes"] == []
    assert run("manifest", "apply")["applied"]["generation"] == 1


def test_route_explain(run):
    found = run("route", "explain", "shop.orders", "42")
    assert found["slot"] == module.slot_of(42)
    assert (found["authority"], found["stage"], found["types"]) == ("source", "observing", ["bigint"])
    assert found["placed_on"] == SHARD_NAMES[found["slot"] // 2048]
    assert run("route", "explain", "shop.nothing", "42", expect=1)["error"]["code"] == "unknown_table"


def test_observe_tells_what_the_calls_were(run, cluster, shop):
    assert run("observe")["clients"] == 0
    conninfo = without_user(cluster.nodes["source"]) + " user=shop_app"
    select = "SELECT total FROM shop.orders WHERE id = $1"
    with opened(conninfo, application="test") as client:
        session = client.session()
        for customer in (7, None):
            session.read("shop.orders", customer, select, [7])
        session.execute(
            "shop.orders",
            7,
            "UPDATE shop.orders SET total = total WHERE customer_id = $1",
            [7],
            call_site="nightly",
        )
        assert report_of(client)["tables"][0]["without_key"] == 1
    with opened(conninfo, observe=False) as client:
        client.session().read("shop.orders", 7, select, [7])
        assert report_of(client)["tables"] == []
    document = run("observe", "--call-sites")
    orders = document["tables"][0]
    assert (orders["table"], orders["calls"], orders["single_shard"], orders["without_key"]) == (
        "shop.orders",
        3,
        2,
        1,
    )
    assert (document["clients"], document["applications"], document["foreign_writers"]) == (1, ["test"], [])
    here = [one["site"] for one in document["call_sites"] if one["without_key"]]
    assert (
        len(here) == 1
        and here[0].startswith("test_live.py:")
        and here[0].endswith(":test_observe_tells_what_the_calls_were")
    )
    assert orders["advice"] == [f"1 call without shard key at {here[0]}"]
    assert "nightly" in [one["site"] for one in document["call_sites"]]
    assert document["next_steps"] == []
    assert run("observe", "--table", "shop.nothing")["tables"] == []
    assert "1 call without shard key" in shardway("observe", "--quiet", "-m", str(shop)).out


def test_a_change_without_a_controller_is_refused_at_once(run, cluster):
    began = time.monotonic()
    document = run("migrate", "advance", "--group", "sales", "--to", "copying", expect=3)
    assert time.monotonic() - began < 20
    assert document["next_steps"][0].startswith("shardway migrate start")
    assert cluster.run("source", "SELECT count(*) FROM shardway.request") == [(0,)]


def test_unknown_group_is_usage(run):
    assert (
        run("migrate", "advance", "--group", "nothing", "--to", "copying", expect=2)["error"]["code"]
        == "invalid_argument"
    )


def test_dangerous_steps_need_a_confirmation(run, cluster):
    assert "terminal" in run("uninstall", expect=2)["error"]["message"]
    assert run("uninstall", "--yes", expect=2)["error"]["code"] == "invalid_argument"
    assert run("uninstall", "--expect-state", "0" * 16, expect=2)["error"]["code"] == "invalid_argument"
    assert (
        run("uninstall", "--yes", "--expect-state", "0" * 16, expect=3)["error"]["code"]
        == "precondition_failed"
    )
    assert cluster.run("source", "SELECT to_regnamespace('shardway') IS NULL") == [(False,)]


def die_with_the_tests():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


@pytest.fixture(scope="module")
def controller(shop):
    """`migrate start` as a child."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "shardway",
            "migrate",
            "start",
            "-m",
            str(shop),
            "--client-programs",
            PROGRAMS,
        ],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_the_tests,
    )
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "the controller acts" in line:
            break
    assert process.poll() is None, "".join(lines)
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("controller")
def test_a_group_that_was_never_rehearsed_does_not_advance(run):
    refused = run("migrate", "advance", "--group", "sales", "--to", "copying", expect=3)
    assert "never rehearsed" in refused["error"]["message"]
    assert refused["error"]["hint"] == "shardway rehearse --group sales"


def test_rehearse_measures_each_table_on_each_shard(run, cluster):
    report = run("rehearse", "--group", "sales")
    assert report["passed"] and report["problems"] == []
    assert {one["shard"] for one in report["tables"]} == set(SHARD_NAMES)
    assert all(one["rows"] > 0 and one["disk_bytes"] > 0 for one in report["tables"])
    assert cluster.run("source", "SELECT group_name, passed FROM shardway.rehearsal") == [("sales", True)]
    assert cluster.run("shard1", "SELECT to_regnamespace('shop') IS NULL") == [(True,)]


@pytest.mark.usefixtures("controller")
def test_advance_does_what_its_dry_run_says(run, cluster):
    dry = run("migrate", "advance", "--group", "sales", "--to", "replicating", "--dry-run")
    assert [step.split(":")[0] for step in dry["steps"]] == ["copying", "replicating"]
    assert run("migrate", "advance", "--group", "sales", "--to", "replicating")["stage"] == "replicating"
    newest = "SELECT kind, arguments FROM shardway.request ORDER BY id DESC LIMIT 1"
    assert cluster.run("source", newest) == [(dry["request"]["kind"], dry["request"]["arguments"])]
    counted = [cluster.run(node, "SELECT count(*) FROM shop.orders")[0][0] for node in SHARD_NAMES]
    assert sum(counted) == 500 and min(counted) > 0


@pytest.mark.usefixtures("controller")
def test_status_shows_the_copy_and_the_streams(run):
    time.sleep(1)
    document = run("migrate", "status")
    assert document["lease"]["is_alive"] and document["groups"][0]["stage"] == "replicating"
    controller_document = document["controller"]
    assert controller_document["groups"][0]["copy"]["complete"]
    assert [stream["failure"] for stream in controller_document["streams"]] == [None, None]


@pytest.mark.usefixtures("controller")
def test_status_for_people(shop):
    done = shardway("migrate", "status", "-m", str(shop))
    assert done.code == 0
    for word in ("controller:", "sales", "replicating", "shop.orders", "lag ms"):
        assert word in done.out, done.out


@pytest.mark.usefixtures("controller")
def test_verify_certifies(run):
    document = run("migrate", "verify", "--group", "sales")
    assert [(table["relation"], table["verdict"], table["rows"]) for table in document["tables"]] == [
        ("shop.orders", "equal", 500)
    ]
    assert run("migrate", "status")["certificates"][0]["gap"] == ""


@pytest.mark.usefixtures("controller")
def test_a_second_controller_is_refused(shop):
    done = shardway("migrate", "start", "--lease-wait", "0.5", "--json", "-m", str(shop))
    assert done.code == 5 and done.document["error"]["code"] == "lease_held"


@pytest.mark.usefixtures("controller")
def test_the_controllers_error_arrives(run):
    document = run("wave", "run", "--group", "sales", "--percent", "10", "--dry-run")
    assert document["state"]["plan"]["slots"] == 410
    refused = run(
        "wave",
        "run",
        "--group",
        "sales",
        "--percent",
        "10",
        "--yes",
        f"--expect-state={document['expect_state']}",
        expect=3,
    )
    assert refused["error"]["code"] == "gate_red"
    assert run("wave", "plan", "--group", "sales", "--percent", "10", expect=3)["green"] is False


@pytest.mark.usefixtures("controller")
def test_client_writes_and_reads(cluster, run):
    run("migrate", "advance", "--group", "sales", "--to", "dual_writing")
    conninfo = without_user(cluster.nodes["source"]) + " user=shop_app"
    with opened(conninfo, application="test") as client:
        session = client.session()
        receipt = session.execute(
            "shop.orders",
            7,
            "INSERT INTO shop.orders (id, customer_id, total) VALUES ($1, $2, $3) RETURNING id, total",
            [1001, 7, "3.50"],
        )
        assert (
            receipt["rows"] == [{"id": 1001, "total": Decimal("3.50")}]
            and receipt["affected"] == 1
            and receipt["answer_lost"] is False
        )
        assert (receipt["node"], receipt["slot"], receipt["outcome"]) == (
            "source",
            module.slot_of(7),
            "committed",
        )
        # Refused: the stream was faster and has delivered this version already.
        assert receipt["dual_write"] in ("applied", "pending", "refused")
        other = client.session()
        other.adopt(session.token())
        assert other.read("shop.orders", 7, "SELECT total FROM shop.orders WHERE id = $1", [1001])[
            "rows"
        ] == [{"total": Decimal("3.50")}]
        assert client.route_of("shop.orders", 7)["dual_written"]
        with pytest.raises(module.RouteError) as caught:
            session.execute("shop.orders", 8, "UPDATE shop.orders SET total = 0 WHERE id = $1", [1001])
        assert caught.value.code == "shard_key_mismatch"
        with pytest.raises(module.RouteError):
            session.read("shop.nothing", 1, "SELECT 1")
        with pytest.raises(module.ConfigError):
            session.read("shop.orders", 7, "SELECT $1", [object()])
        assert client.totals()["writes"] >= 1


@pytest.fixture
def app(cluster, controller):
    """A client of the application's role."""
    assert controller.poll() is None
    with opened(without_user(cluster.nodes["source"]) + " user=shop_app") as client:
        yield client


def test_values_are_pythons_own(app):
    sql = """SELECT 1::bigint AS a, 2.50::numeric AS b, true AS c, 1.5::float8 AS d, '\\x00ff'::bytea AS e,
             '2026-11-22'::date AS f, '2026-11-22 13:34:25.12+00'::timestamptz AS g,
             '2026-11-22 13:34:25'::timestamp AS h, '13:34:25.5'::time AS i,
             'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS j, '{"k": [1, null]}'::jsonb AS k,
             NULL::int AS l, 'infinity'::timestamp AS m, 'é'::text AS n FROM shop.orders WHERE id = 1"""
    rows = app.session().read("shop.orders", 1, sql)["rows"]
    utc = datetime.timezone.utc
    assert rows.fetchone() == (
        1,
        Decimal("2.50"),
        True,
        1.5,
        b"\x00\xff",
        datetime.date(2026, 11, 22),
        datetime.datetime(2026, 11, 22, 13, 34, 25, 120000, utc),
        datetime.datetime(2026, 11, 22, 13, 34, 25),  # noqa: DTZ001 (the column has no time zone)
        datetime.time(13, 34, 25, 500000),
        uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        {"k": [1, None]},
        None,
        "infinity",
        "é",
    )
    assert (
        rows.fetchone() is None
        and rows.rowcount == 1
        and [column[0] for column in rows.description] == list("abcdefghijklmn")
    )
    back = app.session().read(
        "shop.orders",
        1,
        "SELECT $1::timestamptz AS g, $2::bytea AS e, $3::uuid AS j FROM shop.orders WHERE id = 1",
        [rows[0]["g"], rows[0]["e"], rows[0]["j"]],
    )["rows"][0]
    assert back == {name: rows[0][name] for name in "gej"}


def test_a_transaction_is_a_function(app):
    session = app.session()
    kept = []

    def body(transaction):
        kept.append(transaction)
        transaction.execute(
            "shop.orders", "INSERT INTO shop.orders (id, customer_id, total) VALUES ($1, $2, 1)", [2001, 9]
        )
        transaction.savepoint("here")
        transaction.execute("shop.orders", "UPDATE shop.orders SET total = 5 WHERE id = $1", [2001])
        transaction.rollback_to("here")
        assert transaction.query("SELECT total FROM shop.orders WHERE id = $1", [2001])[0]["total"] == 1

    receipt = session.write("shop.orders", 9, body)
    assert (receipt["outcome"], receipt["affected"]) == ("committed", 1)
    assert session.read("shop.orders", 9, "SELECT total FROM shop.orders WHERE id = 2001")["rows"] == [
        {"total": Decimal(1)}
    ]
    with pytest.raises(module.ConfigError):
        kept[0].query("SELECT 1")


def test_what_a_transactions_function_raises_rolls_back_and_arrives(app):
    session = app.session()

    def body(transaction):
        transaction.execute("shop.orders", "UPDATE shop.orders SET total = 99 WHERE id = $1", [2001])
        raise LookupError("the caller's own")

    with pytest.raises(LookupError, match="the caller's own"):
        session.write("shop.orders", 9, body)

    def breaks(transaction):
        transaction.execute(
            "shop.orders", "INSERT INTO shop.orders (id, customer_id, total) VALUES ($1, $2, 1)", [2001, 9]
        )

    with pytest.raises(module.DatabaseError) as caught:
        session.write("shop.orders", 9, breaks)
    assert caught.value.code == "constraint_violation"
    assert session.read("shop.orders", 9, "SELECT total FROM shop.orders WHERE id = 2001")["rows"] == [
        {"total": Decimal(1)}
    ]


def test_an_operation_is_done_once(app):
    session = app.session()
    first = session.execute(
        "shop.orders", 9, "UPDATE shop.orders SET total = total + 1 WHERE id = 2001", operation_id="pay 2001"
    )
    again = session.execute(
        "shop.orders", 9, "UPDATE shop.orders SET total = total + 1 WHERE id = 2001", operation_id="pay 2001"
    )
    assert (again["replayed"], again["write_id"]) == (True, first["write_id"])
    assert session.read("shop.orders", 9, "SELECT total FROM shop.orders WHERE id = 2001")["rows"] == [
        {"total": Decimal(2)}
    ]
    with pytest.raises(module.RouteError) as caught:
        session.execute("shop.orders", 9, "DELETE FROM shop.orders WHERE id = 2001", operation_id="pay 2001")
    assert caught.value.code == "write_id_mismatch"


def test_many_rows_and_many_keys(app):
    session = app.session()
    done = session.execute_batch(
        "shop.orders",
        "INSERT INTO shop.orders (id, customer_id, total) VALUES ($1, $2, $3)",
        [(customer, [3000 + customer, customer, 2]) for customer in range(10, 20)],
    )
    assert (
        done["all_committed"]
        and done["affected"] == 10
        and [part["node"] for part in done["parts"]] == ["source"]
    )
    read = session.read_many(
        "shop.orders",
        range(10, 20),
        "SELECT id FROM shop.orders WHERE customer_id = ANY ($1) AND id > $2",
        [3000],
        order_by=["id"],
        limit=3,
    )
    assert [row["id"] for row in read["rows"]] == [3010, 3011, 3012]
    with pytest.raises(module.RouteError) as caught:
        session.read_all("shop.orders", "SELECT id FROM shop.orders WHERE {slots:customer_id}")
    assert caught.value.code == "statement_refused"
    for row in range(3010, 3020):
        session.execute("shop.orders", row - 3000, "DELETE FROM shop.orders WHERE id = $1", [row])


@pytest.mark.usefixtures("controller")
def test_asyncio_is_never_blocked(cluster):
    conninfo = without_user(cluster.nodes["source"]) + " user=shop_app"
    slow = "SELECT pg_sleep(0.4) FROM shop.orders WHERE customer_id = 1 LIMIT 1"

    async def work():
        ticks = 0
        async with await module.AsyncClient.open(conninfo, connections_max=4) as client:
            sessions = [client.session() for _ in range(4)]
            reads = asyncio.gather(
                *(session.read("shop.orders", 1, slow, consistency="primary") for session in sessions)
            )
            while not reads.done():
                await asyncio.sleep(0.01)
                ticks += 1
            await reads
            session = client.session()
            receipt, read = await asyncio.gather(
                session.execute("shop.orders", 9, "UPDATE shop.orders SET total = 7 WHERE id = 2001"),
                session.read("shop.orders", 9, "SELECT total FROM shop.orders WHERE id = 2001"),
            )
            assert receipt["affected"] == 1 and read["rows"] == [{"total": Decimal(7)}]
            with pytest.raises(module.RouteError):
                await session.read("shop.nothing", 1, "SELECT 1")
            cancelled = asyncio.ensure_future(session.read("shop.orders", 1, slow, consistency="primary"))
            await asyncio.sleep(0.1)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            other = client.session()
            await other.adopt(await session.token())
            sites = {one["site"] for one in report_of(client.client)["call_sites"]}
            return ticks, sites

    ticks, sites = asyncio.run(work())
    assert ticks > 10
    assert all(site.startswith("test_live.py:") for site in sites)


@pytest.mark.usefixtures("controller")
def test_a_session_in_use_refuses_another_thread(cluster):
    conninfo = without_user(cluster.nodes["source"]) + " user=shop_app"
    with opened(conninfo) as client:
        session = client.session()
        sql = "SELECT pg_sleep(1.0) FROM shop.orders WHERE customer_id = 1 LIMIT 1"
        thread = threading.Thread(target=lambda: session.read("shop.orders", 1, sql, consistency="primary"))
        thread.start()
        time.sleep(0.3)
        for call in (
            session.token,
            lambda: session.adopt(""),
            lambda: session.read("shop.orders", 1, "SELECT 1"),
        ):
            with pytest.raises(module.ConfigError) as caught:
                call()
            assert caught.value.code == "invalid_argument"
        thread.join()
        assert session.token().startswith("1:")


@pytest.mark.usefixtures("controller")
def test_the_lock_of_the_interpreter_is_free_meanwhile(cluster):
    conninfo = without_user(cluster.nodes["source"]) + " user=shop_app"
    ticks = []
    done = threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.01)

    with opened(conninfo) as client:
        thread = threading.Thread(target=tick)
        thread.start()
        client.session().read(
            "shop.orders",
            1,
            "SELECT pg_sleep(0.5) FROM shop.orders WHERE customer_id = 1 LIMIT 1",
            consistency="primary",
        )
        done.set()
        thread.join()
    assert len(ticks) > 20


@pytest.mark.usefixtures("controller")
def test_a_wave_goes_and_comes_back(run):
    run("migrate", "guard", "--group", "sales")
    run("migrate", "verify", "--group", "sales")
    assert agreed(run, "wave", "run", "--group", "sales", "--percent", "10")["wave"]["committed"]
    assert run("migrate", "status")["groups"][0]["moved_slots"] == 410
    assert run("route", "explain", "shop.orders", str(first_key_of_slots(0, 204)))["authority"] == "shard1"
    assert [one["state"] for one in run("wave", "status")["waves"]] == ["done"]
    assert agreed(run, "wave", "rollback", "--group", "sales", "--all")["wave"]["direction"] == "back"
    assert run("migrate", "status")["groups"][0]["moved_slots"] == 0


def agreed(run, *words):
    """The dangerous step, with the state of its dry run."""
    return run(*words, "--yes", f"--expect-state={run(*words, '--dry-run')['expect_state']}")


def first_key_of_slots(first, last):
    return next(key for key in range(100000) if first <= module.slot_of(key) <= last)


@pytest.mark.usefixtures("controller")
def test_uninstall_is_refused_while_a_controller_runs(run):
    assert run("uninstall", "--dry-run", expect=3)["error"]["code"] == "precondition_failed"


def test_stopping_in_order_says_how_to_go_on(controller):
    controller.send_signal(signal.SIGTERM)
    _, errors = controller.communicate(timeout=30)
    assert controller.returncode == 130
    assert "resume with: shardway migrate start" in errors


def test_the_name_is_asked_for_on_a_terminal(shop, cluster):
    assert answer_on_a_terminal(shop, "no\n") == 7
    assert cluster.run("source", "SELECT to_regnamespace('shardway') IS NULL") == [(False,)]


def answer_on_a_terminal(shop, text):
    """Runs `uninstall` with a terminal and types a line; its exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "shardway", "uninstall", "-m", str(shop)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    while b"to go on: " not in seen:
        seen += os.read(ours, 4096)
    os.write(ours, text.encode())
    try:
        while os.read(ours, 4096):
            pass
    except OSError:  # the child has closed its side
        pass
    os.close(ours)
    return process.wait(60)


def test_uninstall_leaves_nothing(run, cluster):
    time.sleep(1)
    dry = run("uninstall", "--dry-run")
    removed = run("uninstall", "--yes", f"--expect-state={dry['expect_state']}")["removed"]
    assert len(removed) == len(dry["steps"]) > 3
    for node in ("source", *SHARD_NAMES):
        assert cluster.run(node, "SELECT to_regnamespace('shardway') IS NULL") == [(True,)]
        assert cluster.run(node, "SELECT count(*) FROM pg_replication_slots") == [(0,)]
        assert cluster.run(node, "SELECT count(*) FROM pg_publication") == [(0,)]
    assert cluster.run("source", "SELECT count(*) FROM shop.orders") == [(502,)]
    assert run("uninstall", "--dry-run")["steps"] == []
