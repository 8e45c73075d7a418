// A sample of real rows: those of some shard keys, so that rows which belong together come together.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/migrate/stream/followed_table.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::rehearsal {

struct sample_limits {
  std::size_t keys{};
  std::size_t rows_max{};
  std::chrono::milliseconds statement_timeout{};
};

using row_texts =
    std::vector<std::optional<std::string>>;  ///< of `followed_table::sent`, as the server prints them
using rows_by_key = std::map<std::vector<std::string>, row_texts>;

struct sampled_table {
  stream::table_ptr table;
  rows_by_key rows;
};

/// The FROM clause of a table's sample, after BEGIN of `begin_sample`: rows of the chosen shard keys in the
/// order of the primary key. A reference table: its first rows.
std::string sample_source(stream::followed_table const&, std::size_t rows_max);

/// Opens a read-only transaction on the source, chooses shard keys and reads the sample. The transaction
/// stays open for the copies. Errors: those of the source, such as 57014 where a query takes too long.
result<std::vector<sampled_table>> begin_sample(session& source, std::vector<stream::table_ptr> const& tables,
                                                sample_limits const&);

/// All rows of the table on a node.
result<rows_by_key> read_rows(session& node, stream::followed_table const&, std::string const& rows_source);

/// What differs, by column; no value. Empty if all rows are equal.
std::vector<std::string> differences(stream::followed_table const&, rows_by_key const& expected,
                                     rows_by_key const& found);

}  // namespace migrate::rehearsal
}  // namespace v0
}  // namespace shardway
