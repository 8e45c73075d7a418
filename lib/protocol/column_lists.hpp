// Small pieces of SQL over the columns of a table.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/names.hpp"
#include "lib/protocol/slot_of.hpp"
#include "shardway/manifest/generation.hpp"

namespace shardway {
inline namespace v0 {

/// t."a", t."b" for the prefix "t.".
std::string column_list(std::vector<std::string> const& columns, std::string_view prefix);
/// OLD."a" IS DISTINCT FROM NEW."a" OR ...
std::string distinct_list(std::vector<std::string> const& columns);

/// The columns whose values are sent to other nodes: all but generated ones, in the source's order.
std::vector<column_state const*> sent_columns(table_state const&);
bool is_key(table_state const&, std::string_view column);
/// Null if the table has no column of that name.
column_state const* find_column(table_state const&, std::string_view name);
/// "text" for a column that the table does not have.
std::string type_of(table_state const&, std::string_view column);
/// The type whose canonical bytes a key in the column has.
std::string key_type_of(table_state const&, std::string_view column);

/// The expression as a value that `shardway.slot_of` takes: a domain or an enum as the type under it.
std::string as_key(column_state const&, std::string const& expression);
/// The same for a column of the table with a prefix such as "t.".
std::string key_expression(column_state const&, std::string const& prefix);
/// shardway.slot_of over the shard key's columns with a prefix such as "OLD.".
std::string slot_expression(table_state const&, std::string const& prefix);

}  // namespace v0
}  // namespace shardway
