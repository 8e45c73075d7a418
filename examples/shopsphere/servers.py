"""Real PostgreSQL servers in a temporary folder, as children of this process. They end with it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import psycopg
from queries import value_of

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "wal_level": "logical",
    "max_replication_slots": "16",
    "max_wal_senders": "16",
    "max_prepared_transactions": "0",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "wal_keep_size": "256MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "10min",
    "dynamic_shared_memory_type": "mmap",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_min_messages": "warning",
    "logging_collector": "off",
    "autovacuum_naptime": "10s",
    "max_parallel_workers_per_gather": "0",
}
DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")
PR_SET_PDEATHSIG = 1


class ServerError(RuntimeError):
    """A server did not do what it was asked; the message ends with its log."""


def programs(major: int) -> Path:
    """The folder of PostgreSQL's programs, by the rules of the library's own test clusters."""
    root = Path(__file__).resolve().parents[2]
    defaults = {
        13: root / "build/deps/postgres-13",
        15: Path("/usr/lib/postgresql/15"),
        18: root / "build/deps/postgres-18",
    }
    folder = Path(os.environ.get(f"SHARDWAY_POSTGRES_{major}", defaults[major])) / "bin"
    if not (folder / "postgres").exists():
        raise ServerError(
            f"PostgreSQL {major} was not found in {folder}: "
            f"run cmake/bootstrap, or set SHARDWAY_POSTGRES_{major}"
        )
    return folder.resolve()


def account() -> pwd.struct_passwd | None:
    """The unprivileged user of the servers; nothing if this process is not root itself."""
    if os.geteuid() != 0:
        return None
    for name in (os.environ.get("SHARDWAY_SERVER_USER", "postgres"), "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServerError("PostgreSQL refuses to run as root and there is no user postgres or nobody")


def _child_dies_with_parent() -> None:
    os.setpgid(0, 0)  # Ctrl-C is for us: we stop the servers in order
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def spawn(command: list[str], log: Path, owner: pwd.struct_passwd | None) -> subprocess.Popen:
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            preexec_fn=_child_dies_with_parent,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One server. Not for use from several threads at once."""

    def __init__(self, parent: Path, name: str, major: int, settings: dict[str, str] | None = None):
        self.name, self.major, self.bin, self.owner = name, major, programs(major), account()
        self.folder = parent / name
        self.data, self.log = self.folder / "data", self.folder / "server.log"
        self.port = free_port()
        self.settings = {**SETTINGS, **(settings or {})}
        self.process: subprocess.Popen | None = None
        self.folder.mkdir(mode=0o700)
        self._give(self.folder)

    def _give(self, path: Path) -> None:
        if self.owner:
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid)

    def _run(self, *command: str) -> None:
        process = spawn(list(command), self.log, self.owner)
        try:
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if code != 0:
            raise ServerError(f"{self.name}: {Path(command[0]).name} ended with {code}: {self.log_tail()}")

    def initialize(self) -> Server:
        self._run(
            str(self.bin / "initdb"),
            "-D",
            str(self.data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        )
        return self

    def copy_of(self, primary: Server, replay_delay_ms: int) -> Server:
        """Makes this a streaming replica. pg_basebackup of 15 also serves 13."""
        self._run(
            str(programs(15) / "pg_basebackup"),
            "-D",
            str(self.data),
            "-X",
            "stream",
            "-c",
            "fast",
            "--no-sync",
            "-d",
            f"host=127.0.0.1 port={primary.port} user=postgres",
        )
        self.settings |= {
            "primary_conninfo": f"host=127.0.0.1 port={primary.port} user=postgres "
            f"application_name={self.name}",
            "recovery_min_apply_delay": f"{replay_delay_ms}ms",
            "hot_standby_feedback": "on",
        }
        marker = self.data / "standby.signal"
        marker.touch()
        self._give(marker)
        return self

    def start(self) -> Server:
        settings = {**self.settings, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        file = self.data / "postgresql.auto.conf"
        file.write_text("".join(f"{name} = '{value}'\n" for name, value in settings.items()))
        self._give(file)
        with interrupts_later():
            self.process = spawn([str(self.bin / "postgres"), "-D", str(self.data)], self.log, self.owner)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ServerError(f"{self.name} ended at once: {self.log_tail()}")
            try:
                psycopg.connect(self.conninfo(), connect_timeout=2).close()
                return self
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise ServerError(f"{self.name} did not start within 60 s: {self.log_tail()}")

    def stop(self) -> None:
        if not self.process or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGQUIT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def conninfo(self, user: str = "postgres", database: str = "postgres") -> str:
        return f"host=127.0.0.1 port={self.port} dbname={database} user={user}"

    def database(self, user: str = "postgres") -> str:
        return self.conninfo(user, "shop")

    def log_tail(self, lines: int = 15) -> str:
        return (
            "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
            if self.log.exists()
            else "(no log)"
        )

    def psql(self, file: Path, user: str = "postgres", **variables: object) -> None:
        command = [
            str(programs(15) / "psql"),
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-o",
            "/dev/null",
            "-d",
            self.database(user),
            "-f",
            str(file),
        ]
        for name, value in variables.items():
            command += ["-v", f"{name}={value}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ServerError(f"{self.name}: {file.name}: {done.stderr.strip()}")

    def durability(self) -> dict[str, str]:
        with psycopg.connect(self.database()) as connection:
            return {name: value_of(connection, f"SHOW {name}") for name in DURABILITY}


class Fleet:
    """A source, its replicas and shards, in a folder that goes with them."""

    def __init__(
        self,
        source_major: int = 13,
        shard_major: int = 15,
        shards: int = 4,
        source_replica: bool = True,
        shard_replica: bool = True,
        replay_delay_ms: int = 200,
        settings: dict[str, str] | None = None,
    ):
        self.folder = Path(tempfile.mkdtemp(prefix="shopsphere-"))
        self.folder.chmod(0o755)
        self.settings = settings or {}
        self.servers: dict[str, Server] = {}
        self.keep = False
        try:
            self._start(source_major, shard_major, shards, source_replica, shard_replica, replay_delay_ms)
        except BaseException:
            self.close()
            raise

    def _start(
        self,
        source_major: int,
        shard_major: int,
        shards: int,
        source_replica: bool,
        shard_replica: bool,
        replay_delay_ms: int,
    ) -> None:
        names = {"source": source_major} | {f"shard{i}": shard_major for i in range(shards)}
        for name, major in names.items():
            self.servers[name] = Server(self.folder, name, major, self.settings)
        in_parallel([server.initialize for server in self.servers.values()])
        for server in list(self.servers.values()):
            server.start()
        wanted = (["source"] if source_replica else []) + (["shard0"] if shard_replica else [])
        for name in wanted:
            primary = self.servers[name]
            replica = Server(self.folder, f"{name}_replica", primary.major, self.settings)
            self.servers[replica.name] = replica
            delay = replay_delay_ms if name == "source" else 0
            replica.copy_of(primary, delay).start()

    @property
    def source(self) -> Server:
        return self.servers["source"]

    @property
    def shards(self) -> list[Server]:
        return [
            server
            for name, server in self.servers.items()
            if name.startswith("shard") and not name.endswith("_replica")
        ]

    @property
    def primaries(self) -> list[Server]:
        return [self.source, *self.shards]

    def replica_of(self, name: str) -> Server | None:
        return self.servers.get(f"{name}_replica")

    def make_databases(self, roles: Path) -> None:
        def one(server: Server) -> None:
            with psycopg.connect(server.conninfo(), autocommit=True) as connection:
                connection.execute("CREATE DATABASE shop")
            server.psql(roles)

        in_parallel([lambda server=server: one(server) for server in self.primaries])

    def close(self) -> None:
        with undisturbed():
            for server in reversed(list(self.servers.values())):
                server.stop()
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.keep:
            self.close()


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """An impatient second Ctrl-C must leave nothing behind either."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def interrupts_later() -> Iterator[None]:
    """Ctrl-C waits until a new process has its place: nobody would stop one that is not known."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def in_parallel(jobs: list) -> None:
    # For programs that end by themselves. A server dies with the thread that started it.
    with ThreadPoolExecutor(max_workers=2) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()
