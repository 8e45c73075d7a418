// Values and owners of mappings: pure.
#include "lib/protocol/lookup.hpp"

#include <algorithm>

#include "lib/protocol/column_lists.hpp"
#include "shardway/route/slot.hpp"

namespace shardway {
inline namespace v0 {
namespace {

error not_in_image(table_state const& table, std::string const& column) {
  return error{
      error_code::schema_drift,
      "the image of a row of " + table.manifest.table + " has no column \"" + column +
          "\", which a lookup needs",
      "a lookup may not be over a generated column; if the table was altered, apply its manifest again"};
}

// The position of each of the columns in an image.
result<std::vector<std::size_t>> places_of(table_state const& table, std::vector<std::string> const& wanted) {
  auto const columns = sent_columns(table);
  std::vector<std::size_t> places;
  for (auto const& name : wanted) {
    auto const found = std::find_if(columns.begin(), columns.end(),
                                    [&](auto const* column) { return column->name == name; });
    if (found == columns.end()) return not_in_image(table, name);
    places.push_back(static_cast<std::size_t>(found - columns.begin()));
  }
  return places;
}

// Nothing if one of them is NULL.
result<std::optional<std::vector<std::string>>> texts_of(table_state const& table,
                                                         std::vector<std::string> const& columns,
                                                         std::vector<text_value> const& image) {
  BOOST_OUTCOME_TRY(auto const places, places_of(table, columns));
  std::vector<std::string> texts;
  for (auto const place : places) {
    if (place >= image.size()) return not_in_image(table, columns[texts.size()]);
    if (!image[place]) return std::nullopt;
    texts.push_back(*image[place]);
  }
  return texts;
}

error no_key_column(table_state const& table, std::string const& column) {
  return error{
      error_code::corrupt_data,
      "column \"" + column + "\" of " + table.manifest.table + " is not of a type that a lookup may have",
      "use a column of an integer type, text, varchar, uuid or bytea"};
}

}  // namespace

std::optional<lookup_of_table> find_lookup(table_state const& table, std::string_view name) noexcept {
  for (auto const& lookup : table.manifest.lookups)
    if (lookup.name == name) return lookup_of_table{&table, &lookup};
  return std::nullopt;
}

result<shard_key> key_from_texts(table_state const& table, std::vector<std::string> const& columns,
                                 std::vector<std::string> const& texts) {
  std::vector<shard_key> parts;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    auto const kind = key_column_of(key_type_of(table, columns[i]));
    if (!kind) return no_key_column(table, columns[i]);
    BOOST_OUTCOME_TRY(auto part, shard_key::from_text(kind.value(), texts[i]));
    parts.push_back(std::move(part));
  }
  if (parts.size() == 1) return std::move(parts.front());
  return shard_key::composite(parts);
}

shard_id lookup_shard(generation const& current, shard_key const& value) noexcept {
  return current.shard_of(slot_of(value));
}

result<std::vector<std::string>> lookup_texts(lookup_of_table const& lookup, shard_key const& value) {
  auto const& columns = lookup.lookup->columns;
  auto const what = "lookup \"" + lookup.lookup->name + "\" of " + lookup.table->manifest.table;
  if (value.columns() != columns.size())
    return error{error_code::invalid_argument, what + " has " + std::to_string(columns.size()) +
                                                   " columns, and the value " +
                                                   std::to_string(value.columns())};
  BOOST_OUTCOME_TRYV(value.check());
  std::vector<std::string> texts;
  std::vector<key_limits> limits;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    auto const kind = key_column_of(key_type_of(*lookup.table, columns[i]));
    if (!kind) return no_key_column(*lookup.table, columns[i]);
    if (type_of(kind.value()) != value.type_of(i))
      return error{error_code::invalid_argument, what + ": column \"" + columns[i] + "\" is of type " +
                                                     std::string(name(type_of(kind.value()))) +
                                                     ", and the value of type " +
                                                     std::string(name(value.type_of(i)))};
    limits.push_back(key_limits_of(key_type_of(*lookup.table, columns[i])));
    texts.push_back(value.text_of(i));
  }
  if (!value.is_within(limits))  // AP19
    return error{error_code::invalid_argument, what + ": the value is none of its column's type",
                 "give it as the column holds it: PostgreSQL would cut a longer one in a cast"};
  return texts;
}

result<std::vector<lookup_entry>> lookup_entries(table_state const& table,
                                                 std::vector<text_value> const& image) {
  std::vector<lookup_entry> entries;
  for (auto const& lookup : table.manifest.lookups) {
    BOOST_OUTCOME_TRY(auto texts, texts_of(table, lookup.columns, image));
    if (!texts) continue;
    BOOST_OUTCOME_TRY(auto value, key_from_texts(table, lookup.columns, *texts));
    BOOST_OUTCOME_TRY(auto owner, texts_of(table, table.manifest.shard_key, image));
    BOOST_OUTCOME_TRY(auto row, texts_of(table, table.manifest.key, image));
    if (!owner || !row)
      return error{error_code::corrupt_data, "a row of " + table.manifest.table + " has NULL in its key"};
    lookup_owner who{std::move(*owner), lookup.unique ? std::move(*row) : std::vector<std::string>{}};
    entries.push_back({{&table, &lookup}, std::move(value), std::move(*texts), std::move(who)});
  }
  return entries;
}

std::optional<lookup_owner> parse_holder(lookup_of_table const& lookup, rows const& answer, std::size_t row) {
  auto const& manifest = lookup.table->manifest;
  if (!answer.at(row, 0)) return std::nullopt;
  lookup_owner holder;
  for (std::size_t i = 0; i < manifest.shard_key.size(); ++i)
    holder.shard_key.emplace_back(answer.text(row, i));
  for (std::size_t i = 0; i < manifest.key.size(); ++i)
    holder.row_key.emplace_back(answer.text(row, manifest.shard_key.size() + i));
  return holder;
}

}  // namespace v0
}  // namespace shardway
