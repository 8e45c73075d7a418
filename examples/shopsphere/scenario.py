"""The script of the demo: the migration step by step, through the `shardway` command."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from figures import Phase
from judge import TABLES
from processes import Controller, ForeignWriter, Load, Shardway
from servers import Fleet

HERE = Path(__file__).resolve().parent
GROUPS = ("sales", "stock", "crm")
REFERENCE_GROUP = "catalogue"
WAVES = (1, 10, 100)
FINALIZED_GROUP = "crm"
ROLLED_BACK = ("stock", "shard1")
GUARDED_TRIES = 8  # so many times the foreign writer must have tried under the guard
KILL_IN_COPY = "before_chunk_close:kill:5"
KILL_IN_WAVE = "wave_after_fence:kill"
KILLED_WAVE = ("sales", 10)


@dataclass
class Options:
    scale: float = 1.0
    rate: float = 200.0
    seed: int = 1
    keep: bool = False
    pace: float = 1.0  # how long the load runs in each stage, as a share of the usual time


@dataclass
class Facts:
    """What the script itself saw; everything else comes from the clients' logs and the databases."""

    durability: dict[str, dict[str, str]] = field(default_factory=dict)
    preflight: list[dict[str, Any]] = field(default_factory=list)
    chunks_open_at_kill: int = 0
    killed_at: list[str] = field(default_factory=list)
    controller_resumed: int = 0
    copy_rows: int = 0
    copy_seconds: float = 0.0
    verified: dict[str, dict[str, Any]] = field(default_factory=dict)
    foreign_seen: int = 0
    foreign_after_guard: list[str] = field(
        default_factory=list
    )  # what the foreign writer's tries got that began under the guard
    wave_reports: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def foreign_refused(self) -> int:
        return self.foreign_after_guard.count("SW003")

    @property
    def foreign_let_through(self) -> int:
        return self.foreign_after_guard.count("ok")


