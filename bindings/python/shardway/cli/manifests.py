"""``manifest``: lint, fmt, diff, schema, apply."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click
from rich.console import Console
from rich.markup import escape

from .. import _core
from ..documents import Applied, ManifestChange
from ..errors import ConfigError
from ..migration import MIGRATION_FILE, read_folder
from ..migration import lint as lint_folder
from . import exit_codes
from .command import command, group
from .context import Context
from .io import Answer, Change
from .requests import ask


@command("lint")
def lint(context: Context) -> Answer:
    """Check the manifests and print every mistake as file:line:column.

    It connects to no server. Exit code 1: there are mistakes.
    """
    findings = lint_folder(context.folder)

    def show(out: Console) -> None:
        for one in findings:
            out.print(escape(one["text"]))
        if not findings:
            out.print("no findings")

    data = {"findings": [{name: value for name, value in one.items() if name != "text"} for one in findings]}
    if findings:
        return Answer(
            data, show, ["correct the files; docs/MANIFEST.md explains the codes"], exit_codes.ERROR
        )
    return Answer(data, show)


@command("fmt", is_change=True)
@click.option("--check", is_flag=True, help="Change nothing. Exit code 1: a file would change.")
def fmt(context: Context, check: bool) -> Answer | Change:
    """Rewrite the manifests in their standard format."""
    migration, tables = read_folder(context.folder)
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


@command("diff")
def diff(context: Context) -> Answer:
    """Show what applying the manifests would change.

    Exit code 3: a change is forbidden.
    """
    changes = context.migration.diff(context.catalog.generation_document())
    is_red = any(one["kind"] == "forbidden" for one in changes)

    def show(out: Console) -> None:
        for one in changes:
            out.print(escape(_line(one)))
        if not changes:
            out.print("no differences")

    if is_red:
        return Answer({"changes": changes}, show, [], exit_codes.RED)
    next_steps = [f"shardway manifest apply --migration {context.folder}"] if changes else []
    return Answer({"changes": changes}, show, next_steps)


def _line(one: ManifestChange) -> str:
    field = f" {one['field']}" if one["field"] else ""
    values = f": {one['from'] or '(none)'} -> {one['to'] or '(none)'}" if one["from"] or one["to"] else ""
    reason = f"; {one['reason']}" if one["reason"] else ""
    return f"{one['kind']} {one['table'] or 'migration'}{field}{values}{reason}"


@command("apply", is_change=True)
def apply(context: Context) -> Change:
    """Install the schema and publish a new generation.

    It installs schema shardway on every node, and publishes what the manifests say.
    """
    migration = context.migration
    is_installed = all(version > 0 for _, version in migration.core.schema_versions(context.role))
    is_running = is_installed and context.catalog.is_controller_alive()
    changes = migration.diff(context.catalog.generation_document() if is_installed else None)
    steps = [f"create or upgrade schema shardway on {node['name']}" for node in migration.nodes]
    steps += [_line(one) for one in changes]
    steps += ["copy the new generation to every node, then publish it on the source"]

    def run() -> Answer:
        done = _ask_to_apply(context) if is_running else migration.apply()
        next_steps = [f"shardway migrate start --migration {context.folder}"]
        return Answer({"applied": done}, lambda out: out.print(escape(_applied(done))), next_steps)

    _refuse_forbidden(changes)
    state = {"changes": changes, "by": "controller" if is_running else "this command"}
    return Change("applying the manifests", steps, state, run)


def _ask_to_apply(context: Context) -> Applied:
    (_, main), tables = read_folder(context.folder)
    documents = [text for _, text in tables]
    return cast("Applied", ask(context, "apply", {"migration": main, "documents": documents}))


def _refuse_forbidden(changes: list[ManifestChange]) -> None:
    forbidden = [_line(one) for one in changes if one["kind"] == "forbidden"]
    if forbidden:
        raise ConfigError(
            "; ".join(forbidden), code="manifest_invalid", hint="each reason says what must happen first"
        )


def _applied(done: Applied) -> str:
    return "\n".join([*done["changes"], f"generation {done['generation']}"])


_FIELDS = """\
# migration.txtpb: the migration as a whole
api_version: 1
name: "shop"                          # [a-z][a-z0-9_]*, at most 30 bytes
source {
  name: "source"
  conninfo: "host=db1 dbname=shop sslmode=verify-full"    # libpq's keywords; no user, no password
  replica { name: "replica1" conninfo: "host=db2 dbname=shop sslmode=verify-full" }
}
# one for each shard; their order never changes; pinned_only: only slots of pinned keys
shard { name: "shard0" conninfo: "host=s0 dbname=shop sslmode=verify-full" }
shard { name: "shard1" conninfo: "host=s1 dbname=shop sslmode=verify-full" pinned_only: true }
# the slot of this key is on shard1; one type and one value for each column of the shard key
pin { type: "bigint" value: "4711" shard: "shard1" }
application_role: "shop_app"          # services connect with it
engine_role: "shardway_engine"        # the controller and this command connect with it
mirror_role: "shardway_mirror"        # may set session_replication_role on the source

# <table>.txtpb: one file for each table
api_version: 1
table: "shop.orders"                  # schema.name
group: "sales"                        # tables of a group share the shard key and move together
kind: SHARDED                         # or REFERENCE: a copy on every shard, written on the source
shard_key: "customer_id"              # one line for each column
key: "id"                             # the primary key, one line for each column
stage_until: SHARDED                  # OBSERVING, COPYING, REPLICATING, DUAL_WRITING, SHARDED, FINALIZED
dual_write { mode: SYNC budget_ms: 250 }   # or ASYNC
ids { strategy: INTERLEAVED stride: 64 }   # or LEASED block: 1000; SLOT; EXTERNAL: the application's ids
drop_foreign_key: "orders_sku_fkey"   # it crosses groups: the shards do not get it
accept_unique: "orders_number_key"    # unique only within each shard
triggers: WHEN_AUTHORITATIVE          # or SOURCE_ONLY
capture: STATEMENT                    # or TRIGGER: captures writes of any code, functions included
lookup { name: "by_number" column: "number" unique: true }   # finds the shard key by another column
reads { scatter: true fan_out_max: 64 scatter_budget_ms: 1000 from_shards_percent: 0 shadow_percent: 0 }
classified_column: "delivery_address" # every conninfo must say sslmode=verify-full
# a failing check of the doctor that stops nothing; in migration.txtpb for nodes and roles
accept { finding: "row_security" subject: "shop.orders" reason: "policies are made on the shards by hand" }
"""


@command("schema", needs_migration=False)
def schema(_: Context) -> Answer:
    """Print the fields of the manifest files, with an example of each."""
    data = {"text": _FIELDS, "migration_file": MIGRATION_FILE}
    return Answer(data, lambda out: out.print(escape(_FIELDS), end=""))


manifest = group("manifest", "The files that describe what to move.", [apply, diff, fmt, lint, schema])
