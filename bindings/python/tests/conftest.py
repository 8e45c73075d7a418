"""What the tests share: manifest folders, the command as a child process, a cluster of real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(os.environ.get("SHARDWAY_ROOT", Path(__file__).resolve().parents[3]))
BUILD = Path(os.environ.get("SHARDWAY_BUILD", ROOT / "build/dev"))

MIGRATION = """\
api_version: 1
name: "shop"
source {{ name: "source" conninfo: "{source}" }}
shard {{ name: "shard1" conninfo: "{shard1}" }}
shard {{ name: "shard2" conninfo: "{shard2}" }}
application_role: "shop_app"
engine_role: "shardway_engine"
mirror_role: "shardway_mirror"
"""
ORDERS = """\
api_version: 1
table: "shop.orders"
group: "sales"
shard_key: "customer_id"
key: "id"
ids { strategy: EXTERNAL }
"""
NOWHERE = "host=127.0.0.1 port=1 dbname=shop"


class Finished:
    """The exit code and the output of a run of the command."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


def shardway(*arguments: str, environment: dict[str, str] | None = None, timeout: float = 60) -> Finished:
    """Run the command without a terminal."""
    inherited = {name: value for name, value in os.environ.items() if name != "SHARDWAY_MIGRATION"}
    done = subprocess.run(
        [sys.executable, "-m", "shardway", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**inherited, **(environment or {})},
    )
    return Finished(done)


def write_migration(
    folder: Path, nodes: dict[str, str] | None = None, tables: dict[str, str] | None = None
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    places = {"source": NOWHERE, "shard1": NOWHERE + "1", "shard2": NOWHERE + "2", **(nodes or {})}
    (folder / "migration.txtpb").write_text(MIGRATION.format(**places))
    for name, text in (tables or {"orders.txtpb": ORDERS}).items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def migration(tmp_path: Path) -> Path:
    """A valid migration whose servers do not exist."""
    return write_migration(tmp_path / "shop")


class Cluster:
    """A 13 source and two 15 shards, each with the database `shop`."""

    def __init__(self) -> None:
        program = BUILD / "bin" / "shardway_servers"
        assert program.exists(), f"{program} is missing: build the target shardway_servers"
        self.process = subprocess.Popen(
            [
                str(program),
                "--source-major",
                "13",
                "--shard-major",
                "15",
                "--shards",
                "2",
                "--database",
                "shop",
                "--fast",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "shardway_servers ended at once"
        self.nodes: dict[str, str] = {node["name"]: node["conninfo"] for node in json.loads(line)["nodes"]}

    def run(self, node: str, sql: str) -> list[Any]:
        with psycopg.connect(self.nodes[node], autocommit=True) as connection:
            answer = connection.execute(sql)
            return answer.fetchall() if answer.description else []

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(60)


@pytest.fixture(scope="session")
def cluster():
    servers = Cluster()
    yield servers
    servers.close()
