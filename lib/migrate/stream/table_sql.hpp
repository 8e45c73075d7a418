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
/// A condition on a row `t` of a shard's table: its slot is none that the shard has authority for. The fence
/// has to be locked while it counts (CP8). Preconditions: no reference table.
std::string outside_authority(followed_table const& table);

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
