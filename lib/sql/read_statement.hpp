// Analyses a SELECT far enough to run it on several nodes and to merge the answers. Pure. It refuses what it
// cannot decide. It uses the same tokens as the lexer of writes.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shardway {
inline namespace v0 {

/// "{slots:o.customer_id}" in a statement: where the library puts a condition on the row's slot.
struct slot_condition {
  std::size_t begin{};
  std::size_t end{};
  std::vector<std::string> columns;  ///< as written: names with dots
};

/// What subqueries, WITH and joined rows may combine.
enum class subquery_scope : unsigned char {
  any_rows,       ///< they may combine rows of several shard keys: aggregates, LIMIT and the like
                  ///< are refused there too
  one_shard_key,  ///< the caller vouches that each combines rows of one shard key only
};

struct scatter_statement {
  std::string why;  ///< not empty: why it can't be run on several nodes; holds nothing of the statement
  std::vector<slot_condition> conditions;
  std::vector<std::string>
      calls;  ///< folded names of what may be an aggregate or window function; only a server knows
  std::size_t body_end{};  ///< where a semicolon or the text ends the statement
  std::size_t parameter_count{};
};

/// Refused: anything but one SELECT that locks nothing; ORDER BY, LIMIT, OFFSET, FETCH, DISTINCT, GROUP BY,
/// HAVING, window functions and set operations, whose result on all rows is not the union of the results on
/// each node. Cost: two passes and a token list.
scatter_statement lex_scatter(std::string_view sql, subquery_scope scope);

/// The statement up to its end with `condition` in place of each mark; gets the columns of the mark.
template <class Condition>
std::string with_conditions(scatter_statement const& scatter, std::string_view sql,
                            Condition const& condition) {
  std::string text;
  std::size_t copied = 0;
  for (auto const& one : scatter.conditions) {
    text.append(sql.substr(copied, one.begin - copied))
        .append(condition(std::span<std::string const>{one.columns}));
    copied = one.end;
  }
  return text.append(sql.substr(copied, scatter.body_end - copied));
}

}  // namespace v0
}  // namespace shardway
