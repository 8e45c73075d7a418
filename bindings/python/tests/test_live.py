"""The command and the module against a real 13 source and two 15 shards. The tests build on one another, in file order."""

from __future__ import annotations

import ctypes
import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from conftest import shardway, write_migration

import shardway as module

SHARD_NAMES = ("shard1", "shard2")
PROGRAMS = "/usr/lib/postgresql/15/bin"


def without_user(conninfo: str) -> str:
    return " ".join(word for word in conninfo.split() if not word.startswith("user="))


@pytest.fixture(scope="module")
def shop(cluster, tmp_path_factory):
    """A source with a table of 500 orders, its manifests, and the roles that `plan` says."""
    cluster.run("source", "CREATE SCHEMA shop")
    cluster.run("source", "CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, total numeric(12,2) NOT NULL)")
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
    assert cluster.run("source", "SELECT rolreplication FROM pg_roles WHERE rolname = 'shardway_engine'") == [(True,)]


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


def test_a_change_without_a_controller_is_refused_at_once(run, cluster):
    began = time.monotonic()
    document = run("migrate", "advance", "--group", "sales", "--to", "copying", expect=3)
    assert time.monotonic() - began < 20
    assert document["next_steps"][0].startswith("shardway migrate start")
    assert cluster.run("source", "SELECT count(*) FROM shardway.request") == [(0,)]


def test_unknown_group_is_usage(run):
    assert run("migrate", "advance", "--group", "nothing", "--to", "copying", expect=2)["error"]["code"] == "invalid_argument"


def test_dangerous_steps_need_a_confirmation(run, cluster):
    assert "terminal" in run("uninstall", expect=2)["error"]["message"]
    assert run("uninstall", "--yes", expect=2)["error"]["code"] == "invalid_argument"
    assert run("uninstall", "--expect-state", "0" * 16, expect=2)["error"]["code"] == "invalid_argument"
    assert run("uninstall", "--yes", "--expect-state", "0" * 16, expect=3)["error"]["code"] == "precondition_failed"
    assert cluster.run("source", "SELECT to_regnamespace('shardway') IS NULL") == [(False,)]


def die_with_the_tests():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


@pytest.fixture(scope="module")
def controller(shop):
    """`migrate start` as a child."""
    process = subprocess.Popen([sys.executable, "-m", "shardway", "migrate", "start", "-m", str(shop), "--client-programs", PROGRAMS],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_the_tests)
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


def test_advance_does_what_its_dry_run_says(run, controller, cluster):
    dry = run("migrate", "advance", "--group", "sales", "--to", "replicating", "--dry-run")
    assert [step.split(":")[0] for step in dry["steps"]] == ["copying", "replicating"]
    assert run("migrate", "advance", "--group", "sales", "--to", "replicating")["stage"] == "replicating"
    assert cluster.run("source", "SELECT kind, arguments FROM shardway.request") == [(dry["request"]["kind"], dry["request"]["arguments"])]
    counted = [cluster.run(node, "SELECT count(*) FROM shop.orders")[0][0] for node in SHARD_NAMES]
    assert sum(counted) == 500 and min(counted) > 0


def test_status_shows_the_copy_and_the_streams(run, controller):
    time.sleep(1)
    document = run("migrate", "status")
    assert document["lease"]["is_alive"] and document["groups"][0]["stage"] == "replicating"
    controller_document = document["controller"]
    assert controller_document["groups"][0]["copy"]["complete"]
    assert [stream["failure"] for stream in controller_document["streams"]] == [None, None]


def test_status_for_people(shop, controller):
    done = shardway("migrate", "status", "-m", str(shop))
    assert done.code == 0
    for word in ("controller:", "sales", "replicating", "shop.orders", "lag ms"):
        assert word in done.out, done.out


def test_verify_certifies(run, controller):
    document = run("migrate", "verify", "--group", "sales")
    assert [(table["relation"], table["verdict"], table["rows"]) for table in document["tables"]] == [("shop.orders", "equal", 500)]
    assert run("migrate", "status")["certificates"][0]["gap"] == ""


def test_a_second_controller_is_refused(shop, controller):
    done = shardway("migrate", "start", "--lease-wait", "0.5", "--json", "-m", str(shop))
    assert done.code == 5 and done.document["error"]["code"] == "lease_held"


