#include "lib/migrate/stream/apply/sql.hpp"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "lib/migrate/stream/table_sql.hpp"
#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/place.hpp"
#include "lib/protocol/slot_of.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

bool is_in_key(followed_table const& table, std::size_t column) {
  return std::find(table.key.begin(), table.key.end(), column) != table.key.end();
}

std::vector<std::size_t> present_columns(stream_change const& change) {
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < change.image.size(); ++i)
    if (change.image[i].kind != stream_value::kind_type::unchanged) columns.push_back(i);
  return columns;
}

std::string statement_name(std::string_view what, stream_change const& change) {
  std::string name = "sw_" + std::string(what) + std::to_string(change.table->id);
  if (!is_partial(change)) return name;
  for (auto const& value : change.image) name += value.kind == stream_value::kind_type::unchanged ? 'u' : 'p';
  return name.size() <= 60 ? name
                           : std::string{};  // names are cut at 63 bytes: wide tables are parsed each time
}

// One array parameter a column, and "unnest($1::text[], ...) WITH ORDINALITY AS x (c0, ..., v, n)".
class unnested {
 public:
  unnested(change_list const& changes, std::vector<std::size_t> const& columns) {
    for (auto const column : columns) {
      std::vector<text_value> values;
      for (auto const* change : changes) values.push_back(value_of(*change, column));
      add(text_array(values), "text", "c" + std::to_string(column));
    }
    std::vector<text_value> versions;
    for (auto const* change : changes) versions.emplace_back(std::to_string(change->version.bigint()));
    add(text_array(versions), "bigint", "v");
    row_source_ = "ROWS FROM (" + absl::StrJoin(arrays_, ", ") + ") WITH ORDINALITY AS x (" +
                  absl::StrJoin(columns_, ", ") + ", n)";
  }
  std::string const& from() const noexcept { return row_source_; }
  std::vector<text_value> take_parameters() { return std::move(parameters_); }

 private:
  static text_value value_of(stream_change const& change, std::size_t column) {
    auto const& keys = change.table->key;
    if (auto const found = std::find(keys.begin(), keys.end(), column); found != keys.end())
      return change.key[static_cast<std::size_t>(found - keys.begin())];
    auto const& value = change.image[column];
    return value.kind == stream_value::kind_type::text ? text_value{value.text} : text_value{};
  }
  void add(std::string array, std::string const& type, std::string column) {
    parameters_.emplace_back(std::move(array));
    arrays_.push_back("pg_catalog.unnest($" + std::to_string(parameters_.size()) + "::" + type + "[])");
    columns_.push_back(std::move(column));
  }
  std::vector<text_value> parameters_;
  std::vector<std::string> arrays_;
  std::vector<std::string> columns_;
  std::string row_source_;
};

std::string typed(followed_table const& table, std::size_t column) {
  return "x.c" + std::to_string(column) + "::" + table.sent[column].type;
}
// Another place's row under the same key is not this change's to touch (AP10).
std::string and_place(followed_table const& table, row_naming naming) {
  return naming == row_naming::key ? std::string{} : " AND " + outside_authority(table);
}
std::string named(std::string_view what, row_naming naming) {
  return std::string(what) + (naming == row_naming::key ? "" : "_place");
}

std::string target(followed_table const& table) { return names::quoted_table(table.name()); }

std::string key_match(followed_table const& table) {
  std::vector<std::string> terms;
  for (auto const column : table.key)
    terms.push_back("t." + quoted_column(table, column) + " = " + typed(table, column));
  return absl::StrJoin(terms, " AND ");
}

std::string assignments(followed_table const& table, std::vector<std::size_t> const& columns,
                        bool from_excluded) {
  std::vector<std::string> terms;
  for (auto const column : columns)
    if (!is_in_key(table, column) || !equality_is_identity(table.sent[column]))
      terms.push_back(quoted_column(table, column) + " = " +
                      (from_excluded ? "excluded." + quoted_column(table, column) : typed(table, column)));
  terms.push_back(std::string(names::version_column) +
                  (from_excluded ? " = excluded." + std::string(names::version_column) : " = x.v"));
  return absl::StrJoin(terms, ", ");
}

