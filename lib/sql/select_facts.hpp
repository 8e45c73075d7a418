// Facts from a SELECT's text, as far as the choice of a node and the comparison of two answers need them.
// Pure; not a parser.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace shardway {
inline namespace v0 {

struct select_facts {
  std::vector<std::string> names;  ///< every "a.b" in it, folded as the server does: tables with their
                                   ///< schema, columns with their alias
  bool is_ordered{};  ///< ORDER BY outside parentheses: the order of the rows is part of the answer
  /// Empty: two nodes that hold the same rows give the same answer. Else why not, in words that hold nothing
  /// of the statement.
  std::string_view not_comparable{};
};

/// Preconditions: `sql` is a SELECT by `lex_statement`. Cost: a token list.
select_facts facts_of_select(std::string_view sql);

}  // namespace v0
}  // namespace shardway
