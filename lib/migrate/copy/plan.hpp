// Where the chunks of a table begin and end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/migrate/stream/read/copy_registry.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::copy {

/// Plans a table: bounds of chunks of about `chunk_rows` rows, by walking the index of its primary key on the
/// source. The last is open-ended.
result<std::vector<stream::chunk_range>> plan_chunks(session& source, stream::followed_table const&,
                                                     std::int64_t chunk_rows);
/// "WHERE" and the bounds of a chunk, or nothing for a whole table.
std::string range_condition(stream::followed_table const&, stream::key_order, stream::chunk_range const&);

}  // namespace migrate::copy
}  // namespace v0
}  // namespace shardway