def test_the_controllers_error_arrives(run, controller):
    document = run("wave", "run", "--group", "sales", "--percent", "10", "--dry-run")
    assert document["state"]["plan"]["slots"] == 410
    refused = run("wave", "run", "--group", "sales", "--percent", "10", "--yes", f"--expect-state={document['expect_state']}", expect=3)
    assert refused["error"]["code"] == "gate_red"
    assert run("wave", "plan", "--group", "sales", "--percent", "10", expect=3)["green"] is False


def test_client_writes_and_reads(cluster, controller, run):
    run("migrate", "advance", "--group", "sales", "--to", "dual_writing")
    conninfo = without_user(cluster.nodes["source"]) + " user=shop_app"
    with module.Client.open(conninfo, application="test") as client:
        session = client.session()
        receipt = session.execute("shop.orders", 7, "INSERT INTO shop.orders (id, customer_id, total) VALUES ($1, $2, $3) RETURNING id, total",
                                  [1001, 7, "3.50"])
        assert receipt["rows"] == [{"id": 1001, "total": "3.50"}] and receipt["affected"] == 1 and receipt["answer_lost"] is False
        assert (receipt["node"], receipt["slot"], receipt["outcome"]) == ("source", module.slot_of(7), "committed")
        assert receipt["secondary"] in ("applied", "pending")
        other = client.session()
        other.adopt(session.token())
        assert other.read("shop.orders", 7, "SELECT total FROM shop.orders WHERE id = $1", [1001])["rows"] == [{"total": "3.50"}]
        assert client.route_of("shop.orders", 7)["dual_written"]
        with pytest.raises(module.RouteError) as caught:
            session.execute("shop.orders", 8, "UPDATE shop.orders SET total = 0 WHERE id = $1", [1001])
        assert caught.value.code == "shard_key_mismatch"
        with pytest.raises(module.RouteError):
            session.read("shop.nothing", 1, "SELECT 1")
        with pytest.raises(module.ConfigError):
            session.read("shop.orders", 7, "SELECT $1", [object()])
        assert client.totals()["writes"] >= 1


def test_a_session_in_use_refuses_another_thread(cluster, controller):
    import threading

    conninfo = without_user(cluster.nodes["source"]) + " user=shop_app"
    with module.Client.open(conninfo) as client:
        session = client.session()
        sql = "SELECT pg_sleep(1.0) FROM shop.orders WHERE customer_id = 1 LIMIT 1"
        thread = threading.Thread(target=lambda: session.read("shop.orders", 1, sql, consistency="primary"))
        thread.start()
        time.sleep(0.3)
        for call in (session.token, lambda: session.adopt(""), lambda: session.read("shop.orders", 1, "SELECT 1")):
            with pytest.raises(module.ConfigError) as caught:
                call()
            assert caught.value.code == "invalid_argument"
        thread.join()
        assert session.token().startswith("1:")


def test_the_lock_of_the_interpreter_is_free_meanwhile(cluster, controller):
    import threading

    conninfo = without_user(cluster.nodes["source"]) + " user=shop_app"
    ticks = []
    done = threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.01)

    with module.Client.open(conninfo) as client:
        thread = threading.Thread(target=tick)
        thread.start()
        client.session().read("shop.orders", 1, "SELECT pg_sleep(0.5) FROM shop.orders WHERE customer_id = 1 LIMIT 1", consistency="primary")
        done.set()
        thread.join()
    assert len(ticks) > 20


def test_a_wave_goes_and_comes_back(run, controller, cluster):
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


def test_uninstall_is_refused_while_a_controller_runs(run, controller):
    assert run("uninstall", "--dry-run", expect=3)["error"]["code"] == "precondition_failed"


def test_stopping_in_order_says_how_to_go_on(shop, controller):
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
    process = subprocess.Popen([sys.executable, "-m", "shardway", "uninstall", "-m", str(shop)], stdin=theirs, stdout=theirs, stderr=theirs)
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
    assert cluster.run("source", "SELECT count(*) FROM shop.orders") == [(501,)]
    assert run("uninstall", "--dry-run")["steps"] == []