std::string whole_row(followed_table const& table, std::vector<std::size_t> const& columns, bool stored) {
  std::vector<std::string> terms;
  for (auto const column : columns)
    terms.push_back(stored ? "t." + quoted_column(table, column) : typed(table, column));
  return "ROW(" + absl::StrJoin(terms, ", ") + ")::text";
}

std::string key_array(stream_change const& change) {
  std::vector<text_value> values;
  for (auto const& value : change.key) values.emplace_back(value);
  return text_array(values);
}

}  // namespace

statement key_locks_statement(change_list const& deletes) {
  std::vector<text_value> tables, keys;
  for (auto const* change : deletes) {
    tables.emplace_back(change->table->name());
    keys.emplace_back(key_array(*change));
  }
  return {.sql =
              "SELECT pg_catalog.pg_advisory_xact_lock(s.class, s.bucket) FROM (SELECT DISTINCT "
              "shardway.key_lock_class(x.t) AS class, "
              "shardway.key_lock_bucket(x.k::text[]) AS bucket FROM ROWS FROM "
              "(pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS x (t, k) "
              "ORDER BY 1, 2) AS s",
          .parameters = {text_array(tables), text_array(keys)},
          .name = "sw_locks"};
}

statement delete_statement(change_list const& deletes, row_naming naming) {
  auto const& table = *deletes.front()->table;
  unnested source(deletes, table.key);
  return {.sql = "DELETE FROM " + target(table) + " AS t USING " + source.from() + " WHERE " +
                 key_match(table) + " AND t." + std::string(names::version_column) + " <= x.v" +
                 and_place(table, naming),
          .parameters = source.take_parameters(),
          .name = "sw_" + named("delete", naming) + std::to_string(table.id)};
}

statement locate_statement(stream_change const& change, row_naming naming) {
  auto made = delete_statement({&change}, naming);
  made.name.clear();
  if (!change.windows) return made;
  std::vector<std::string> ranges;
  auto const slot = slot_of_row(*change.table);
  for (auto const& range : change.windows->open_ranges())
    ranges.push_back(slot + " BETWEEN " + std::to_string(range.first.value()) + " AND " +
                     std::to_string(range.last.value()));
  made.sql += " AND (" + (ranges.empty() ? "false" : absl::StrJoin(ranges, " OR ")) + ")";
  return made;
}

statement upsert_statement(change_list const& whole, row_naming naming) {
  auto const& table = *whole.front()->table;
  auto const columns = present_columns(*whole.front());
  unnested source(whole, columns);
  std::vector<std::string> names_list, values, keys;
  for (auto const column : columns) {
    names_list.push_back(quoted_column(table, column));
    values.push_back(typed(table, column));
  }
  for (auto const column : table.key) keys.push_back(quoted_column(table, column));
  std::string const version{names::version_column};
  return {.sql = "INSERT INTO " + target(table) + " AS t (" + absl::StrJoin(names_list, ", ") + ", " +
                 version + ") OVERRIDING SYSTEM VALUE SELECT " + absl::StrJoin(values, ", ") + ", x.v FROM " +
                 source.from() + " ON CONFLICT (" + absl::StrJoin(keys, ", ") + ") DO UPDATE SET " +
                 assignments(table, columns, true) + " WHERE t." + version + " < excluded." + version +
                 and_place(table, naming),
          .parameters = source.take_parameters(),
          .name = statement_name(named("upsert", naming), *whole.front())};
}

statement correct_statement(change_list const& same_columns, row_naming naming) {
  auto const& table = *same_columns.front()->table;
  auto const columns = present_columns(*same_columns.front());
  unnested source(same_columns, columns);
  return {.sql = "UPDATE " + target(table) + " AS t SET " + assignments(table, columns, false) + " FROM " +
                 source.from() + " WHERE " + key_match(table) + " AND t." +
                 std::string(names::version_column) + " = x.v AND " + whole_row(table, columns, true) +
                 " IS DISTINCT FROM " + whole_row(table, columns, false) + and_place(table, naming),
          .parameters = source.take_parameters(),
          .name = statement_name(named("correct", naming), *same_columns.front())};
}

statement partial_statement(change_list const& same_columns, row_naming naming) {
  auto const& table = *same_columns.front()->table;
  auto const columns = present_columns(*same_columns.front());
  unnested source(same_columns, columns);
  return {.sql = "UPDATE " + target(table) + " AS t SET " + assignments(table, columns, false) + " FROM " +
                 source.from() + " WHERE " + key_match(table) + " AND t." +
                 std::string(names::version_column) + " < x.v" + and_place(table, naming),
          .parameters = source.take_parameters(),
          .name = statement_name(named("partial", naming), *same_columns.front())};
}

