// Compares the rows of both sides: sums over key ranges first, then rows. Rows that change meanwhile are
// checked again. Keeps I7.
//
// What verification cannot see: values that PostgreSQL prints alike though they differ in memory, and rows
// that change between all checks.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/catalog/certificate.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/migrate/nodes/engine_nodes.hpp"

namespace shardway {
inline namespace v0 {

struct verify_options {
  std::int64_t range_rows{20000};                ///< > 0: rows of one sum
  std::chrono::milliseconds deadline{120000};    ///< > 0: a whole group; past it: could_not_tell
  std::chrono::milliseconds recheck_wait{5000};  ///< > 0: how long one check waits for the streams
  int recheck_limit{20};                         ///< > 0: checks of one row before could_not_tell
  std::size_t named_max{100};                    ///< > 0: differing rows named per table; all are counted
};

/// How a row differs. `conflict`: several nodes hold a row of this primary key, each for a slot that it has
/// authority for: every one of them may be an acknowledged write, and a person has to decide.
enum class difference_kind : unsigned char { missing, extra, different, wrong_shard, two_shards, conflict };
std::string_view name(difference_kind) noexcept;

struct row_difference {
  difference_kind kind{};
  std::string node;              ///< where the row is wrong
  std::string key_digest;        ///< first 16 hex digits of the keyed hash of the primary key; never the key
  std::vector<std::string> key;  ///< the primary key in text form: for `reconcile`, never for a log
  friend bool operator==(row_difference const&, row_difference const&) = default;
};

/// The verdict on one table.
struct table_verdict {
  std::string relation;
  verdict found{};
  std::int64_t rows{};       ///< compared
  std::int64_t rechecked{};  ///< compared row by row
  std::int64_t differing{};
  lsn as_of{};             ///< position of the source before the first read
  std::string started_at;  ///< database's clock before the first read
  std::vector<row_difference> rows_named;
};

/// Compares every table of the group: for each primary-key range count and order-independent 128-bit sum of
/// keyed row hashes on the source and summed over the shards. Ranges that differ are compared row by row;
/// rows that differ are checked again on both sides, after the streams of both directions have passed the
/// first check. A row must be on the shard of its slot and on no other. Writes nothing. Errors: connections,
/// `schema_drift`, `invalid_argument`. Cost: one read of every row on each side.
result<std::vector<table_verdict>> verify_group(engine_nodes const&, generation const&,
                                                std::string const& group, verify_options const&);

}  // namespace v0
}  // namespace shardway
