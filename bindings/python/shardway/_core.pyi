"""
The library's calls, one to one. Documents cross as JSON; the package `shardway` puts Python's types over them.
"""

from collections.abc import Callable, Iterable, Sequence

import shardway.results


def error_codes() -> list[tuple[str, bool, bool, bool]]:
    """
    Every error code: (name, retryable, needs_reconnect, needs_operator). docs/ERRORS.md explains each.
    """

class ShardKey:
    """The shard key of a row, as its canonical bytes."""

    def __init__(self, value: object | None) -> None:
        """
        From an int, str, uuid.UUID or bytes, or a tuple of up to four of them. Integers of every width give the same key.
        """

    @staticmethod
    def from_text(types: Sequence[str], texts: Sequence[str]) -> ShardKey:
        """
        From PostgreSQL's names of the columns' types and the values in its text form.
        """

    @property
    def bytes(self) -> bytes:
        """The canonical bytes (docs/formats/shard_key.md)."""

    @property
    def slot(self) -> int:
        """The slot, 0 to 4,095."""

    def __len__(self) -> int: ...

    def __eq__(self, arg: object, /) -> bool: ...

    def __hash__(self) -> int: ...

    def __repr__(self) -> str: ...

def slot_of(key: object | None) -> int:
    """
    The slot of a shard key, 0 to 4,095. The same as `shardway.slot_of(...)` in SQL.
    """

def slots_of(keys: Sequence[object]) -> list[int]:
    """The slots of many shard keys in one call."""

SLOT_COUNT: int = 4096

def lint(migration: tuple[str, str], tables: Sequence[tuple[str, str]]) -> list:
    """
    Everything wrong with the (file, text) pairs: code, file, line, column, message, hint, text.
    """

def format_table(text: str, file: str) -> str:
    """The table's manifest in its one form."""

def format_migration(text: str, file: str) -> str:
    """The migration's manifest in its one form."""

def generation_summary(document: str) -> dict:
    """Groups, stages and authority of a generation's document."""

def explain_route(document: str, table: str, values: Sequence[str]) -> dict:
    """
    Where a call with this shard key (in text form) goes by a generation's document, and why.
    """

class MigrationSet:
    """The manifests of one migration, parsed and valid."""

    @staticmethod
    def load(migration: tuple[str, str], tables: Sequence[tuple[str, str]]) -> MigrationSet:
        """From (file, text) pairs; raises ConfigError with all findings."""

    @property
    def name(self) -> str: ...

    @property
    def engine_role(self) -> str: ...

    @property
    def application_role(self) -> str: ...

    @property
    def mirror_role(self) -> str: ...

    @property
    def nodes(self) -> list:
        """The source, then the shards: name, conninfo, replicas."""

    @property
    def tables(self) -> list: ...

    def conninfo(self, role: str) -> str:
        """How to reach the source as a role."""

    def diff(self, generation: str | None) -> list:
        """
        What these manifests would change in a generation's document, or in none.
        """

    def preflight(self, role: str, transaction_age_max_s: int = 60, groups: Sequence[str] = [], tables: Sequence[str] = []) -> list:
        """
        What the doctor finds: id, level, node, subject, what, fix, table, reason. Connects to every node, and only reads. With groups or tables it looks at these tables only.
        """

    def plan(self) -> list:
        """The steps of the migration, in order. Connects to nothing."""

    def plan_text(self) -> str:
        """The same as text."""

    def roles_sql(self, role: str) -> list:
        """
        For each node the SQL that creates the roles; an administrator runs it. Reads only.
        """

    def install(self, role: str) -> None:
        """Creates or upgrades schema shardway on each node. Idempotent."""

    def schema_versions(self, role: str) -> list:
        """(node, version of schema shardway; 0: not installed)."""

    def installed(self, role: str) -> list:
        """What `uninstall` would drop now: node, kind, name. Reads only."""

    def uninstall(self, role: str, even_with_clients: bool = False) -> list:
        """
        Drops everything the migration installed, also after a crash, and returns what it was. Refused while clients are registered, unless told otherwise.
        """

    def rehearse(self, role: str, group: str, client_programs: str = '') -> dict:
        """
        Makes, copies, plays and compares a group in a scratch database on each shard, records the outcome in the catalog and returns the report. On the source's tables it only reads.
        """

    def apply(self, holder: str, lease_wait: float = 0.0, client_programs: str = '') -> dict:
        """
        Installs shardway on every node and publishes the generation that these manifests describe: changes and generation. Fails with lease_held while a controller runs.
        """

    def run_controller(self, holder: str, lease_wait: float = 15.0, client_programs: str = '', on_ready: object | None = None) -> None:
        """
        Runs the controller until a signal handler raises (Ctrl-C), then stops it and raises. Calls `on_ready` once, when the controller serves requests. lease_wait is in seconds.
        """

    def plan_wave(self, role: str, group: str, percent: float | None = None, shard: str | None = None) -> dict:
        """
        The slots that a wave would move: forward with `percent`, back without. Only reads.
        """

