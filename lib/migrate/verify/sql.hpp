// The SQL of verification; it runs on the source and on shards. Text only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shardway/base/ids.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::verify {

/// Keys of the row hashes, random for each run: nobody can prepare rows whose hashes cancel each other out.
struct hash_seeds {
  std::int64_t first{};
  std::int64_t second{};
};
hash_seeds random_seeds() noexcept;

/// Part of a table by its leading key column: lower < key <= upper; an absent bound is open.
struct key_range {
  text_value lower{};
  text_value upper{};
};

/// Every `range_rows`-th leading key, in the order both sides use (bytes for text: collations differ between
/// nodes).
std::string bounds_sql(table_state const&, std::int64_t range_rows);

/// count, first sum, second sum, and on a shard the number of rows whose slot is placed elsewhere. Without
/// `placed` that number is 0.
statement sums_statement(table_state const&, key_range const&, hash_seeds,
                         std::optional<std::vector<slot_range>> const& placed);

/// Per row of the range: slot (or -1 for a reference table), digest of the key, hash, version of the tuple,
/// then the key's columns as text.
statement rows_statement(table_state const&, key_range const&, hash_seeds);

/// The same for the rows named by their keys.
statement rows_by_key_statement(table_state const&, std::vector<std::vector<std::string>> const& keys,
                                hash_seeds);

/// ROW(...) of the table's columns in the source's order, as text: what is hashed.
std::string row_text(table_state const&, std::string const& alias);

}  // namespace migrate::verify
}  // namespace v0
}  // namespace shardway
