// Reads that more than one node answers: how their rows become one answer, and what they may cost.
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
  std::string column;  ///< name of an output column, as the server returns it
  bool descending{};
  std::optional<bool>
      nulls_first{};  ///< nothing: as PostgreSQL, last when ascending and first when descending
  /// Needed for text: "C" is compared by bytes here; any other name ("default", "en_US") makes a server sort
  /// the keys, one round trip more.
  std::string collation{};
};

enum class aggregate_function : unsigned char { count_rows, count, sum, min, max, avg };

/// One output column that combines rows.
struct aggregate_term {
  std::string name;  ///< of the output column
  aggregate_function function{};
  std::string column{};     ///< output column of the statement that is combined; empty for count_rows
  std::string collation{};  ///< needed for min and max of text
};

/// How the rows of all nodes become one answer. With `aggregates` or `group_by` the output is `group_by`'s
/// columns, then the aggregates.
struct merge_terms {
  std::vector<order_term> order_by{};
  std::optional<std::uint64_t> limit{};
  std::uint64_t offset{};               ///< only with order_by
  std::vector<std::string> group_by{};  ///< output columns of the statement
  std::vector<aggregate_term> aggregates{};

  bool combines() const noexcept { return !group_by.empty() || !aggregates.empty(); }
};

struct scatter_options {
  read_options read{};  ///< how fresh each part is, and who may answer it; `deadline` covers the whole call
  merge_terms merge{};
  /// >= 0; the whole call of `read_all`; 0: the manifest's `reads.scatter_budget`, which is never exceeded
  std::chrono::milliseconds budget{0};
  std::uint32_t fan_out_max{
      0};  ///< nodes `read_all` may ask; 0: the manifest's `reads.fan_out_max`, which is never exceeded
  std::size_t rows_max{100'000};  ///< > 0: rows of all nodes together, before the merge
  std::size_t bytes_max{
      64
      << 20};  ///< > 0: bytes of their values. Counted as each node's answer comes: one answer is held whole
  bool subqueries_by_shard_key{};  ///< the caller vouches that each subquery and WITH combines rows of one
                                   ///< shard key only
};

/// Who answered one part.
struct answered_part {
  std::string node;
  bool from_replica{};
  std::size_t rows{};
};

struct merged_answer {
  rows returned;
  std::vector<answered_part> parts;
  std::uint32_t repeats{};     ///< how often the whole read began anew since authority had moved
  bool filtered{};             ///< some node was asked for the slots of its own only
  std::uint64_t generation{};  ///< that all parts were read under
};

}  // namespace v0
}  // namespace shardway