class Catalog:
    """
    A session on the source's catalog. JSON documents are texts; shardway.catalog parses them.
    """

    @staticmethod
    def open(conninfo: str, application: str = 'shardway-command', timeout_ms: int = 5000) -> Catalog: ...

    def close(self) -> None: ...

    def enqueue_request(self, kind: str, arguments: str) -> int:
        """Inserts a request for the controller and returns its number."""

    def find_request(self, id: int) -> dict | None:
        """
        The request as it stands, its result as JSON; None if there is no such request.
        """

    def status(self) -> list:
        """The status documents of controllers: name, document, age_ms."""

    def generation(self) -> str | None:
        """The newest generation as JSON, or None."""

    def lease(self) -> dict | None:
        """Who holds the lease: token, holder, expires_at, is_alive; or None."""

    def certificate(self, relation: str) -> dict | None:
        """The newest certificate of a table, or None."""

    def certificate_gaps(self, relations: Sequence[str], age_max_s: int = 0) -> list: ...

    def waves(self, group: str = '') -> list: ...

    def journal(self, wave: str = '', limit: int = 100) -> list: ...

    def clients(self, expire_after_s: int = 60) -> list: ...

    def observed(self, within_s: int) -> dict:
        """
        The call reports of all clients added up, `calls` as JSON; proposed_groups; foreign_writers of the source.
        """

    def foreign_writers(self, within_s: int) -> list:
        """
        Who has written the source's tables without the library: relation, operation, application, role, statements, last_seen.
        """

    def manifests(self) -> list:
        """The manifests as they were applied."""

    def put_manifest(self, relation: str, document: str) -> bool:
        """
        Records an applied manifest. True if it is new or differs from the one recorded.
        """

