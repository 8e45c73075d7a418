// The rows of all parts of a read as one answer.
#pragma once

#include <vector>

#include "lib/read/read_host.hpp"
#include "shardway/read/scatter_options.hpp"

namespace shardway {
inline namespace v0 {

/// Whether two parts returned columns of the same names and types. Types that users create have other OIDs on
/// each node: their names alone count.
bool have_same_columns(rows const& one, rows const& other);

/// Merges the rows here where their types allow it. Otherwise the primary of `first` sorts or combines them.
/// Preconditions: `check_terms` passed; `first` is the node of the first part; all parts have the same
/// columns. Errors: `invalid_argument` (see `merge_place_of`, `combine_statement`), those of the node. Cost:
/// nothing, or two round trips to that node.
result<rows> combine_parts(merge_terms const& terms, std::vector<rows> const& parts, read_host& first,
                           steady_time deadline);

}  // namespace v0
}  // namespace shardway
