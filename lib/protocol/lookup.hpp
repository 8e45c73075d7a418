// A lookup's tables on the shards, the statements on them, and the meaning of a mapping that was found. Text
// and pure functions only.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/manifest/generation.hpp"
#include "shardway/route/shard_key.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// A lookup and its table. Lifetime: the generation's.
struct lookup_of_table {
  table_state const* table{};
  lookup_index const* lookup{};
};
/// Nothing if the table has no lookup of that name.
std::optional<lookup_of_table> find_lookup(table_state const&, std::string_view name) noexcept;
/// Mappings are written by every client from `dual_writing` on.
constexpr bool keeps_lookups(stage reached, table_manifest const& table) noexcept {
  return reached >= stage::dual_writing && !table.lookups.empty();
}

/// The owner that a mapping leads to: the shard key's columns and, for a unique lookup, the primary key's, in
/// PostgreSQL's text form.
struct lookup_owner {
  std::vector<std::string> shard_key;
  std::vector<std::string> row_key{};
  friend bool operator==(lookup_owner const&, lookup_owner const&) = default;
};

/// One value of one lookup, as a row has it.
struct lookup_entry {
  lookup_of_table lookup{};
  shard_key value;
  std::vector<std::string> texts;  ///< the value's columns in PostgreSQL's text form
  lookup_owner owner;
};

/// From texts of the columns to a value. Errors: `corrupt_data` (a column's type is not one of a key's),
/// `invalid_argument`.
result<shard_key> key_from_texts(table_state const&, std::vector<std::string> const& columns,
                                 std::vector<std::string> const& texts);
/// The shard that holds a value's mappings. Preconditions: the value is not empty.
shard_id lookup_shard(generation const&, shard_key const& value) noexcept;
/// A value given by a caller. Errors: `invalid_argument` for other columns or types than the lookup's.
result<std::vector<std::string>> lookup_texts(lookup_of_table const&, shard_key const& value);

/// The entries of one row, whose `image` has a value for each of the table's columns that is not generated:
/// one for each lookup of which no column is NULL. Errors: `schema_drift` (a lookup's column is not in the
/// image), `corrupt_data`.
result<std::vector<lookup_entry>> lookup_entries(table_state const&, std::vector<text_value> const& image);

/// On a shard. The table of mappings: a value has one row of a unique lookup, and one for each shard key
/// otherwise.
std::string lookup_table_sql(lookup_of_table const&, std::string_view application_role);
/// On every node: which lookups are complete.
std::string lookup_state_sql(std::string_view application_role);

/// On the node with authority, in the base row's transaction: until it ends, nobody removes or takes over
/// mappings of these values. The lock is shared where two writers of a value do not disturb each other.
/// `slots`: those of the values, in any order. A lookup has 1,024 locks, so several slots share one.
statement lookup_lock_statement(lookup_of_table const&, std::vector<slot_id> const& slots, bool exclusive);

/// On a shard. Preconditions of both: the entries are of one lookup, and at least one.
statement lookup_insert_statement(std::span<lookup_entry const> entries);
/// For a unique lookup: the owner that holds each entry's value now. One row for each entry, in order:
/// `parse_holder`.
statement lookup_holders_statement(std::span<lookup_entry const> entries);
/// Nothing if no owner holds the value.
std::optional<lookup_owner> parse_holder(lookup_of_table const&, rows const&, std::size_t row);
/// Moves a value from an owner to the entry's. Changes no row if another owner holds it by now.
statement lookup_takeover_statement(lookup_entry const&, lookup_owner const& holder);
/// Removes one mapping. Changes no row if another owner holds the value by now.
statement lookup_remove_statement(lookup_entry const&);

/// On a shard: the shard keys a value leads to, one row for each and one text for each column, and whether
/// the lookup is complete.
statement lookup_find_statement(lookup_of_table const&, std::vector<std::string> const& value,
                                std::size_t limit);
statement lookup_ready_statement(lookup_of_table const&);
/// On the source: the shard keys of the rows that have the value, in the same form.
statement source_find_statement(lookup_of_table const&, std::vector<std::string> const& value,
                                std::size_t limit);
/// On the source, after it: whether the source still has authority for every slot of the group.
statement all_open_statement(std::string_view group);
/// One row if the owner's row has the value now.
statement row_holds_statement(lookup_of_table const&, std::vector<std::string> const& value,
                              lookup_owner const&);

/// Pages over rows and over mappings, each after the last one of the page before: pass nothing for the first.
/// A row is (primary key, shard key, value), a mapping (value, shard key and, if the lookup is unique,
/// primary key).
statement base_page_statement(lookup_of_table const&, lookup_entry const* after, std::size_t limit);
statement lookup_page_statement(lookup_of_table const&, lookup_entry const* after, std::size_t limit);
/// The entries of such a page; rows with a NULL in the value have none. `last` is set to the page's last row,
/// whatever its value.
result<std::vector<lookup_entry>> parse_base_page(lookup_of_table const&, rows const&, lookup_entry& last);
result<std::vector<lookup_entry>> parse_lookup_page(lookup_of_table const&, rows const&);
/// Positions, from 1, of the entries that have no mapping (on a shard), and of those that have no row (on a
/// node with authority).
statement without_mapping_statement(std::span<lookup_entry const> entries);
statement without_row_statement(std::span<lookup_entry const> entries);

}  // namespace v0
}  // namespace shardway
