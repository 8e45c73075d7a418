// Pieces of SQL about a followed table that several rooms need. Text only.
#pragma once

#include <string>

#include "lib/migrate/stream/followed_table.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// The name of a column of `table.sent`, quoted.
std::string quoted_column(followed_table const& table, std::size_t column);
/// The names of all columns that travel, quoted, with commas.
std::string sent_column_list(followed_table const& table);
/// shardway.slot_of(...) of a row with a prefix such as "t.". Preconditions: no reference table.
std::string slot_of_row(followed_table const& table, std::string const& prefix = "t.");
/// A condition on a row `t` of the table: its slot is none that the node has authority for. The fence
/// has to be locked while it counts (CP8, AP10). Preconditions: no reference table.
std::string outside_authority(followed_table const& table);

/// The columns and expressions of the unique index that a server's detail names, "Key (a, lower(b))=(...)
/// already exists.", in whatever language (AP20); never its values. Empty if there are none.
std::string unique_expressions(std::string const& detail);

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
