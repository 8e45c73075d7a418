// Looking at rows on every node at once.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/verify/nodes.hpp"
#include "lib/migrate/verify/row_compare.hpp"
#include "lib/migrate/verify/sql.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::verify {

/// Rows as `rows_statement` asks for them, from the source and each shard, put together by key.
result<rows_by_key> gather_rows(std::vector<rows> const& answers, table_state const&);

/// The rows of these keys as they are now; a key that is nowhere has no rows_seen.
result<rows_by_key> read_keys(verify_nodes&, table_state const&,
                              std::vector<std::vector<std::string>> const& keys, hash_seeds);

}  // namespace migrate::verify
}  // namespace v0
}  // namespace shardway