class Scenario:
    def __init__(self, options: Options, fleet: Fleet, load_program: Path, stage_view: Any):
        self.options, self.fleet, self.view = options, fleet, stage_view
        self.folder = fleet.folder / "demo"
        self.history = self.folder / "history"
        self.history.mkdir(parents=True)
        self.load_program = load_program
        self.manifests = self.folder / "manifests"
        self.shardway = Shardway(self.manifests, self.folder / "commands.log")
        self.controller = Controller(self.manifests, self.folder)
        self.load: Load | None = None
        self.foreign: ForeignWriter | None = None
        self.phases: list[Phase] = []
        self.facts = Facts()

    @contextlib.contextmanager
    def phase(self, name: str, stage: str = "", **wave: Any) -> Iterator[Phase]:
        one = Phase(name, stage, time.monotonic(), wave=wave)
        self.phases.append(one)
        self.view.phase(name, stage)
        if self.load and not self.load.summary:
            self.load.say(f"phase {name}")
        try:
            yield one
        finally:
            one.seconds = time.monotonic() - one.began

    @contextlib.contextmanager
    def commands_beside(self) -> Iterator[ThreadPoolExecutor]:
        """Runs commands while the script goes on. If the script fails, they end too."""
        pool = ThreadPoolExecutor(max_workers=4)
        try:
            yield pool
        except BaseException:
            self.shardway.stop()
            raise
        finally:
            pool.shutdown()

    def dwell(self, seconds: float) -> None:
        """Lets the clients work at this stage."""
        time.sleep(seconds * self.options.pace)

    def run(self) -> None:
        for step in (
            self.prepare,
            self.observe,
            self.copy,
            self.replicate,
            self.dual_write,
            self.verify,
            self.guard,
            self.waves,
            self.roll_back,
            self.finalize,
            self.settle,
        ):
            step()

    def close(self) -> None:
        """Ends every program that is not a server. May be called at any moment, and twice."""
        for one in (self.load, self.foreign, self.controller):
            if one:
                one.stop()

    def on_source(self, sql: str, *parameters: Any) -> Any:
        return self.on(self.fleet.source, sql, *parameters)

    @staticmethod
    def on(server: Any, sql: str, *parameters: Any) -> Any:
        with psycopg.connect(server.database(), autocommit=True) as connection:
            found = connection.execute(sql, parameters)
            row = found.fetchone() if found.description else None
            return row[0] if row else None

    def prepare(self) -> None:
        with self.phase("set up"):
            self.fleet.make_databases(HERE / "roles.sql")
            self.fleet.source.psql(HERE / "schema.sql")
            self.fleet.source.psql(HERE / "generate.sql", scale=self.options.scale, seed=self.options.seed)
            self.facts.durability = {server.name: server.durability() for server in self.fleet.primaries}
            self.write_manifests()
            self.make_roles()
            self.facts.preflight = self.shardway.run("doctor")["findings"]
            self.shardway.run("manifest", "apply")

    def write_manifests(self) -> None:
        self.manifests.mkdir()
        text = (HERE / "manifests/migration.txtpb.in").read_text()
        for name, server in self.fleet.servers.items():
            text = text.replace(f"@{name}@", f"host=127.0.0.1 port={server.port} dbname=shop")
        (self.manifests / "migration.txtpb").write_text(text)
        for file in (HERE / "manifests").glob("*.txtpb"):
            (self.manifests / file.name).write_text(file.read_text())

    def make_roles(self) -> None:
        """The administrator runs what `plan` says."""
        for script in self.shardway.run("plan", "--user", "postgres")["roles_sql"]:
            file = self.folder / f"roles_{script['node']}.sql"
            file.write_text(script["sql"])
            self.fleet.servers[script["node"]].psql(file)

    def observe(self) -> None:
        replica = self.fleet.replica_of("source")
        assert replica
        with self.phase("observe", "observing"):
            self.load = Load(
                self.load_program,
                self.history,
                self.fleet.source.database("shop_app"),
                replica.database("shop_app"),
                self.options.rate,
                self.options.scale,
                self.options.seed,
            )
            self.load.say("phase observe")
            self.foreign = ForeignWriter(
                self.fleet.source.database("shop_app"),
                self.folder / "foreign.log",
                int(10000 * self.options.scale),
            )
            self.dwell(6)

    def copy(self) -> None:
        """Copies all groups. The controller is killed while chunks are open, and started again."""
        with self.phase("rehearse"):
            for group in (REFERENCE_GROUP, *GROUPS):
                self.shardway.run("rehearse", "--group", group)
        with self.phase("copy", "copying") as phase:
            self.controller.start(kill_at=KILL_IN_COPY)
            self.wait_for_controller()
            with self.commands_beside() as pool:
                jobs = [
                    pool.submit(
                        self.shardway.run, "migrate", "advance", "--group", group, "--to", "replicating"
                    )
                    for group in (REFERENCE_GROUP, *GROUPS)
                ]
                self.facts.killed_at.append(self.controller.wait_killed(60))
                self.facts.chunks_open_at_kill = self.open_chunks()
                self.view.note(
                    f"controller killed at {self.facts.killed_at[-1]} with "
                    f"{self.facts.chunks_open_at_kill} chunks open; starting it again"
                )
                self.restart_controller()
                for job in jobs:
                    job.result()
            self.facts.copy_seconds = time.monotonic() - phase.began
            self.facts.copy_rows = self.on_source(
                "SELECT coalesce(sum(row_count), 0)::bigint FROM shardway.chunk WHERE state = 'closed'"
            )

    def open_chunks(self) -> int:
        """Chunks that are not closed but have rows on a shard: they were open when the controller died."""
        found = 0
        with psycopg.connect(self.fleet.source.database(), autocommit=True) as connection:
            chunks = connection.execute(
                "SELECT relation, lower, upper FROM shardway.chunk WHERE state <> 'closed'"
            ).fetchall()
        for relation, lower, upper in chunks:
            key = TABLES[relation].key[0]
            bounds = "".join(
                f" AND {key} {sign} '{bound}'"
                for sign, bound in ((">=", lower), ("<", upper))
                if bound is not None
            )
            found += any(
                self.on(shard, f"SELECT EXISTS (SELECT FROM {relation} WHERE true{bounds})")
                for shard in self.fleet.shards
            )
        return found

    def replicate(self) -> None:
        with self.phase("replicate", "replicating"):
            self.dwell(4)

    def dual_write(self) -> None:
        """Writes both sides. Meanwhile a lock on one shard makes dual writes fail: the stream heals them."""
        with self.phase("dual write", "dual_writing"):
            for group in GROUPS:
                self.shardway.run("migrate", "advance", "--group", group, "--to", "dual_writing")
            self.dwell(4)
        with self.phase("dual write, a shard's table locked"):
            self.lock_for(self.fleet.servers["shard2"], "shop.inventory", 1.5)
        with self.phase("dual write again", "dual_writing"):
            self.dwell(3)

    def lock_for(self, server: Any, table: str, seconds: float) -> None:
        with psycopg.connect(server.database()) as connection:
            connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            time.sleep(seconds)

    def verify(self) -> None:
        with self.phase("verify", "dual_writing"):
            for group in GROUPS:
                self.verify_group(group)

    def verify_group(self, group: str) -> None:
        for table in self.shardway.run("migrate", "verify", "--group", group)["tables"]:
            self.facts.verified[table["relation"]] = {"verdict": table["verdict"], "rows": table["rows"]}

    def guard(self) -> None:
        """Refuses the foreign writer, which was noticed before."""
        foreign = self.foreign
        assert foreign
        with self.phase("refuse foreign writers", "dual_writing"):
            deadline = time.monotonic() + 10
            while self.foreign_seen() == 0 and time.monotonic() < deadline:
                time.sleep(0.2)
            for group in GROUPS:
                self.shardway.run("migrate", "guard", "--group", group)
            guarded = time.time()
            deadline = time.monotonic() + 15
            while (
                len(foreign.answers_begun_after(guarded + 0.5)) < GUARDED_TRIES
                and time.monotonic() < deadline
            ):
                time.sleep(0.1)
            foreign.stop()
            self.facts.foreign_seen = self.foreign_seen()
            self.facts.foreign_after_guard = foreign.answers_begun_after(guarded + 0.5)
            time.sleep(3.2)  # a wave wants to see no foreign write for 3 s

    def foreign_seen(self) -> int:
        """What shardway noticed: samples of its guard, or changes without an outbox row in its stream."""
        recorded = self.on_source(
            "SELECT count(*) FROM shardway.foreign_write WHERE application_name = 'legacy-prices'"
        )
        streamed = 0
        for shard in self.fleet.shards:
            streamed += self.on(
                shard,
                "SELECT coalesce((SELECT foreign_writes FROM shardway.stream_progress "
                "ORDER BY id DESC LIMIT 1), 0)",
            )
        return max(recorded, streamed)

    def waves(self) -> None:
        for percent in WAVES:
            for group in GROUPS:
                if (group, percent) == KILLED_WAVE:
                    self.killed_wave(group, percent)
                else:
                    self.one_wave(group, percent)

    def one_wave(self, group: str, percent: int, again: str = "") -> None:
        with self.phase(
            f"wave {group} {percent} %{again}", "sharded", group=group, percent=percent, to=""
        ) as phase:
            planned, done = self.shardway.dangerous(
                "wave", "run", "--group", group, "--percent", str(percent), "--approved-by", "demo"
            )
            self.keep_plan(phase, planned, done)
            self.dwell(1)

    def keep_plan(self, phase: Phase, planned: dict[str, Any], done: dict[str, Any]) -> None:
        phase.wave |= {
            "ranges": planned["state"]["plan"]["ranges"],
            "epoch_after": planned["state"]["plan"]["epoch_after"],
        }
        self.facts.wave_reports[phase.name] = done.get("wave") or {}

    def killed_wave(self, group: str, percent: int) -> None:
        """Kills the controller during a wave. The next one completes or undoes it; then it runs again."""
        self.controller.stop()
        self.controller.start(kill_at=KILL_IN_WAVE)
        self.wait_for_controller()
        with (
            self.phase(
                f"wave {group} {percent} %, controller killed", "", group=group, percent=percent, to=""
            ) as phase,
            self.commands_beside() as pool,
        ):
            planned = self.shardway.run(
                "wave",
                "run",
                "--group",
                group,
                "--percent",
                str(percent),
                "--approved-by",
                "demo",
                "--dry-run",
            )
            job = pool.submit(
                self.shardway.run,
                "wave",
                "run",
                "--group",
                group,
                "--percent",
                str(percent),
                "--approved-by",
                "demo",
                "--yes",
                f"--expect-state={planned['expect_state']}",
                expect=(0, 1, 3, 5, 6),
            )
            self.facts.killed_at.append(self.controller.wait_killed(60))
            self.view.note(f"controller killed at {self.facts.killed_at[-1]}; starting it again")
            self.restart_controller()
            done = job.result()
            self.keep_plan(phase, planned, done)
        if self.moved_slots(group) < self.slots_of_percent(percent):
            phase.wave["undone"] = True
            self.one_wave(group, percent, ", again")

    @staticmethod
    def slots_of_percent(percent: int) -> int:
        return 4096 * percent // 100 - 4

    def moved_slots(self, group: str) -> int:
        status = self.shardway.run("migrate", "status")
        return next(one["moved_slots"] for one in status["groups"] if one["group"] == group)

    def wait_for_controller(self, timeout: float = 30) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not self.controller.is_running():
                raise RuntimeError(f"the controller ended: {self.controller.log_tail()}")
            if self.on_source(
                "SELECT EXISTS (SELECT FROM shardway.status WHERE name = 'controller' "
                "AND document ->> 'holder' LIKE %s AND at > clock_timestamp() - interval '2 s')",
                f"%:{self.controller.pid}",
            ):
                return
            time.sleep(0.1)
        raise RuntimeError(
            f"the controller did not begin to act within {timeout:g} s: {self.controller.log_tail()}"
        )

    def restart_controller(self) -> None:
        self.controller.start()
        self.wait_for_controller()
        self.facts.controller_resumed += 1

    def roll_back(self) -> None:
        group, shard = ROLLED_BACK
        with self.phase(f"roll back {shard} of {group}", "", group=group, percent=0, to="source") as phase:
            planned, done = self.shardway.dangerous(
                "wave", "rollback", "--group", group, "--shard", shard, "--approved-by", "demo"
            )
            self.keep_plan(phase, planned, done)
            self.dwell(2)
        with self.phase("verify again"):
            self.verify_group(group)
        self.one_wave(group, 100, ", forward again")

    def finalize(self) -> None:
        with self.phase(f"finalize {FINALIZED_GROUP}", "finalized"):
            self.shardway.dangerous(
                "migrate", "finalize", "--group", FINALIZED_GROUP, "--approved-by", "demo"
            )
            self.dwell(2)

    def settle(self) -> None:
        """Stops the clients and waits until streams and mirrors are empty."""
        assert self.load
        with self.phase("settle"):
            self.load.finish()
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and not self.is_quiet():
                time.sleep(0.3)
        self.load.stop()

    def is_quiet(self) -> bool:
        document = self.on_source("SELECT document FROM shardway.status WHERE name = 'controller'") or {}
        streams = document.get("streams", []) + document.get("mirrors", [])
        return bool(streams) and all(one["queued"] == 0 for one in streams)


class StatusPoller(threading.Thread):
    """Reads the status of the controller twice a second for the live view. It never disturbs the script."""

    def __init__(self, scenario: Scenario):
        super().__init__(daemon=True)
        self.scenario, self.ended = scenario, threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.5):
            try:
                document = self.scenario.on_source(
                    "SELECT document FROM shardway.status WHERE name = 'controller'"
                )
            except psycopg.Error:
                document = None  # not installed yet
            self.scenario.view.refresh(
                document or {}, self.scenario.load.latest if self.scenario.load else {}
            )