class ClientSession:
    """
    A user's or request's view: it sees its own writes. One thread at a time: another gets invalid_argument.
    """

    def execute(self, table: str, key: object | None, sql: str, parameters: object | None = None, *, deadline: float = 30.0, isolation: str = 'read_committed', operation_id: str = '', call_site: object | None = None) -> dict:
        """
        One INSERT, UPDATE or DELETE of rows with this shard key, on the node that has authority; the receipt. Placeholders are $1, $2 ...; times are seconds. With answer_lost it committed, and affected and rows are not known.
        """

    def read(self, table: str, key: object | None, sql: str, parameters: object | None = None, *, consistency: str = 'read_your_writes', staleness_max: float = 1.0, wait_budget: float = 0.05, deadline: float = 30.0, call_site: object | None = None) -> dict:
        """
        One SELECT of rows with this shard key: rows, node, from_replica, waited_us.
        """

    def token(self) -> str:
        """
        What the session has written and seen. Give it to `adopt` in the process that serves the user next.
        """

    def adopt(self, token: str) -> None:
        """
        Takes over another session's token, so that reads here see what it saw. A malformed one changes nothing.
        """

    def __enter__(self) -> ClientSession: ...

    def __exit__(self, *args) -> None: ...

    def write(self, table: str, key: object | None, body: Callable, *, deadline: float = 30.0, isolation: str = 'read_committed', operation_id: str = '', call_site: object | None = None) -> dict:
        """
        Several statements in one transaction: body(WriteTransaction) may be run again as a whole. What it raises rolls back and is raised.
        """

    def execute_batch(self, table: str, sql: str, rows: Iterable, *, deadline: float = 30.0, single_transaction: bool = False) -> dict:
        """
        One INSERT, UPDATE or DELETE for many (key, parameters): one transaction a node. parts says what became of each, also where one failed.
        """

    def read_many(self, table: str, keys: Iterable, sql: str, parameters: object | None = None, *, consistency: str = 'read_your_writes', deadline: float = 30.0, order_by: Iterable = [], limit: int | None = None, offset: int = 0) -> dict:
        """
        One SELECT of rows of several keys, each node asked once: its keys are $1 as an array (WHERE customer_id = ANY ($1)), parameters follow.
        """

    def read_all(self, table: str, sql: str, parameters: object | None = None, *, consistency: str = 'read_your_writes', deadline: float = 30.0, order_by: Iterable = [], limit: int | None = None, offset: int = 0, group_by: Sequence[str] = [], aggregates: Iterable = []) -> dict:
        """
        One SELECT of rows of any key, where the manifest allows it; {slots:alias.column} says where the shard key is. order_by: columns or (column, descending, collation); aggregates: (name, function, column).
        """

    def read_by(self, table: str, lookup: str, value: object, sql: str, parameters: object | None = None, *, consistency: str = 'read_your_writes', deadline: float = 30.0) -> dict:
        """
        One SELECT for each shard key that a lookup's value leads to; the shard key's columns follow the parameters.
        """

    def execute_by(self, table: str, lookup: str, value: object, sql: str, parameters: object | None = None, *, deadline: float = 30.0) -> dict | None:
        """
        Writes the row that has this value in a unique lookup, and returns its receipt; None if no row has the value.
        """

class WriteTransaction:
    """
    One attempt of `ClientSession.write`, past the fence. COMMIT is the library's.
    """

    def execute(self, table: str, sql: str, parameters: object | None = None) -> dict:
        """One INSERT, UPDATE or DELETE: affected and rows."""

    def query(self, sql: str, parameters: object | None = None) -> shardway.results.Rows:
        """One SELECT: its rows."""

    def savepoint(self, name: str) -> None:
        """Sets a savepoint, for `rollback_to`."""

    def rollback_to(self, name: str) -> None:
        """Undoes everything since a savepoint, captured rows included."""

class Client:
    """Connections and routing of one process. Safe to share between threads."""

    @staticmethod
    def open(conninfo: str, *, application: str = 'application', connections_max: int = 8, stall_budget: float = 5.0, connect_timeout: float = 5.0, observe: bool = True, report_interval: float = 5.0, observe_unknown_tables: bool = False, connections_min: int = 0, transaction_pooler: bool = False) -> Client:
        """
        Connects to the source, which names the other nodes. conninfo holds no password: use PGPASSFILE or a service file.
        """

    def session(self) -> ClientSession: ...

    def generation(self) -> int: ...

    def refresh(self) -> int:
        """
        Reads the newest generation now and returns its number. One round trip to the source.
        """

    def route_of(self, table: str, key: object | None) -> dict:
        """Where a call goes now; node is None for the source. No round trip."""

    def totals(self) -> dict:
        """Counts since `open`."""

    def report(self) -> dict:
        """
        Counts of the calls since `open`: tables, call_sites, written_together.
        """

    def close(self) -> None: ...

    def __enter__(self) -> Client: ...

    def __exit__(self, *args) -> None: ...
