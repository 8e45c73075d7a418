#include "lib/migrate/onboard/table_shape.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

using object_name = std::tuple<shape_kind, std::string, std::string>;
using objects_by_name = std::map<object_name, shape_object const*>;

objects_by_name by_name(table_shape const& shape) {
  objects_by_name objects;
  for (auto const& one : shape.objects) objects.emplace(object_name{one.kind, one.relation, one.name}, &one);
  return objects;
}

std::string_view word_of(shape_kind kind) {
  switch (kind) {
    case shape_kind::relation:
      return "partition";
    case shape_kind::storage:
      return "storage";
    case shape_kind::column:
      return "column";
    case shape_kind::type:
      return "type";
    case shape_kind::constraint:
      return "constraint";
    case shape_kind::unique_index:
      return "unique index";
    case shape_kind::index:
      return "index";
    case shape_kind::foreign_key:
      return "foreign key";
    case shape_kind::trigger:
      return "trigger";
    case shape_kind::replica_identity:
      return "replica identity";
    case shape_kind::guard:
      return "write guard";
    case shape_kind::capture:
      return "capture triggers";
    case shape_kind::truncate_trigger:
      return "truncate trigger";
  }
  return "object";
}

std::string object_text(std::string const& table, shape_object const& object) {
  if (object.kind == shape_kind::relation)
    return object.relation == table ? std::string("the table") : "partition " + object.relation;
  auto text = std::string(word_of(object.kind));
  if (!object.name.empty()) absl::StrAppend(&text, " ", object.name);
  if (!object.relation.empty() && object.relation != table) absl::StrAppend(&text, " of ", object.relation);
  return text;
}

shape_difference difference_of(table_shape const& shape, shape_object const& object, std::string node,
                               std::string what, std::string way_out,
                               drift_answer answer = drift_answer::pause) {
  return {.table = shape.table,
          .kind = object.kind,
          .node = std::move(node),
          .object = object_text(shape.table, object),
          .what = std::move(what),
          .way_out = std::move(way_out),
          .sql = {},
          .answer = answer};
}

// Kinds that are compared between the source and a shard; the others are rules of one node.
bool is_compared(shape_kind kind, bool finished) {
  switch (kind) {
    case shape_kind::relation:
    case shape_kind::column:
    case shape_kind::type:
    case shape_kind::constraint:
    case shape_kind::unique_index:
      return true;
    case shape_kind::index:
    case shape_kind::foreign_key:
    case shape_kind::trigger:
      return finished;
    case shape_kind::storage:
    case shape_kind::replica_identity:
    case shape_kind::guard:
    case shape_kind::capture:
    case shape_kind::truncate_trigger:
      return false;
  }
  return false;
}

bool is_not_valid(shape_object const& object) { return object.definition.ends_with(" NOT VALID"); }

// Onboarding puts some objects on shards in another form, or leaves them out.
enum class on_shards : unsigned char { expected, absent, either };

on_shards expectation_of(table_manifest const& manifest, shape_object const& object, bool finished) {
  if (object.kind == shape_kind::foreign_key && contains(manifest.drop_foreign_keys, object.name))
    return on_shards::either;
  if (object.kind == shape_kind::constraint && is_not_valid(object) && !finished) return on_shards::either;
  if (object.kind != shape_kind::trigger) return on_shards::expected;
  bool const is_for_replicas_only = object.more == "R";
  return manifest.triggers == trigger_policy::source_only || is_for_replicas_only ? on_shards::absent
                                                                                  : on_shards::expected;
}

std::string on_node(std::string const& node, std::string const& sql) {
  return sql.empty() ? std::string() : absl::StrCat("on ", node, ": ", sql);
}

std::string way_out_of_missing(shape_object const& object, std::string const& shard) {
  if (!object.create.empty()) return on_node(shard, object.create);
  return absl::StrCat("make it on ", shard, " as it is on the source");
}

// Writing a partition's definition is the engine's own work; a row that waits for it goes on by itself.
drift_answer answer_to_missing(shape_object const& object, shard_expectation const& expected) {
  if (object.kind == shape_kind::relation && !object.create.empty()) return drift_answer::follow;
  if (object.kind == shape_kind::index) return drift_answer::note;
  bool const is_too_early = object.kind == shape_kind::foreign_key && !expected.is_on_shards(object.more);
  return is_too_early ? drift_answer::note : drift_answer::pause;
}

struct comparison {
  table_manifest const& manifest;
  table_shape const& source;
  table_shape const& shard;
  shard_expectation const& expected;
  std::vector<shape_difference> found{};
  std::set<std::string> on_one_side{};  // relations: what is on them needs no word of its own

