"""Injects faults into real databases that the load has filled and plain SQL has copied to shards.

The checker must find each fault by its name.
"""

import os
import subprocess
from pathlib import Path

import checker
import faults
import psycopg
import pytest
import servers
import slots
from judge import REFERENCE, TABLES

SHOP = Path(servers.__file__).parent
ROOT = SHOP.parents[1]
SCALE = 0.02


def load_program() -> Path:
    given = os.environ.get("SHARDWAY_LOAD")
    built = (
        [Path(given)]
        if given
        else sorted(ROOT.glob("build/*/examples/shopsphere/load"), key=lambda path: path.stat().st_mtime)
    )
    assert built, "the load is not built: build shopsphere_load, or set SHARDWAY_LOAD"
    return built[-1]


def copy_to_shards(fleet):
    dump = subprocess.run(
        [servers.programs(15) / "pg_dump", "-s", "-n", "shop", "-d", fleet.source.database()],
        capture_output=True,
        check=True,
    )
    for shard in fleet.shards:
        subprocess.run(
            [servers.programs(15) / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", shard.database()],
            input=dump.stdout,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    with psycopg.connect(fleet.source.database()) as source:
        targets = [
            psycopg.connect(shard.database(), options="-c session_replication_role=replica")
            for shard in fleet.shards
        ]
        for name, table in TABLES.items():
            copy_table(source, targets, name, table)
        for target in targets:
            target.commit()
            target.close()


def copy_table(source, targets, name, table):
    columns = [
        row[0]
        for row in source.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
            "AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
            [name],
        )
    ]
    listed = ", ".join(columns)
    by_shard = dict.fromkeys(range(len(targets)))
    if table.kind != REFERENCE:
        keys = [key for (key,) in source.execute(f"SELECT DISTINCT {table.shard_key} FROM {name}")]
        by_shard = {
            index: [key for key in keys if slots.shard_of(slots.slot_of(key), len(targets)) == index]
            for index in by_shard
        }
    for index, chosen in by_shard.items():
        where = "" if chosen is None else f"WHERE {table.shard_key} = ANY (%s)"
        with (
            source.cursor().copy(
                f"COPY (SELECT {listed} FROM {name} {where}) TO STDOUT", [chosen] if where else None
            ) as out,
            targets[index].cursor().copy(f"COPY {name} ({listed}) FROM STDIN") as into,
        ):
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
        subprocess.run(
            [
                load_program(),
                "--plain",
                "--source",
                fleet.source.database("shop_app"),
                "--log",
                log,
                "--scale",
                str(SCALE),
                "--seconds",
                "6",
                "--rate",
                "300",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        copy_to_shards(fleet)
        yield (
            checker.Nodes(
                fleet.source.database(), [shard.database() for shard in fleet.shards], authority="shards"
            ),
            log,
        )


def verdict(filled):
    nodes, log = filled
    return checker.run(nodes, log, with_engine=False)


def failures(filled):
    return {name for name, check in verdict(filled)["checks"].items() if check["result"] == "fail"}


def test_what_was_copied_is_clean(filled):
    found = verdict(filled)
    assert found["holds"], found["checks"]
    assert found["acknowledged_writes"] > 500 and sum(found["rows"].values()) > 5000


@pytest.mark.parametrize("name", faults.FAULTS)
def test_an_injected_fault_is_found_by_name(filled, name):
    nodes, log = filled
    with faults.FAULTS[name](nodes.shards, checker.read_history(log)):
        assert name in failures(filled)
    assert failures(filled) == set(), "the fault is still there"


def test_a_misplaced_row_is_also_on_two_shards(filled):
    nodes, log = filled
    with faults.misplaced_row(nodes.shards, checker.read_history(log)):
        assert {"misplaced", "on_two_shards"} <= failures(filled)


def test_a_row_that_differs_on_the_source_is_found(filled):
    nodes, _ = filled
    row = "SELECT min(id::text)::uuid FROM shop.reservations"
    one = f"UPDATE shop.reservations SET quantity = quantity + %s WHERE id = ({row})"
    faults.run(nodes.source, (one, [1]))
    assert failures(filled) == {"sides_differ"}
    faults.run(nodes.source, (one, [-1]))


def test_a_reference_row_that_differs_on_one_shard_is_found(filled):
    nodes, _ = filled
    one = "UPDATE shop.currencies SET rate = rate + %s WHERE code = 'EUR'"
    faults.run(nodes.shards[1], (one, [1]))
    assert failures(filled) == {"sides_differ"}
    faults.run(nodes.shards[1], (one, [-1]))
