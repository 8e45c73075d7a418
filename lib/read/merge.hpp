// Puts the rows of several nodes together in this process: checks, and rows of parts in order. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/read/scatter_options.hpp"

namespace shardway {
inline namespace v0 {

/// Errors: `invalid_argument`, naming the term.
result<> check_terms(merge_terms const&, std::size_t rows_max);

/// Whether the rows can be merged here or a server must sort the keys, by the types of the columns.
/// Errors: `invalid_argument`: no such column, or text without a collation.
enum class merge_place : unsigned char { here, server };
result<merge_place> merge_place_of(merge_terms const&, rows const& first);

/// Merges parts that are each in order into one, from `offset` on and up to `limit` rows. Equal rows keep the
/// order of the parts. Preconditions: `merge_place_of` said `here`, or there is no order; all parts have the
/// same number of columns.
rows merge_parts(merge_terms const&, std::span<rows const> parts);

/// The rows that the server numbered. Errors: `protocol_violation`.
result<rows> pick_rows(std::span<rows const> parts, rows const& numbers);

}  // namespace v0
}  // namespace shardway
