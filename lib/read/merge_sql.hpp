// The statements by which servers take part in a merge: their part of the order, partial aggregates, and the
// combination on one node. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/read/scatter_options.hpp"

namespace shardway {
inline namespace v0 {

/// The statement each node runs: `body` with the terms' own ORDER BY, LIMIT or partial aggregates around it;
/// at most rows_max + 1 rows. Preconditions: `check_terms` passed.
std::string part_sql(std::string_view body, merge_terms const&, std::size_t rows_max);

/// The type of a column, as a server names it.
struct column_type {
  std::string name;  ///< as CAST takes it
  bool has_collation{};
};
statement column_types_statement(std::span<rows::column const>);
/// Errors: `protocol_violation`.
result<std::vector<column_type>> parse_column_types(rows const&, std::size_t columns);
/// Partial aggregates to the answer. Errors: `invalid_argument` (avg of a type that has none, text without a
/// collation).
result<statement> combine_statement(merge_terms const&, std::span<rows const> parts,
                                    std::span<column_type const> types);
/// The keys of all rows, numbered from 1 in the order of the parts, to the numbers of the rows wanted, in
/// order. Errors: `invalid_argument` (text without a collation).
result<statement> sort_statement(merge_terms const&, std::span<rows const> parts,
                                 std::span<column_type const> types);

}  // namespace v0
}  // namespace shardway
