// The one text of a key, and of any value that we print: what the type's output function prints under the
// settings of our own sessions (TimeZone UTC, DateStyle ISO, IntervalStyle postgres, bytea_output hex,
// extra_float_digits above 0, lc_monetary C, search_path pg_catalog). The stream decoder prints the same.
//
// Outbox rows, key locks, receipts and mappings compare keys as text. `::text` is another text for boolean,
// character(n), inet and others, and follows the session's settings for dates, floats and bytea. So nobody
// else makes text of a key: the tidy check refuses it outside key_text.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shardway/manifest/generation.hpp"

namespace shardway {
inline namespace v0 {

/// Whether a column of this type may be in a primary key, by format_type's name or a domain's base type. True
/// only where equal values have equal text on every node, whatever a session has set. Not for numeric without
/// a scale, floats, interval, money, citext, ranges, composites and all types that the library does not know.
///
/// A nondeterministic collation is no part of the name: see `inspect_tables`.
bool is_key_type(std::string_view type);

/// The types of a refusal's hint, in words.
std::string_view key_types_in_words() noexcept;

/// SQL for the canonical text of a column with a prefix such as "t." or "OLD."; NULL of NULL. It depends on
/// no setting of the session. Needs schema `shardway` on the node.
std::string value_text(column_state const&, std::string_view prefix);
/// The same for columns of a table, separated by commas. A column that the table does not have is cast.
std::string key_text_list(table_state const&, std::vector<std::string> const& columns,
                          std::string_view prefix);
/// The same for an expression of a type by its name, such as a column of ours.
std::string value_text_of(std::string_view type, std::string const& expression);

}  // namespace v0
}  // namespace shardway