  void compare_relations(objects_by_name const& here, objects_by_name const& there) {
    for (auto const& [name, object] : here)
      if (object->kind == shape_kind::relation && !there.contains(name)) on_one_side.insert(object->relation);
    for (auto const& [name, object] : there)
      if (object->kind == shape_kind::relation && !here.contains(name)) on_one_side.insert(object->relation);
  }

  bool is_hidden(shape_object const& object) const {
    return object.kind != shape_kind::relation && on_one_side.contains(object.relation);
  }

  void missing(shape_object const& object) {
    found.push_back(difference_of(source, object, expected.shard, "is missing on " + expected.shard,
                                  way_out_of_missing(object, expected.shard),
                                  answer_to_missing(object, expected)));
    if (found.back().answer == drift_answer::follow) found.back().sql = object.create;
  }

  void extra(shape_object const& object) {
    auto const answer = object.kind == shape_kind::index ? drift_answer::note : drift_answer::pause;
    found.push_back(difference_of(
        source, object, expected.shard, "is on " + expected.shard + " only",
        absl::StrCat("take it away on ", expected.shard, ", or make it on the source and on every shard"),
        answer));
  }

  void differs(shape_object const& here, shape_object const& there) {
    auto const answer = here.kind == shape_kind::index ? drift_answer::note : drift_answer::pause;
    found.push_back(difference_of(
        source, here, expected.shard,
        absl::StrCat("is ", here.definition, " on the source, ", there.definition, " on ", expected.shard),
        absl::StrCat("give it the source's definition on ", expected.shard), answer));
  }

  void compare(shape_object const& here, objects_by_name const& there) {
    if (!is_compared(here.kind, expected.finished) || is_hidden(here)) return;
    auto const wanted = expectation_of(manifest, here, expected.finished);
    auto const other = there.find({here.kind, here.relation, here.name});
    if (other == there.end()) {
      if (wanted == on_shards::expected) missing(here);
      return;
    }
    if (wanted == on_shards::absent) return extra(*other->second);
    if (wanted == on_shards::either || here.definition == other->second->definition) return;
    differs(here, *other->second);
  }

  void run() {
    auto const here = by_name(source), there = by_name(shard);
    compare_relations(here, there);
    for (auto const& object : source.objects) compare(object, there);
    for (auto const& object : shard.objects) {
      bool const is_new = is_compared(object.kind, expected.finished) && !is_hidden(object) &&
                          !here.contains({object.kind, object.relation, object.name});
      if (is_new) extra(object);
    }
  }
};

std::string text_of(column_state const& column) {
  return absl::StrCat(column.type, column.not_null ? " NOT NULL" : "", column.generated ? " GENERATED" : "");
}

shape_difference missing_table(table_state const& table, std::string const& node) {
  return {.table = table.manifest.table,
          .kind = shape_kind::relation,
          .node = node,
          .object = "the table",
          .what = "is missing on " + node,
          .way_out =
              "it was dropped or renamed: bring it back under its name, or take the group back to "
              "observing and take it out of the manifests"};
}

shape_difference stale(table_state const& table, std::string const& column, std::string what) {
  return {.table = table.manifest.table,
          .kind = shape_kind::column,
          .node = {},
          .object = "column " + column,
          .what = std::move(what),
          .way_out = "shardway manifest apply"};
}

