"""``manifest``: lint, fmt, diff, schema, apply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from .. import _core
from ..errors import ConfigError
from ..migration import MIGRATION_FILE, read_folder
from ..migration import lint as lint_folder
from . import exit_codes
from .command import command
from .io import Answer, Change, Io
from .place import Place
from .requests import ask
from .root import manifest


@command(manifest, "lint")
def lint(io: Io, place: Place) -> Answer:
    """Check the manifests: every finding at once, as file:line:column. Connects to nothing; exit code 1 if there are any."""
    findings = lint_folder(place.folder)

    def show(out: Console) -> None:
        for one in findings:
            out.print(escape(one["text"]))
        if not findings:
            out.print("no findings")

    data = {"findings": [{name: value for name, value in one.items() if name != "text"} for one in findings]}
    return Answer(
        data,
        show,
        ["correct the files; docs/MANIFEST.md explains the codes"] if findings else [],
        exit_codes.ERROR if findings else exit_codes.DONE,
    )


@command(manifest, "fmt", is_change=True)
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 if a file is not in its one form.")
def fmt(io: Io, place: Place, check: bool) -> Any:
    """Bring the manifests into their one form."""
    migration, tables = read_folder(place.folder)
    wanted = [(migration, _core.format_migration(migration[1], migration[0]))]
    wanted += [(table, _core.format_table(table[1], table[0])) for table in tables]
    changed = [(file, text) for (file, before), text in wanted if before != text]
    names = [file for file, _ in changed]

    def show(out: Console) -> None:
        for name in names:
            out.print(escape(name))

    if check:
        return Answer({"changed": names}, show, [], exit_codes.ERROR if names else exit_codes.DONE)

    def write() -> Answer:
        for file, text in changed:
            Path(file).write_text(text, encoding="utf-8")
        return Answer({"changed": names}, show)

    return Change("formatting the manifests", [f"rewrite {name}" for name in names], {"files": names}, write)


def _document(place: Place) -> Any:
    return place.catalog.generation_document()


@command(manifest, "diff")
def diff(io: Io, place: Place) -> Answer:
    """What applying the manifests would change against the generation in force; exit code 3 if a change is forbidden."""
    changes = place.migration.diff(_document(place))
    is_red = any(one["kind"] == "forbidden" for one in changes)

    def show(out: Console) -> None:
        for one in changes:
            out.print(escape(_line(one)))
        if not changes:
            out.print("no differences")

    return Answer(
        {"changes": changes},
        show,
        [] if is_red or not changes else [f"shardway manifest apply --migration {place.folder}"],
        exit_codes.RED if is_red else exit_codes.DONE,
    )


def _line(one: dict[str, str]) -> str:
    field = f" {one['field']}" if one["field"] else ""
    values = f": {one['from'] or '(none)'} -> {one['to'] or '(none)'}" if one["from"] or one["to"] else ""
    reason = f"; {one['reason']}" if one["reason"] else ""
    return f"{one['kind']} {one['table'] or 'migration'}{field}{values}{reason}"


@command(manifest, "apply", is_change=True)
def apply(io: Io, place: Place) -> Change:
    """Install what the library needs on every node and publish the generation that the manifests say."""
    migration = place.migration
    is_running = _is_running(place)
    changes = _changes(place)
    steps = [f"create or upgrade schema shardway on {node['name']}" for node in migration.nodes]
    steps += [_line(one) for one in changes] + [
        "copy the new generation to every node, then publish it on the source"
    ]

    def run() -> Answer:
        if is_running:
            (_, main), tables = read_folder(place.folder)
            done = ask(io, place, "apply", {"migration": main, "documents": [text for _, text in tables]})
        else:
            done = migration.apply()
        return Answer(
            {"applied": done},
            lambda out: out.print(escape(_applied(done))),
            [f"shardway migrate start --migration {place.folder}"],
        )

    _refuse_forbidden(changes)
    return Change(
        "applying the manifests",
        steps,
        {"changes": changes, "by": "controller" if is_running else "this command"},
        run,
    )


def _refuse_forbidden(changes: list[dict[str, str]]) -> None:
    forbidden = [_line(one) for one in changes if one["kind"] == "forbidden"]
    if forbidden:
        raise ConfigError(
            "; ".join(forbidden), code="manifest_invalid", hint="the reason says what has to come first"
        )


def _is_installed(place: Place) -> bool:
    return all(version > 0 for _, version in place.migration.core.schema_versions(place.role))


def _is_running(place: Place) -> bool:
    return _is_installed(place) and place.catalog.is_controller_alive()


def _changes(place: Place) -> list[dict[str, str]]:
    return place.migration.diff(_document(place) if _is_installed(place) else None)


def _applied(done: Any) -> str:
    found = done or {}
    return "\n".join([*found.get("changes", []), f"generation {found.get('generation', '?')}"])


_FIELDS = """\
# migration.txtpb: the migration as a whole
api_version: 1
name: "shop"                          # [a-z][a-z0-9_]*, at most 30 bytes
source {
  name: "source"
  conninfo: "host=db1 dbname=shop sslmode=verify-full"    # libpq's keywords; no user, no password
  replica { name: "replica1" conninfo: "host=db2 dbname=shop sslmode=verify-full" }
}
shard { name: "shard0" conninfo: "host=s0 dbname=shop sslmode=verify-full" }  # one for each shard; their order is for ever
shard { name: "shard1" conninfo: "host=s1 dbname=shop sslmode=verify-full" pinned_only: true }  # slots of pinned keys only
pin { type: "bigint" value: "4711" shard: "shard1" }   # this key's slot is on shard1; one type and value a column of the shard key
application_role: "shop_app"          # what services connect with
engine_role: "shardway_engine"        # what the controller and this command connect with
mirror_role: "shardway_mirror"        # may set session_replication_role on the source

# <table>.txtpb: one file a table
api_version: 1
table: "shop.orders"                  # schema.name
group: "sales"                        # tables of a group share the shard key and move together
kind: SHARDED                         # or REFERENCE: a copy on every shard, written on the source
shard_key: "customer_id"              # one line a column
key: "id"                             # the primary key, one line a column
stage_until: SHARDED                  # OBSERVING, COPYING, REPLICATING, DUAL_WRITING, SHARDED, FINALIZED
dual_write { mode: SYNC budget_ms: 250 }   # or ASYNC
ids { strategy: INTERLEAVED stride: 64 }   # or EXTERNAL: the application gives the ids; LEASED block: 1000; SLOT
drop_foreign_key: "orders_sku_fkey"   # crosses groups: not created on the shards
accept_unique: "orders_number_key"    # unique on each shard only
triggers: WHEN_AUTHORITATIVE          # or SOURCE_ONLY
capture: STATEMENT                    # or TRIGGER: any code is captured, functions included
lookup { name: "by_number" column: "number" unique: true }   # another column's way to the shard key
reads { scatter: true fan_out_max: 64 scatter_budget_ms: 1000 from_shards_percent: 0 shadow_percent: 0 }
classified_column: "delivery_address" # every conninfo must say sslmode=verify-full
"""


@command(manifest, "schema", needs_migration=False)
def schema(io: Io) -> Answer:
    """The fields of the manifest files, with an example of each."""
    return Answer(
        {"text": _FIELDS, "migration_file": MIGRATION_FILE}, lambda out: out.print(escape(_FIELDS), end="")
    )
