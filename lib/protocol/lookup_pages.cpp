// Walking through rows and mappings, page after page: for building, checking and repairing a lookup.
#include "lib/protocol/lookup_text.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {

using namespace lookup_text;

namespace {

std::string typed_parameters(table_state const& table, std::vector<std::string> const& columns) {
  std::string sql;
  for (std::size_t i = 0; i < columns.size(); ++i)
    sql += (i ? ", $" : "$") + number(i + 1) + "::" + type_of(table, columns[i]);
  return sql;
}

std::vector<std::string> texts_in(rows const& page, std::size_t row, std::size_t first, std::size_t count) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) texts.emplace_back(page.text(row, first + i));
  return texts;
}

bool has_null(rows const& page, std::size_t row, std::size_t first, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    if (!page.at(row, first + i)) return true;
  return false;
}

std::string matched(std::string const& left, lookup_of_table const& lookup) {
  std::string sql;
  for (std::size_t i = 0; i < lookup.lookup->columns.size(); ++i)
    sql += (i ? " AND " : "") + left + value_column(i) + " = u." + value_column(i) +
           "::" + stored_type(lookup, i);
  return sql;
}

// Columns of the base row against an array of the entry: "t.customer_id = (u.s::text[])[1]::bigint".
std::string matched_array(table_state const& table, std::vector<std::string> const& columns,
                          std::string const& array) {
  std::string sql;
  for (std::size_t i = 0; i < columns.size(); ++i)
    sql += " AND t." + names::quoted(columns[i]) + " = (" + array + "::text[])[" + number(i + 1) +
           "]::" + type_of(table, columns[i]);
  return sql;
}

}  // namespace

statement base_page_statement(lookup_of_table const& lookup, lookup_entry const* after, std::size_t limit) {
  auto const& manifest = lookup.table->manifest;
  std::string sql = "SELECT " + text_list(manifest.key, "t.") + ", " + text_list(manifest.shard_key, "t.") +
                    ", " + text_list(lookup.lookup->columns, "t.") + " FROM " +
                    names::quoted_table(manifest.table) + " AS t";
  std::vector<text_value> parameters;
  if (after) {
    sql += " WHERE (" + column_list(manifest.key, "t.") + ") > (" +
           typed_parameters(*lookup.table, manifest.key) + ")";
    parameters.assign(after->owner.row_key.begin(), after->owner.row_key.end());
  }
  return named(sql + " ORDER BY " + column_list(manifest.key, "t.") + " LIMIT " + number(limit),
               std::move(parameters));
}

statement lookup_page_statement(lookup_of_table const& lookup, lookup_entry const* after, std::size_t limit) {
  auto const& manifest = lookup.table->manifest;
  std::string texts, plain, bounds;
  for (std::size_t i = 0; i < lookup.lookup->columns.size(); ++i) {
    texts += "t." + value_column(i) + "::text, ";
    plain += "t." + value_column(i) + ", ";
    bounds += "$" + number(i + 1) + "::" + stored_type(lookup, i) + ", ";
  }
  std::string sql = "SELECT " + texts + element_list("t.shard_key", manifest.shard_key.size()) +
                    (lookup.lookup->unique ? ", " + element_list("t.row_key", manifest.key.size()) : "") +
                    " FROM " + mapping_table(lookup) + " AS t";
  std::vector<text_value> parameters;
  if (after) {
    sql += " WHERE (" + plain + "t.shard_key) > (" + bounds + "$" +
           number(lookup.lookup->columns.size() + 1) + "::text[])";
    parameters.assign(after->texts.begin(), after->texts.end());
    parameters.emplace_back(text_array(after->owner.shard_key));
  }
  return named(sql + " ORDER BY " + plain + "t.shard_key LIMIT " + number(limit), std::move(parameters));
}

result<std::vector<lookup_entry>> parse_base_page(lookup_of_table const& lookup, rows const& page,
                                                  lookup_entry& last) {
  auto const& manifest = lookup.table->manifest;
  auto const keys = manifest.key.size(), shard_keys = manifest.shard_key.size(),
             values = lookup.lookup->columns.size();
  std::vector<lookup_entry> entries;
  for (std::size_t row = 0; row < page.size(); ++row) {
    lookup_entry entry{.lookup = lookup,
                       .value = {},
                       .texts = texts_in(page, row, keys + shard_keys, values),
                       .owner = {texts_in(page, row, keys, shard_keys), texts_in(page, row, 0, keys)}};
    if (row + 1 == page.size()) last = entry;
    if (!lookup.lookup->unique) entry.owner.row_key.clear();
    if (has_null(page, row, keys + shard_keys, values)) continue;
    BOOST_OUTCOME_TRY(entry.value, key_from_texts(*lookup.table, lookup.lookup->columns, entry.texts));
    entries.push_back(std::move(entry));
  }
  return entries;
}

result<std::vector<lookup_entry>> parse_lookup_page(lookup_of_table const& lookup, rows const& page) {
  auto const& manifest = lookup.table->manifest;
  auto const values = lookup.lookup->columns.size(), shard_keys = manifest.shard_key.size();
  std::vector<lookup_entry> entries;
  for (std::size_t row = 0; row < page.size(); ++row) {
    lookup_entry entry{.lookup = lookup,
                       .value = {},
                       .texts = texts_in(page, row, 0, values),
                       .owner = {texts_in(page, row, values, shard_keys)}};
    if (lookup.lookup->unique)
      entry.owner.row_key = texts_in(page, row, values + shard_keys, manifest.key.size());
    BOOST_OUTCOME_TRY(entry.value, key_from_texts(*lookup.table, lookup.lookup->columns, entry.texts));
    entries.push_back(std::move(entry));
  }
  return entries;
}

statement without_mapping_statement(std::span<lookup_entry const> entries) {
  auto const& lookup = entries.front().lookup;
  return named("SELECT u.at FROM " + entries_from(lookup) + " WHERE NOT EXISTS (SELECT 1 FROM " +
                   mapping_table(lookup) + " AS t WHERE " + matched("t.", lookup) +
                   " AND t.shard_key = u.s::text[] AND t.row_key = u.k::text[]) ORDER BY u.at",
               entry_parameters(entries));
}

statement without_row_statement(std::span<lookup_entry const> entries) {
  auto const& lookup = entries.front().lookup;
  auto const& table = *lookup.table;
  std::string values;
  for (std::size_t i = 0; i < lookup.lookup->columns.size(); ++i)
    values += (i ? " AND t." : "t.") + names::quoted(lookup.lookup->columns[i]) + " = u." + value_column(i) +
              "::" + type_of(table, lookup.lookup->columns[i]);
  return named("SELECT u.at FROM " + entries_from(lookup) + " WHERE NOT EXISTS (SELECT 1 FROM " +
                   names::quoted_table(table.manifest.table) + " AS t WHERE " + values +
                   matched_array(table, table.manifest.shard_key, "u.s") +
                   (lookup.lookup->unique ? matched_array(table, table.manifest.key, "u.k") : "") +
                   ") ORDER BY u.at",
               entry_parameters(entries));
}

}  // namespace v0
}  // namespace shardway
