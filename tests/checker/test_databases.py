"""Faults injected into real databases, filled by the load and copied to shards with plain SQL: each must be found by its name."""
import os
import subprocess
from pathlib import Path

import psycopg
import pytest

import checker
import servers
import slots
from judge import REFERENCE, TABLES

SHOP = Path(servers.__file__).parent
ROOT = SHOP.parents[1]
SCALE = 0.02


def load_program() -> Path:
    given = os.environ.get("SHARDWAY_LOAD")
    built = [Path(given)] if given else sorted(ROOT.glob("build/*/examples/shopsphere/load"), key=lambda path: path.stat().st_mtime)
    assert built, "the load is not built: build shopsphere_load, or set SHARDWAY_LOAD"
    return built[-1]


def copy_to_shards(fleet):
    dump = subprocess.run([servers.programs(15) / "pg_dump", "-s", "-n", "shop", "-d", fleet.source.database()], capture_output=True, check=True)
    for shard in fleet.shards:
        subprocess.run([servers.programs(15) / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", shard.database()], input=dump.stdout,
                       stdout=subprocess.DEVNULL, check=True)
    with psycopg.connect(fleet.source.database()) as source:
        targets = [psycopg.connect(shard.database(), options="-c session_replication_role=replica") for shard in fleet.shards]
        for name, table in TABLES.items():
            copy_table(source, targets, name, table)
        for target in targets:
            target.commit()
            target.close()


def copy_table(source, targets, name, table):
    columns = [row[0] for row in source.execute("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
                                                "AND NOT attisdropped AND attgenerated = '' ORDER BY attnum", [name])]
    listed = ", ".join(columns)
    by_shard = {index: None for index in range(len(targets))}
    if table.kind != REFERENCE:
        keys = [key for (key,) in source.execute(f"SELECT DISTINCT {table.shard_key} FROM {name}")]
        by_shard = {index: [key for key in keys if slots.shard_of(slots.slot_of(key), len(targets)) == index] for index in by_shard}
    for index, chosen in by_shard.items():
        where = "" if chosen is None else f"WHERE {table.shard_key} = ANY (%s)"
        with source.cursor().copy(f"COPY (SELECT {listed} FROM {name} {where}) TO STDOUT", [chosen] if where else None) as out, \
                targets[index].cursor().copy(f"COPY {name} ({listed}) FROM STDIN") as into:
            for block in out:
                into.write(block)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A source with a history, and two shards that hold the same rows."""
    log = tmp_path_factory.mktemp("log")
    with servers.Fleet(source_major=15, shards=2, source_replica=False, shard_replica=False) as fleet:
        fleet.make_databases(SHOP / "roles.sql")
        fleet.source.psql(SHOP / "schema.sql")
        fleet.source.psql(SHOP / "generate.sql", scale=SCALE, seed=1)
        subprocess.run([load_program(), "--plain", "--source", fleet.source.database("shop_app"), "--log", log, "--scale", str(SCALE),
                        "--seconds", "6", "--rate", "300"], check=True, stdout=subprocess.DEVNULL)
        copy_to_shards(fleet)
        yield fleet, log


@pytest.fixture
def databases(filled):
    """The same, as databases of the test's own."""
    fleet, log = filled
    for server in fleet.primaries:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS faulty")
            connection.execute("CREATE DATABASE faulty TEMPLATE shop")
    conninfos = [server.conninfo(database="faulty") for server in fleet.primaries]
    return checker.Nodes(conninfos[0], conninfos[1:], authority="shards"), log


def verdict(databases):
    nodes, log = databases
    return checker.run(nodes, log, with_engine=False)


def failures(databases):
    return {name for name, check in verdict(databases)["checks"].items() if check["result"] == "fail"}


def on_shard_of(nodes, key, statements):
    """Runs SQL on the shard that holds the key."""
    with psycopg.connect(nodes.shards[slots.shard_of(slots.slot_of(key), len(nodes.shards))], autocommit=True,
                         options="-c session_replication_role=replica") as connection:
        for sql, parameters in statements:
            assert connection.execute(sql, parameters).rowcount > 0


def acknowledged(log, table, what):
    """Keys of rows that an acknowledged operation of this kind touched, the last first."""
    for line in reversed(checker.read_history(log)):
        for effect in line.get("effects", ()):
            if line["outcome"] == "ok" and effect["table"] == table and effect["do"] == what:
                yield effect["key"], line


def test_what_was_copied_is_clean(databases):
    found = verdict(databases)
    assert found["holds"], found["checks"]
    assert found["acknowledged_writes"] > 500 and sum(found["rows"].values()) > 5000


def test_a_lost_row_is_found(databases):
    nodes, log = databases
    key, _ = next(acknowledged(log, "shop.inventory", "append"))
    on_shard_of(nodes, key, [("DELETE FROM shop.inventory WHERE sku = %s", [key])])
    assert "lost" in failures(databases)


def test_a_doubled_increment_is_found(databases):
    nodes, log = databases
    key, line = next(acknowledged(log, "shop.customers", "append"))
    on_shard_of(nodes, key, [("UPDATE shop.customers SET loyalty_points = loyalty_points + %s WHERE id = %s", [line["effects"][0]["add"], key])])
    assert "doubled_increment" in failures(databases)


def test_a_stale_value_is_found(databases):
    nodes, log = databases
    key, line = next((key, line) for key, line in acknowledged(log, "shop.order_documents", "append") if line["effects"][0]["sets"])
    on_shard_of(nodes, line["key"], [("UPDATE shop.order_documents SET document = jsonb_set(document, '{op}', '0') WHERE id = %s", [key])])
    assert "stale_value" in failures(databases)


def test_a_resurrected_row_is_found(databases):
    nodes, log = databases
    key, line = next(acknowledged(log, "shop.orders", "delete"))
    on_shard_of(nodes, line["key"], [("INSERT INTO shop.orders (id, customer_id, reference, net) VALUES (%s, %s, gen_random_uuid(), 1)",
                                      [key, line["key"]])])
    assert "resurrected" in failures(databases)


def test_a_misplaced_row_is_found(databases):
    nodes, log = databases
    key, _ = next(acknowledged(log, "shop.inventory", "append"))
    home = slots.shard_of(slots.slot_of(key), 2)
    with psycopg.connect(nodes.shards[home], autocommit=True) as here, psycopg.connect(nodes.shards[1 - home], autocommit=True) as other:
        row = here.execute("SELECT sku, warehouse, quantity, operations, price FROM shop.inventory WHERE sku = %s", [key]).fetchone()
        other.execute("INSERT INTO shop.inventory (sku, warehouse, quantity, operations, price) VALUES (%s, %s, %s, %s, %s)", row)
    found = failures(databases)
    assert {"misplaced", "on_two_shards"} <= found


def test_a_row_that_differs_on_the_source_is_found(databases):
    nodes, _ = databases
    with psycopg.connect(nodes.source, autocommit=True) as connection:
        connection.execute("UPDATE shop.reservations SET quantity = quantity + 1 WHERE id = (SELECT min(id::text)::uuid FROM shop.reservations)")
    assert failures(databases) == {"sides_differ"}


def test_a_reference_row_missing_on_one_shard_is_found(databases):
    nodes, _ = databases
    with psycopg.connect(nodes.shards[1], autocommit=True) as connection:
        connection.execute("DELETE FROM shop.currencies WHERE code = 'EUR'")
    assert failures(databases) == {"sides_differ"}
