#include "lib/migrate/preflight/object_facts.hpp"

#include <algorithm>
#include <functional>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include "lib/migrate/onboard/sql.hpp"
#include "lib/migrate/preflight/object_carried.hpp"
#include "lib/migrate/preflight/object_queries.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

namespace queries = object_queries;

std::string quoted_names(std::vector<table_manifest> const& tables) {
  std::vector<std::string> out;
  for (auto const& table : tables) out.push_back(names::quoted_table(table.table));
  return text_array(out);
}

std::vector<std::string> roles_of(migration_manifest const& migration) {
  return {migration.application_role, migration.engine_role, migration.mirror_role};
}

/// One row of an answer.
class row_view {
 public:
  row_view(rows const& found, std::size_t row) : found_(found), row_(row) {}
  std::string text(std::size_t column) const { return std::string(found_.text(row_, column)); }
  bool boolean(std::size_t column) const { return found_.boolean(row_, column); }
  char letter(std::size_t column) const {
    auto const value = found_.text(row_, column);
    return value.empty() ? ' ' : value.front();
  }

 private:
  rows const& found_;
  std::size_t row_;
};

/// Questions and what to do with each row of their answers: all in one round trip.
class question_list {
 public:
  // The planner takes the walks for expensive, and compiling them would cost seconds.
  question_list() {
    ask({"SET jit = off"}, [](row_view const&) {});
  }

  void ask(statement question, std::function<void(row_view const&)> take) {
    questions_.push_back(std::move(question));
    takes_.push_back(std::move(take));
  }

  result<> run(session& node) {
    BOOST_OUTCOME_TRY(auto const answers, node.flush(questions_));
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (!answers[i]) return answers[i].error();
      auto const& found = answers[i].value();
      for (std::size_t row = 0; row < found.size(); ++row) takes_[i]({found, row});
    }
    return success();
  }

 private:
  std::vector<statement> questions_;
  std::vector<std::function<void(row_view const&)>> takes_;
};

std::string text_of(std::string_view sql) { return std::string(sql); }

std::set<std::string> set_of(std::string const& array) {
  auto const values = parse_text_array(array);
  if (!values) return {};
  return {values->begin(), values->end()};
}

void ask_node(question_list& list, node_objects& out, migration_manifest const& migration,
              std::string const& tables_of_node, std::vector<table_object>& subscriptions) {
  list.ask({text_of(queries::extensions)}, [&](row_view const& row) {
    out.extensions[row.text(0)] = {row.text(0), row.text(1), row.text(2)};
  });
  list.ask({text_of(queries::schemas)}, [&](row_view const& row) { out.schemas[row.text(0)] = row.text(1); });
  list.ask({text_of(queries::roles)}, [&](row_view const& row) { out.roles.insert(row.text(0)); });
  list.ask({text_of(queries::overrides), {text_array(roles_of(migration))}}, [&](row_view const& row) {
    out.overrides.push_back({row.boolean(0), row.text(1), row.text(2), row.text(3)});
  });
  list.ask({text_of(queries::server_settings), {text_array(compared_settings())}},
           [&](row_view const& row) { out.server_settings[row.text(0)] = row.text(1); });
  list.ask({text_of(queries::locale)}, [&](row_view const& row) {
    out.database = row.text(0);
    out.locale = {row.text(1), row.text(2), row.text(3), row.text(4), row.text(5)};
  });
  list.ask({text_of(queries::casts)}, [&](row_view const& row) {
    out.casts[row.text(0)] = {row.text(0), row.text(1), set_of(row.text(2))};
  });
  list.ask({text_of(queries::event_triggers)},
           [&](row_view const& row) { out.event_triggers.insert(row.text(0)); });
  list.ask({text_of(queries::compressions)},
           [&](row_view const& row) { out.compressions.insert(row.text(0)); });
  list.ask({queries::subscriptions(), {tables_of_node}}, [&](row_view const& row) {
    subscriptions.push_back({row.text(0), row.text(1), row.text(2), {}});
  });
}

// What depends on the answers of the first round, or on those of the source.
void ask_details(question_list& list, node_objects& out, std::vector<std::string> const& extensions,
                 std::vector<std::string> const& schemas, std::vector<std::string> const& collations) {
  list.ask({text_of(queries::available_versions), {text_array(extensions)}},
           [&](row_view const& row) { out.available_versions[row.text(0)].insert(row.text(1)); });
  list.ask({text_of(queries::definitions), {text_array(schemas)}}, [&](row_view const& row) {
    out.definitions[absl::StrCat(row.text(0), " ", row.text(1))] = row.text(2);
  });
  list.ask({text_of(queries::collations), {text_array(collations)}},
           [&](row_view const& row) { out.collations[row.text(0)] = {row.text(1), row.text(2)}; });
}

