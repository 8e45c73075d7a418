// Looking at rows on every node at once.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/verify_nodes.hpp"
#include "lib/migrate/verify_sql.hpp"
#include "shardway/migrate/row_compare.hpp"

namespace shardway {
inline namespace v0 {

/// Rows as `rows_statement` asks for them, from the source and each shard, put together by key.
result<sights_by_key> gather_sights(std::vector<rows> const& answers, table_state const&);

/// The rows of these keys as they are now; a key that is nowhere has no sights.
result<sights_by_key> look_at_keys(verify_nodes&, table_state const&, std::vector<std::vector<std::string>> const& keys, hash_seeds);

}  // namespace v0
}  // namespace shardway
