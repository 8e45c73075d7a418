"""The dicts that the package returns. Each is an ordinary dict; the classes name its members."""

from __future__ import annotations

from typing import Any, TypedDict

#: A JSON object whose members the library may extend, such as the status document of the controller.
JsonObject = dict[str, Any]


class LintFinding(TypedDict):
    """One mistake in a manifest file. `text` is the finding on one line."""

    code: str
    file: str
    line: int
    column: int
    message: str
    hint: str
    text: str


class RehearsalProblem(TypedDict):
    """One thing that failed in a rehearsal. `step` names where, such as schema, copy or apply."""

    shard: str
    step: str
    object: str
    what: str
    fix: str


class RehearsedTable(TypedDict):
    """One table on one shard of a rehearsal, measured. Sizes are in bytes."""

    shard: str
    table: str
    rows: int
    bytes: int
    copying_us: int
    changes: int
    disk_bytes: int


class Rehearsal(TypedDict):
    """The report of `rehearse`. `left_out` says what was not made, and why."""

    group: str
    passed: bool
    problems: list[RehearsalProblem]
    tables: list[RehearsedTable]
    left_out: list[str]
    applying_us: int
    took_ms: int


class Finding(TypedDict):
    """The result of one check of `doctor`. `level` is pass, warn or fail."""

    id: str
    level: str
    node: str
    subject: str
    what: str
    fix: str


class Step(TypedDict):
    """One step of the migration plan."""

    number: int
    id: str
    group: str
    actor: str
    what: str
    changes: str
    undo: str


class Script(TypedDict):
    """SQL for an administrator to run on one node."""

    node: str
    sql: str


#: One difference between the manifests and a generation. A change of the kind `forbidden` cannot be applied.
ManifestChange = TypedDict(
    "ManifestChange",
    {"kind": str, "table": str, "field": str, "from": str, "to": str, "reason": str},
)


class Installed(TypedDict):
    """One object of shardway on a node: a schema, slot, publication, trigger ..."""

    node: str
    kind: str
    name: str


class Node(TypedDict):
    """The source or a shard, as the manifest names it."""

    name: str
    conninfo: str
    replicas: list[Node]


class Table(TypedDict):
    """One table, as its manifest describes it."""

    table: str
    group: str
    kind: str
    shard_key: list[str]
    key: list[str]
    stage_until: str


class Applied(TypedDict):
    """What `apply` published."""

    changes: list[str]
    generation: int


class SlotsOfNode(TypedDict):
    """The node with authority for a range of slots, first and last included."""

    slots: tuple[int, int]
    node: str
    epoch: int


class Group(TypedDict):
    """Where a group of tables stands in the migration."""

    group: str
    stage: str
    authority: list[SlotsOfNode]
    moved_slots: int
    tables: list[str]


class Generation(TypedDict):
    """A published generation: every group with its stage and authority."""

    generation: int
    migration: str
    groups: list[Group]


class SlotsOfShard(TypedDict):
    """A range of slots that a wave moves to or from a shard, first and last included."""

    shard: str
    slots: tuple[int, int]


class WavePlan(TypedDict):
    """The slots that a wave would move."""

    group: str
    direction: str
    generation: int
    epoch_before: int
    epoch_after: int
    ranges: list[SlotsOfShard]
    slots: int


class Route(TypedDict):
    """Where a call with one shard key goes."""

    table: str
    group: str
    stage: str
    shard_key: list[str]
    types: list[str]
    slot: int
    authority: str
    epoch: int
    placed_on: str
    dual_written: bool
    generation: int


class Request(TypedDict):
    """A request to the controller. `state` is queued, running, done or failed."""

    id: int
    kind: str
    arguments: JsonObject
    requested_by: str
    state: str
    result: Any
    error_code: str
    error_message: str


class Status(TypedDict):
    """A status document of the controller, and its age."""

    age_ms: int
    document: JsonObject


class Lease(TypedDict):
    """The lease of the controller. Only its holder acts."""

    token: int
    holder: str
    expires_at: str
    is_alive: bool


class Certificate(TypedDict):
    """The result of the newest verification of one table."""

    id: int
    group: str
    relation: str
    verdict: str
    row_count: int
    as_of: str
    detail: JsonObject
    started_at: str
    at: str


class CertificateGap(TypedDict):
    """Why the certificate of a table does not count any more."""

    relation: str
    why: str


class Wave(TypedDict):
    """One wave that ran or runs. `finished_at` is empty while it runs."""

    wave: str
    group: str
    direction: str
    ranges: list[tuple[int, int]]
    epoch_before: int
    epoch_after: int
    state: str
    started_at: str
    finished_at: str
    report: JsonObject


class JournalEntry(TypedDict):
    """One step in the journal of a wave."""

    id: int
    wave: str
    step: str
    detail: JsonObject
    at: str


class ClientProcess(TypedDict):
    """A process that uses the library. `silent_ms` is the time since its last sign of life."""

    client_id: str
    application: str
    library_version: str
    generation: int
    silent_ms: int