std::vector<std::string> extension_names(source_objects const& source) {
  std::vector<std::string> out;
  for (auto const& [name, extension] : source.extensions) out.push_back(name);
  return out;
}

std::vector<std::string> needed_schemas(source_objects const& source) {
  std::set<std::string> out = source.carried_schemas;
  for (auto const& one : source.reached) {
    if (!one.schema.empty() && one.extension.empty()) out.insert(one.schema);
  }
  for (auto const& view : source.views) out.insert(view.table.substr(0, view.table.find('.')));
  return {out.begin(), out.end()};
}

std::vector<std::string> needed_collations(source_objects const& source) {
  std::vector<std::string> out;
  for (auto const& one : source.reached)
    if (one.catalog == "pg_collation") out.push_back(one.identity);
  return out;
}

/// An object as one of its origins reaches it.
struct reach {
  reached_object object;
  std::string origin_schema;  ///< empty: the tables themselves
};

void ask_reach(question_list& list, source_objects& out, std::vector<reach>& found, std::string const& tables,
               std::string const& all_tables) {
  list.ask({queries::reached(), {tables}}, [&](row_view const& row) {
    if (row.text(0) != "pg_namespace")
      found.push_back({{row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), set_of(row.text(5)),
                        row.text(7)},
                       row.text(9)});
    else if (row.boolean(6))
      out.carried_schemas.emplace(row.text(8));
  });
  list.ask({queries::schemas_of_tables(), {tables}},
           [&](row_view const& row) { out.carried_schemas.emplace(row.text(0)); });
  list.ask({queries::unknown(), {tables}}, [&](row_view const& row) {
    out.unknown.push_back({row.text(0), row.text(1), row.text(2), row.text(3)});
  });
  list.ask({text_of(queries::routines)}, [&](row_view const& row) {
    out.routines[row.text(0)] = {row.text(0), row.text(1), row.text(2),    row.text(3),
                                 row.text(4), row.text(5), row.boolean(6), row.boolean(7)};
  });
  list.ask({queries::relations(), {all_tables}},
           [&](row_view const& row) { out.relations.push_back({row.text(0), row.text(1), row.boolean(2)}); });
}

// pg_trigger.tgargs by encode(, 'escape'): arguments end in \000.
std::vector<std::string> trigger_arguments(std::string const& text) {
  std::vector<std::string> out = absl::StrSplit(text, "\\000");
  if (!out.empty()) out.pop_back();
  return out;
}

void ask_tables(question_list& list, source_objects& out, std::string const& tables) {
  list.ask({queries::triggers(), {tables}}, [&](row_view const& row) {
    out.triggers.push_back({row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), row.letter(5),
                            row.letter(6), row.boolean(7), row.boolean(8), row.text(9),
                            trigger_arguments(row.text(10))});
  });
  list.ask({queries::shapes(), {tables}}, [&](row_view const& row) {
    out.tables.push_back({row.text(0), row.text(1), row.text(2), row.letter(3), row.boolean(4),
                          row.boolean(5), row.text(6) == "0" ? 0 : 1, row.text(7), row.text(8), row.text(9),
                          row.text(10), row.boolean(11)});
  });
  list.ask({queries::columns(), {tables}}, [&](row_view const& row) {
    out.columns.push_back({row.text(0), row.text(1), row.text(2), row.text(3), row.text(4)});
  });
}

std::vector<std::string> list_of(std::set<std::string> const& values) {
  return {values.begin(), values.end()};
}

std::vector<table_object>* small_list(source_objects& out, std::string_view kind) {
  std::map<std::string_view, std::vector<table_object>*> const lists{
      {"rule", &out.rules},
      {"rule_elsewhere", &out.rules_elsewhere},
      {"statistics", &out.statistics},
      {"constraint_table", &out.constraint_tables},
      {"default", &out.defaults},
      {"policy", &out.policies},
      {"compression", &out.compressed_columns},
      {"security_label", &out.security_labels},
      {"text_partitions", &out.text_partitions},
      {"view", &out.views},
      {"dictionary_file", &out.dictionary_files},
      {"extension_table", &out.extension_tables},
      {"default_privileges", &out.default_privileges}};
  auto const found = lists.find(kind);
  return found == lists.end() ? nullptr : found->second;
}