statement held_statement(change_list const& same_columns) {
  auto const& table = *same_columns.front()->table;
  unnested source(same_columns, table.key);
  auto const here = "t." + std::string(names::version_column);
  return {.sql = "SELECT x.n, " + slot_of_row(table) + ", " + here + " FROM " + source.from() +
                 " LEFT JOIN " + target(table) + " AS t ON " + key_match(table) + " WHERE " + here +
                 " IS NULL OR NOT (" + outside_authority(table) + ") ORDER BY 1",
          .parameters = source.take_parameters(),
          .name = "sw_held" + std::to_string(table.id)};
}

statement missing_statement(change_list const& same_columns) {
  auto const& table = *same_columns.front()->table;
  unnested source(same_columns, table.key);
  return {.sql = "SELECT x.n FROM " + source.from() + " WHERE NOT EXISTS (SELECT 1 FROM " + target(table) +
                 " AS t WHERE " + key_match(table) + ") ORDER BY 1",
          .parameters = source.take_parameters(),
          .name = "sw_missing" + std::to_string(table.id)};
}

statement blocker_statement(stream_change const& change, std::string const& expressions) {
  auto const& table = *change.table;
  auto const columns = present_columns(change);
  unnested source({&change}, columns);
  std::vector<std::string> image;
  for (auto const column : columns)
    image.push_back(typed(table, column) + " AS " + quoted_column(table, column));
  auto const held = table.is_reference() ? std::string("NULL")
                                         : "max(" + slot_of_row(table) + ") FILTER (WHERE NOT (" +
                                               outside_authority(table) + "))";
  return {.sql = "SELECT max(" + std::string(names::version_column) + "), " + held + " FROM " +
                 target(table) + " AS t WHERE ROW(" + expressions + ") = (SELECT " + expressions +
                 " FROM (SELECT " + absl::StrJoin(image, ", ") + " FROM " + source.from() + ") AS i)",
          .parameters = source.take_parameters()};
}

statement fetch_statement(stream_change const& change) {
  auto const& table = *change.table;
  std::vector<std::string> columns, keys;
  std::vector<text_value> parameters;
  for (std::size_t i = 0; i < table.sent.size(); ++i) columns.push_back(quoted_column(table, i));
  for (std::size_t i = 0; i < table.key.size(); ++i) {
    parameters.emplace_back(change.key[i]);
    keys.push_back(quoted_column(table, table.key[i]) + " = $" + std::to_string(i + 1) +
                   "::text::" + table.sent[table.key[i]].type);
  }
  return {.sql = "SELECT " + absl::StrJoin(columns, ", ") + " FROM " + target(table) + " WHERE " +
                 absl::StrJoin(keys, " AND "),
          .parameters = std::move(parameters)};
}

statement receipts_statement(std::span<text_value const> write_ids, std::span<text_value const> ordinals) {
  return {.sql =
              "DELETE FROM shardway.dual_applied AS d USING ROWS FROM (pg_catalog.unnest($1::uuid[]), "
              "pg_catalog.unnest($2::int4[])) AS x (w, o) "
              "WHERE d.write_id = x.w AND d.ordinal = x.o",
          .parameters = {text_array(write_ids), text_array(ordinals)},
          .name = "sw_receipts"};
}

statement pause_statement(std::span<text_value const> relations, std::span<text_value const> reasons) {
  return {
      .sql =
          "INSERT INTO shardway.parked (stream, relation, key_digest, reason, commit_lsn) SELECT 'paused', "
          "x.t, '', x.r, '0/0' FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest("
          "$2::text[])) AS x (t, r) WHERE NOT EXISTS (SELECT 1 FROM shardway.parked AS p WHERE p.stream = "
          "'paused' AND p.relation = x.t)",
      .parameters = {text_array(relations), text_array(reasons)}};
}

statement forget_parked_statement(lsn applied) {
  return {.sql = "DELETE FROM shardway.parked WHERE stream = 'source' AND commit_lsn <= $1::pg_lsn",
          .parameters = {applied.to_string()}};
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
