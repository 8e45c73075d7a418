// Reads rows on every node at once, and puts them together by key.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/verify/row_compare.hpp"
#include "lib/migrate/verify/sql.hpp"
#include "lib/migrate/verify/verify_nodes.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::verify {

/// Puts the answers to `rows_statement` together by key; the source's answer first, then each shard's.
result<rows_by_key> gather_rows(std::vector<rows> const& answers, table_state const&);

/// The rows of these keys as they are now. A key that is on no node has an entry without rows.
result<rows_by_key> read_keys(verify_nodes&, table_state const&,
                              std::vector<std::vector<std::string>> const& keys, hash_seeds);

}  // namespace migrate::verify
}  // namespace v0
}  // namespace shardway