void ask_rights(question_list& list, source_objects& out, std::string const& tables,
                migration_manifest const& migration) {
  list.ask({queries::small_lists(), {tables}}, [&](row_view const& row) {
    if (auto* target = small_list(out, row.text(0)))
      target->push_back({row.text(1), row.text(2), row.text(3), row.text(4)});
  });
  list.ask({queries::grants(), {tables, text_array(roles_of(migration))}},
           [&](row_view const& row) { out.grants.push_back({row.text(0), row.text(1), row.text(2)}); });
  list.ask({text_of(queries::has_large_objects)},
           [&](row_view const& row) { out.has_large_objects = row.boolean(0); });
}

/// What a schema needs counts if onboarding brings that schema. `found` has the rows of an object together,
/// the tables' first.
void take_reached(source_objects& out, std::vector<reach> found) {
  for (auto& [object, origin_schema] : found) {
    if (!origin_schema.empty() && out.carried_schemas.count(origin_schema) == 0) continue;
    bool const is_known = !out.reached.empty() && out.reached.back().catalog == object.catalog &&
                          out.reached.back().kind == object.kind &&
                          out.reached.back().identity == object.identity;
    if (is_known)
      out.reached.back().uses.merge(object.uses);
    else
      out.reached.push_back(std::move(object));
  }
}

// A trigger may be FROM a table of another group.
void leave_out_ours(source_objects& out) {
  absl::flat_hash_set<std::string> ours;
  for (auto const& relation : out.relations)
    if (relation.is_ours) ours.insert(absl::StrCat(relation.schema, ".", relation.name));
  std::erase_if(out.constraint_tables, [&](table_object const& one) { return ours.contains(one.detail); });
}

}  // namespace

std::vector<std::string> const& compared_settings() {
  static std::vector<std::string> const names{"DateStyle",
                                              "IntervalStyle",
                                              "TimeZone",
                                              "array_nulls",
                                              "backslash_quote",
                                              "bytea_output",
                                              "check_function_bodies",
                                              "default_table_access_method",
                                              "default_tablespace",
                                              "default_text_search_config",
                                              "default_toast_compression",
                                              "default_transaction_deferrable",
                                              "default_transaction_isolation",
                                              "default_transaction_read_only",
                                              "extra_float_digits",
                                              "idle_in_transaction_session_timeout",
                                              "idle_session_timeout",
                                              "lc_monetary",
                                              "lc_numeric",
                                              "lc_time",
                                              "lo_compat_privileges",
                                              "lock_timeout",
                                              "row_security",
                                              "search_path",
                                              "session_replication_role",
                                              "standard_conforming_strings",
                                              "statement_timeout",
                                              "synchronous_commit",
                                              "temp_tablespaces",
                                              "transaction_timeout",
                                              "transform_null_equals",
                                              "xmlbinary",
                                              "xmloption"};
  return names;
}

result<source_objects> read_source_objects(session& node, migration_manifest const& migration,
                                           std::vector<table_manifest> const& tables,
                                           std::vector<table_manifest> const& all) {
  source_objects out;
  std::vector<reach> found;
  out.node = migration.source.name;
  out.server_version = node.identity().server_version;
  auto const named = quoted_names(tables);
  question_list first;
  ask_node(first, out, migration, named, out.subscriptions);
  ask_reach(first, out, found, named, quoted_names(all));
  ask_tables(first, out, named);
  ask_rights(first, out, named, migration);
  BOOST_OUTCOME_TRYV(first.run(node));
  take_reached(out, std::move(found));
  leave_out_ours(out);
  question_list second;
  ask_details(second, out, extension_names(out), needed_schemas(out), needed_collations(out));
  second.ask({queries::owners(), {named, text_array(list_of(out.carried_schemas))}},
             [&](row_view const& row) { out.owners.push_back({row.text(0), row.text(1)}); });
  BOOST_OUTCOME_TRYV(second.run(node));
  return out;
}

result<shard_objects> read_shard_objects(session& node, migration_manifest const& migration,
                                         std::vector<table_manifest> const& tables,
                                         source_objects const& source) {
  shard_objects out;
  out.node = node.identity().name;
  out.server_version = node.identity().server_version;
  question_list list;
  ask_node(list, out, migration, quoted_names(tables), out.subscriptions);
  ask_details(list, out, extension_names(source), needed_schemas(source), needed_collations(source));
  list.ask({text_of(queries::memberships), {migration.engine_role}},
           [&](row_view const& row) { out.engine_memberships.insert(row.text(0)); });
  std::set<std::string> creators{migration.engine_role};
  for (auto const& table : source.tables) creators.insert(table.owner);
  list.ask({text_of(queries::schema_creators), {text_array(list_of(creators))}}, [&](row_view const& row) {
    out.schema_creators[row.text(0)].insert(row.text(1));
    if (row.text(1) == migration.engine_role && row.boolean(2)) out.is_engine_superuser = true;
  });
  BOOST_OUTCOME_TRYV(list.run(node));
  return out;
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
