#include "lib/migrate/preflight/object_table_rules.hpp"

#include <absl/strings/match.h>
#include <absl/strings/str_join.h>

#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

using absl::StrCat;

std::string drop_policies(source_objects const& source, std::string const& table) {
  std::vector<std::string> out;
  for (auto const& policy : source.policies)
    if (policy.table == table)
      out.push_back(StrCat("DROP POLICY ", names::quoted(policy.name), " ON ", policy.quoted));
  return fix::sql(absl::StrJoin(out, "; "));
}

/// The onboarded table that a table or partition belongs to; empty if there is none.
std::string root_of(source_objects const& source, std::string const& table) {
  for (auto const& one : source.tables)
    if (one.table == table) return one.root;
  return {};
}

void judge_row_security(source_objects const& source, table_shape const& table, object_findings& out) {
  if (table.has_row_security || table.forces_row_security)
    return out.fail("row_security", table.table,
                    "it has row security: policies are not brought to the shards, where each role would see "
                    "all rows",
                    fix::sql(StrCat("ALTER TABLE ", table.quoted,
                                    " DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY")));
  if (table.policies > 0)
    out.warn("row_security", table.table,
             "it has policies, which are off: they are not brought to the shards",
             drop_policies(source, table.table));
}

void judge_shape(source_objects const& source, table_shape const& table, object_findings& out) {
  if (table.kind == 'f')
    out.fail("foreign_table", table.table,
             "this partition is a foreign table: its rows are on another server",
             fix::any_of({fix::sql(StrCat("DROP FOREIGN TABLE ", table.quoted)),
                          "or detach it from the table that it is a partition of"}));
  if (!table.access_method.empty())
    out.fail("table_access_method", table.table,
             StrCat("its rows are stored by access method ", table.access_method,
                    ": only heap is known to be decoded and copied right"),
             source.server_version >= 150000
                 ? fix::sql(StrCat("ALTER TABLE ", table.quoted, " SET ACCESS METHOD heap"))
                 : "move its rows to a table that is made USING heap");
  if (std::count(table.table.begin(), table.table.end(), '.') > 1)
    out.fail("name_with_dot", table.table,
             "its name or its schema's holds a dot: \"schema.table\" would be read wrong",
             fix::sql(absl::StrContains(table.schema, '.')
                          ? StrCat("ALTER SCHEMA ", names::quoted(table.schema), " RENAME TO new_name")
                          : StrCat("ALTER TABLE ", table.quoted, " RENAME TO new_name")));
}

void judge_rules(source_objects const& source, object_findings& out) {  // AS8
  auto const fix = [](table_object const& rule) {
    return fix::sql(StrCat("DROP RULE ", names::quoted(rule.name), " ON ", rule.quoted));
  };
  for (auto const& rule : source.rules) {
    out.set_table(root_of(source, rule.table));
    out.fail("rule", StrCat(rule.name, " on ", rule.table),
             "a rule rewrites statements: rows would be captured wrong, and shards do not get it", fix(rule));
  }
  out.set_table({});
  for (auto const& rule : source.rules_elsewhere)
    out.warn("rule", StrCat(rule.name, " on ", rule.table),
             "a rule of another table names onboarded ones: what it writes there comes past the library",
             fix(rule));
}

void judge_lists(source_objects const& source, object_findings& out) {
  for (auto const& one : source.statistics) {
    out.set_table(root_of(source, one.table));
    out.warn("statistics", one.name, StrCat("extended statistics of ", one.table, " are not made on shards"),
             fix::any_of({fix::sql(StrCat(
                              "SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxrelid = ",
                              names::literal(one.quoted), "::regclass")),
                          "run on each shard what it prints"}));
  }
  for (auto const& one : source.security_labels) {
    out.set_table(root_of(source, one.table));
    out.fail("security_label", StrCat(one.name, " on ", one.table),
             "its security label needs that provider on each shard, and is not known to be carried",
             fix::sql(StrCat("SECURITY LABEL FOR ", names::quoted(one.name), " ON TABLE ", one.quoted,
                             " IS NULL")));
  }
  for (auto const& one : source.constraint_tables) {
    auto const root = root_of(source, one.table);
    out.set_table(root);
    out.fail("constraint_trigger", StrCat(one.name, " on ", one.table),
             StrCat("the trigger is FROM table ", one.detail, ", which is in no manifest"),
             fix::manifest(root, "triggers: SOURCE_ONLY"));
  }
  for (auto const& one : source.extension_tables) {
    out.set_table(root_of(source, one.table));
    out.fail("extension_table", one.table, StrCat("extension ", one.name, " owns it: pg_dump leaves it out"),
             fix::sql(StrCat("ALTER EXTENSION ", names::quoted(one.name), " DROP TABLE ", one.quoted)));
  }
  out.set_table({});
  for (auto const& one : source.dictionary_files)
    out.warn("text_search_file", one.name,
             "the dictionary reads files of the server, which every shard needs too",
             fix::any_of({fix::sql(StrCat("SELECT dictinitoption FROM pg_ts_dict WHERE oid = ",
                                          names::literal(one.name), "::regdictionary")),
                          "bring these files to share/tsearch_data of each shard"}));
  for (auto const& one : source.unknown) {
    out.set_table(root_of(source, one.table));
    out.fail("unknown_object", one.name,
             StrCat("it depends on ", one.table, " and is of a kind (", one.detail,
                    ") that is not known to be carried"),
             out.accepting("unknown_object", one.name));
  }
  out.set_table({});
}

