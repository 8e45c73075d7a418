// Walking through rows and mappings, page after page: for building, checking and repairing a lookup.
#include "lib/protocol/key_text.hpp"
#include "lib/protocol/lookup_text.hpp"
#include "lib/store/text_array.hpp"
#include "sql_files.hpp"

namespace shardway {
inline namespace v0 {

using namespace lookup_text;

namespace {

using fragment = sql_fragment;

// The rows after the last one of the page before.
fragment after_last(std::string const& columns, std::string const& last) {
  return fragment::of_quoted(absl::StrCat("(", columns, ") > (", last, ")"));
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

// Columns of the base row against an array of the entry: "t.customer_id = (u.s::text[])[1]::bigint".
fragment array_match(table_state const& table, std::vector<std::string> const& columns, char const* array) {
  return list_of(columns.size(), " AND ", [&](std::size_t i) {
    return absl::StrCat("t.", names::quoted(columns[i]), " = (", array, "::text[])[", i + 1,
                        "]::", type_of(table, columns[i]));
  });
}

// Columns of the base row against the entry's value: "t.email = u.v1::text".
fragment base_value_match(lookup_of_table const& lookup) {
  auto const& columns = lookup.lookup->columns;
  return list_of(columns.size(), " AND ", [&](std::size_t i) {
    return absl::StrCat("t.", names::quoted(columns[i]), " = u.", value_column(i),
                        "::", type_of(*lookup.table, columns[i]));
  });
}

fragment after_row(lookup_of_table const& lookup) {
  auto const& key = lookup.table->manifest.key;
  auto const last = list_of(key.size(), ", ", [&](std::size_t i) {
    return absl::StrCat(parameter(i), "::", type_of(*lookup.table, key[i]));
  });
  return after_last(column_list(key, "t."), last.text());
}

fragment after_mapping(lookup_of_table const& lookup) {
  auto const last = list_of(width_of(lookup), ", ", [&](std::size_t i) {
    return absl::StrCat(parameter(i), "::", stored_type(lookup, i));
  });
  return after_last(absl::StrCat(value_columns(lookup, "t.").text(), ", t.shard_key"),
                    absl::StrCat(last.text(), ", ", parameter(width_of(lookup)), "::text[]"));
}

// The first page is after nothing.
fragment every_row() { return fragment::of_quoted("true"); }

}  // namespace

statement base_page_statement(lookup_of_table const& lookup, lookup_entry const* after, std::size_t limit) {
  auto const& manifest = lookup.table->manifest;
  std::vector<text_value> parameters;
  if (after) parameters.assign(after->owner.row_key.begin(), after->owner.row_key.end());
  return filled_statement(
      sql::base_page,
      {{"table", fragment::table(manifest.table)},
       {"key_texts", fragment::of_quoted(key_text_list(*lookup.table, manifest.key, "t."))},
       {"shard_key_texts", fragment::of_quoted(key_text_list(*lookup.table, manifest.shard_key, "t."))},
       {"value_texts", fragment::of_quoted(key_text_list(*lookup.table, lookup.lookup->columns, "t."))},
       {"after", after ? after_row(lookup) : every_row()},
       {"key", fragment::of_quoted(column_list(manifest.key, "t."))},
       {"limit", limit_of(limit)}},
      std::move(parameters));
}

statement lookup_page_statement(lookup_of_table const& lookup, lookup_entry const* after, std::size_t limit) {
  auto const& manifest = lookup.table->manifest;
  std::vector<fragment> owner{element_list("t.shard_key", manifest.shard_key.size())};
  if (lookup.lookup->unique) owner.push_back(element_list("t.row_key", manifest.key.size()));
  auto const value_texts = list_of(width_of(lookup), ", ", [&](std::size_t i) {
    return value_text_of(stored_type(lookup, i), absl::StrCat("t.", value_column(i)));
  });
  std::vector<text_value> parameters;
  if (after) {
    parameters.assign(after->texts.begin(), after->texts.end());
    parameters.emplace_back(text_array(after->owner.shard_key));
  }
  return filled_statement(sql::lookup_page,
                          {{"mappings", mapping_table(lookup)},
                           {"value_texts", value_texts},
                           {"owner", joined(owner, ", ")},
                           {"after", after ? after_mapping(lookup) : every_row()},
                           {"values", value_columns(lookup, "t.")},
                           {"limit", limit_of(limit)}},
                          std::move(parameters));
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
  return filled_statement(sql::without_mapping,
                          {{"mappings", mapping_table(lookup)},
                           {"value_columns", value_columns(lookup)},
                           {"arrays", entry_arrays(lookup)},
                           {"value_match", entry_match(lookup)}},
                          entry_parameters(entries));
}

statement without_row_statement(std::span<lookup_entry const> entries) {
  auto const& lookup = entries.front().lookup;
  auto const& table = *lookup.table;
  std::vector<fragment> owner_match{array_match(table, table.manifest.shard_key, "u.s")};
  if (lookup.lookup->unique) owner_match.push_back(array_match(table, table.manifest.key, "u.k"));
  return filled_statement(sql::without_row,
                          {{"table", fragment::table(table.manifest.table)},
                           {"value_columns", value_columns(lookup)},
                           {"arrays", entry_arrays(lookup)},
                           {"value_match", base_value_match(lookup)},
                           {"owner_match", joined(owner_match, " AND ")}},
                          entry_parameters(entries));
}

}  // namespace v0
}  // namespace shardway
