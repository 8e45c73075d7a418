// Reads that several nodes answer: how their rows become one answer, and what they may cost.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shardway/read/read_options.hpp"

namespace shardway {
inline namespace v0 {

/// One term of an ORDER BY over the merged rows.
struct order_term {
  /// The name of an output column, as the server returns it.
  std::string column;

  bool descending{};

  /// Nothing: as in PostgreSQL, NULLs are last when ascending and first when descending.
  std::optional<bool> nulls_first{};

  /// Required for text. "C" is compared by bytes in this process. With any other name ("default", "en_US") a
  /// server sorts the keys, which costs one more round trip.
  std::string collation{};
};

enum class aggregate_function : unsigned char { count_rows, count, sum, min, max, avg };

/// One output column that combines rows.
struct aggregate_term {
  std::string name;  ///< of the output column
  aggregate_function function{};
  std::string column{};     ///< the output column of the statement to combine; empty for count_rows
  std::string collation{};  ///< required for min and max of text
};

/// How the rows of all nodes become one answer. With `aggregates` or `group_by` the output has the columns of
/// `group_by`, then the aggregates.
struct merge_terms {
  std::vector<order_term> order_by{};
  std::optional<std::uint64_t> limit{};
  std::uint64_t offset{};               ///< only with order_by
  std::vector<std::string> group_by{};  ///< output columns of the statement
  std::vector<aggregate_term> aggregates{};

  bool combines() const noexcept { return !group_by.empty() || !aggregates.empty(); }
};

/// Options of `client_session::read_all` and `read_many`.
///
/// @code
/// auto newest = session.read_all("shop.orders",
///                                "SELECT id, placed_at FROM shop.orders WHERE {slots:customer_id}", {},
///                                {.merge = {.order_by = {{.column = "placed_at", .descending = true}},
///                                .limit = 20}});
/// @endcode
struct scatter_options {
  /// How fresh each part must be, and who may answer it. `deadline` covers the whole call.
  read_options read{};

  /// How the rows of the parts become one answer.
  merge_terms merge{};

  /// >= 0. Covers the whole call of `read_all`. 0: `reads.scatter_budget` of the manifest. That budget is
  /// never exceeded.
  std::chrono::milliseconds budget{0};

  /// How many nodes `read_all` may ask. 0: `reads.fan_out_max` of the manifest. That limit is never exceeded.
  std::uint32_t fan_out_max{0};

  /// > 0. The most rows of all nodes together, before the merge.
  std::size_t rows_max{100'000};

  /// > 0. The most bytes of their values. They are counted as each node's answer arrives, so one answer is
  /// held whole.
  std::size_t bytes_max{64 << 20};

  /// The caller vouches that each subquery and each WITH combines rows of one shard key only.
  bool subqueries_by_shard_key{};
};

/// Who answered one part.
struct answered_part {
  std::string node;
  bool from_replica{};
  std::size_t rows{};
};

/// The answer of a read of several nodes.
struct merged_answer {
  rows returned;
  std::vector<answered_part> parts;
  std::uint32_t repeats{};     ///< how often the whole read began anew because authority had moved
  bool filtered{};             ///< at least one node was asked for its own slots only
  std::uint64_t generation{};  ///< all parts were read under it
};

}  // namespace v0
}  // namespace shardway