void judge_outside(source_objects const& source, object_findings& out) {
  for (auto const& one : source.subscriptions) {
    out.set_table(root_of(source, one.table));
    out.fail("inbound_subscription", StrCat(one.name, " into ", one.table),
             "a subscription writes the table: its rows come past the library and its fence",
             fix::sql(StrCat("DROP SUBSCRIPTION ", names::quoted(one.name))));
  }
  out.set_table({});
  for (auto const& one : source.event_triggers)
    out.warn("event_trigger", one, "it runs for what onboarding changes in the schema, and may refuse it",
             fix::sql(StrCat("ALTER EVENT TRIGGER ", names::quoted(one), " DISABLE")));
  for (auto const& one : source.default_privileges)
    out.warn(
        "default_privileges", one.detail.empty() ? one.name : StrCat(one.name, " in ", one.detail),
        "default privileges are not brought to shards: tables made there later get other rights",
        fix::any_of({fix::sql("SELECT defaclrole::regrole, defaclnamespace::regnamespace, defaclacl FROM "
                              "pg_default_acl"),
                     "repeat them on each shard by ALTER DEFAULT PRIVILEGES"}));
}

// AS7. Not pg_lsn: its text means the same everywhere.
void judge_node_local(column_object const& column, object_findings& out) {
  auto const subject = StrCat(column.table, ".", column.column);
  if (column.inner == "pg_lsn")
    return out.warn("node_local_type", subject,
                    "it holds WAL positions: values of different nodes cannot be compared",
                    out.accepting("node_local_type", subject));
  bool const by_name = absl::StartsWith(column.inner, "reg") || column.inner == "aclitem";
  bool const plain = column.type == column.inner;
  std::string const type = !by_name && plain && column.inner != "tid" ? "bigint" : "text";
  auto const quoted = names::quoted(column.column);
  auto const array = absl::EndsWith(column.type, "[]") ? "[]" : "";
  out.fail("node_local_type", subject,
           StrCat("type ", column.type, plain ? "" : StrCat(" holds ", column.inner),
                  ": its values mean something on one node only"),
           fix::sql(StrCat("ALTER TABLE ", column.quoted, " ALTER COLUMN ", quoted, " TYPE ", type, array,
                           " USING ", quoted, "::text", array,
                           type == "bigint" ? StrCat("::bigint", array) : "")));
}

bool has_inner(source_objects const& source, column_object const& column, std::string_view inner) {
  return std::any_of(source.columns.begin(), source.columns.end(), [&](column_object const& one) {
    return one.table == column.table && one.column == column.column && one.inner == inner;
  });
}

void judge_large_object(column_object const& column, object_findings& out) {  // AS6
  auto const quoted = names::quoted(column.column);
  out.fail("large_object", StrCat(column.table, ".", column.column),
           "it names large objects, which are not decoded, not copied, and have other OIDs on each node",
           fix::sql(StrCat("ALTER TABLE ", column.quoted, " ALTER COLUMN ", quoted,
                           " TYPE bytea USING lo_get(", quoted, "::oid)")));
}

}  // namespace

void judge_tables(object_manifests const&, source_objects const& source, object_findings& out) {
  for (auto const& table : source.tables) {
    out.set_table(table.root);
    judge_row_security(source, table, out);
    judge_shape(source, table, out);
  }
  out.set_table({});
  judge_rules(source, out);
  judge_lists(source, out);
  judge_outside(source, out);
}

void judge_columns(source_objects const& source, object_findings& out) {
  for (auto const& column : source.columns) {
    out.set_table(column.table);
    if (column.inner == "lo" ||
        (column.inner == "oid" && source.has_large_objects && !has_inner(source, column, "lo"))) {
      judge_large_object(column, out);
    } else if (!has_inner(source, column, "lo")) {
      judge_node_local(column, out);
    }
  }
  out.set_table({});
  if (source.has_large_objects && !out.has("large_object"))
    out.warn("large_object", source.database,
             "the database has large objects: rows that name them in columns of other types would name "
             "nothing on a shard",
             "keep in bytea what onboarded tables name: lo_get(oid) reads it");
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