column_state const* find_column(std::vector<column_state> const& columns, std::string_view name) {
  auto const found = std::find_if(columns.begin(), columns.end(),
                                  [&](column_state const& column) { return column.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

// Every relation that stores rows, with its objects of one kind.
std::vector<shape_object const*> all_of_kind(table_shape const& shape, shape_kind kind) {
  std::vector<shape_object const*> objects;
  for (auto const& object : shape.objects)
    if (object.kind == kind) objects.push_back(&object);
  return objects;
}

void check_storage(table_shape const& shape, std::string const& node, std::vector<shape_difference>& found) {
  for (auto const* object : all_of_kind(shape, shape_kind::storage)) {
    if (object->definition == "permanent") continue;
    bool const is_unlogged = object->definition == "unlogged";
    found.push_back(difference_of(
        shape, *object, node,
        absl::StrCat("is ", object->definition, " on ", node, ": its changes are in no stream"),
        is_unlogged
            ? on_node(node, "ALTER TABLE " + names::quoted_table(object->relation) + " SET LOGGED")
            : absl::StrCat("detach ", object->relation, ", or put its rows into a partition of the server")));
  }
}

bool names_rows(shape_object const& identity, std::vector<std::string> const& wanted) {
  if (identity.definition == "FULL") return true;
  if (identity.definition == "NOTHING") return false;
  auto const columns = parse_text_array(identity.more);
  return columns && std::all_of(wanted.begin(), wanted.end(),
                                [&](std::string const& column) { return contains(*columns, column); });
}

void check_identities(table_state const& table, table_shape const& shape, node_expectation const& expected,
                      std::vector<shape_difference>& found) {
  auto wanted = table.manifest.key;
  if (expected.is_shard)
    wanted.insert(wanted.end(), table.manifest.shard_key.begin(), table.manifest.shard_key.end());
  for (auto const* object : all_of_kind(shape, shape_kind::replica_identity)) {
    if (names_rows(*object, wanted)) continue;
    found.push_back(difference_of(
        shape, *object, expected.node,
        absl::StrCat("is ", object->definition, " on ", expected.node, ", which does not hold ",
                     absl::StrJoin(wanted, ", ")),
        expected.is_shard
            ? std::string("the engine makes it by itself")
            : on_node(expected.node, "ALTER TABLE ONLY " + names::quoted_table(object->relation) +
                                         " REPLICA IDENTITY DEFAULT"),
        expected.is_shard ? drift_answer::follow : drift_answer::pause));
  }
}

// A relation that lacks what the others have was made after them. Where none has it, somebody took it away.
void check_ours(table_shape const& shape, shape_kind kind, bool is_expected, std::string const& node,
                std::vector<shape_difference>& found) {
  auto const objects = all_of_kind(shape, kind);
  std::string strongest;
  for (auto const* object : objects) strongest = std::max(strongest, object->definition);
  if (strongest.empty() && !is_expected) return;
  for (auto const* object : objects) {
    if (!object->definition.empty() && object->definition == strongest) continue;
    found.push_back(difference_of(shape, *object, node, absl::StrCat("is not enabled on ", node),
                                  "the engine makes it by itself", drift_answer::follow));
  }
}

}  // namespace

std::string describe(shape_difference const& one) {
  return absl::StrCat("table ", one.table, ": ", one.object, " ", one.what);
}

bool pauses(std::vector<shape_difference> const& differences) noexcept {
  return std::any_of(differences.begin(), differences.end(),
                     [](auto const& one) { return one.answer == drift_answer::pause; });
}

// The order counts: the stream sends columns by position.
std::vector<shape_difference> generation_differences(table_state const& table, table_shape const& source) {
  if (!source.exists) return {missing_table(table, "the source")};
  std::vector<shape_difference> found;
  for (auto const& column : source.columns) {
    auto const* known = find_column(table.columns, column.name);
    if (!known)
      found.push_back(stale(table, column.name, "is on the source and not in the generation"));
    else if (*known != column)
      found.push_back(stale(
          table, column.name,
          absl::StrCat("is ", text_of(column), " on the source, ", text_of(*known), " in the generation")));
  }
  for (auto const& column : table.columns)
    if (!find_column(source.columns, column.name))
      found.push_back(stale(table, column.name, "is in the generation and not on the source"));
  for (std::size_t i = 0; found.empty() && i < source.columns.size(); ++i)
    if (source.columns[i] != table.columns[i])
      found.push_back(stale(table, source.columns[i].name, "has another place in the generation"));
  return found;
}

std::vector<shape_difference> shard_differences(table_state const& table, table_shape const& source,
                                                table_shape const& shard, shard_expectation const& expected) {
  if (!source.exists) return {};
  if (!shard.exists) return {missing_table(table, expected.shard)};
  comparison compared{table.manifest, source, shard, expected};
  compared.run();
  return std::move(compared.found);
}

std::vector<shape_difference> node_differences(table_state const& table, table_shape const& shape,
                                               node_expectation const& expected) {
  std::vector<shape_difference> found;
  if (!shape.exists) return found;
  bool const is_reference = table.manifest.kind == table_kind::reference;
  check_storage(shape, expected.node, found);
  if (!expected.is_shard || !is_reference) check_identities(table, shape, expected, found);
  check_ours(shape, shape_kind::guard, expected.guarded, expected.node, found);
  if (!is_reference) check_ours(shape, shape_kind::capture, expected.captured, expected.node, found);
  check_ours(shape, shape_kind::truncate_trigger, expected.truncates_seen, expected.node, found);
  return found;
}

result<> refuse_differences(std::vector<shape_difference> const& differences) {
  std::vector<std::string> found, ways_out;
  for (auto const& one : differences) {
    if (one.answer == drift_answer::note) continue;
    found.push_back(describe(one));
    if (!contains(ways_out, one.way_out)) ways_out.push_back(one.way_out);
  }
  if (found.empty()) return success();
  return error{error_code::schema_drift, joined(found, "; "), joined(ways_out, "; ")};
}

result<> require_same_shape(session& source, session& shard, std::vector<table_state> const& tables,
                            shard_expectation const& expected) {
  BOOST_OUTCOME_TRY(auto const here, read_table_shapes(source, tables));
  BOOST_OUTCOME_TRY(auto const there, read_table_shapes(shard, tables));
  std::vector<shape_difference> all;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    auto found = shard_differences(tables[i], here[i], there[i], expected);
    all.insert(all.end(), found.begin(), found.end());
  }
  return refuse_differences(all);
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
