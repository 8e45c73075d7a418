// Putting the answers of several nodes together: order, limit, aggregates. Pure: what is compared here and
// what a server is asked to do.
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

/// The statement each node runs: `body` with the terms' own ORDER BY, LIMIT or partial aggregates around it;
/// at most rows_max + 1 rows. Preconditions: `check_terms` passed.
std::string part_sql(std::string_view body, merge_terms const&, std::size_t rows_max);

/// Can the rows be merged here, or must a server sort the keys? Judged by the columns' types.
/// Errors: `invalid_argument`: no such column, or text without a collation.
enum class merge_place : unsigned char { here, server };
result<merge_place> merge_place_of(merge_terms const&, rows const& first);

/// Rows of parts that are each in order, as one, after `offset` and up to `limit`. Equal rows keep the order
/// of the parts. Preconditions: `merge_place_of` said `here`, or there is no order; all parts have the same
/// number of columns.
rows merge_parts(merge_terms const&, std::span<rows const> parts);

/// A value in its type's order: below 0, 0, above 0, as PostgreSQL compares the texts it returned.
/// Preconditions: the type is one that `merge_place_of` compares here.
int compare_values(std::uint32_t type_oid, std::string_view a, std::string_view b) noexcept;

/// The server's half. What a column is to a server: two statements in turn, on the node that gave the first
/// part.
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
/// The rows that the server numbered. Errors: `protocol_violation`.
result<rows> pick_rows(std::span<rows const> parts, rows const& numbers);

/// A PostgreSQL array of texts, quoted, to be a parameter.
class text_array {
 public:
  void add(std::optional<std::string_view> value);
  std::string text() && { return std::move(text_ += text_.empty() ? "{}" : "}"); }

 private:
  std::string text_;
};

}  // namespace v0
}  // namespace shardway
