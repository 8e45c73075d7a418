// A constraint on a shard's table that refuses values which the older server of the source cannot hold: the
// mirror could not bring them back, and the way back would end (AS18).
#pragma once

#include <string>
#include <string_view>

#include "shardway/manifest/generation.hpp"

namespace shardway {
inline namespace v0 {

inline constexpr std::string_view value_guard_name = "shardway_source_holds";

/// SQL that is true for what the source can hold too, of an expression of this type (by format_type, or a
/// domain's base type); empty where the shard can hold nothing else. Versions as in `server_version_num`.
std::string value_guard_condition(std::string_view type, std::string const& expression, int source_version,
                                  int shard_version);

/// Makes the constraint of one table; empty where the versions need none. For the shard. Cost: reads the
/// table once, under ACCESS EXCLUSIVE.
std::string value_guard_sql(table_state const&, int source_version, int shard_version);
/// Drops it.
std::string drop_value_guard_sql(std::string_view schema_and_name);

}  // namespace v0
}  // namespace shardway
