// Facts from a statement's text, for reports: the tables it touches and the keys it names. Pure. It never
// reports a guess as a fact.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lib/sql/statement_lexer.hpp"

namespace shardway {
inline namespace v0 {

/// A column that is given a value by an INSERT, or compared with one by a condition that every row must meet.
struct bound_column {
  std::string column;       ///< folded as the server does
  std::size_t row{};        ///< of an INSERT's VALUES
  std::size_t parameter{};  ///< n of $n; 0: a literal
  std::string literal;      ///< its value; never shown to anyone
  friend bool operator==(bound_column const&, bound_column const&) = default;
};

struct statement_facts {
  statement_kind kind{statement_kind::other};
  std::vector<std::string> written;  ///< "schema.name", or without a dot if no schema was given
  std::vector<std::string>
      read;  ///< names with a schema after FROM, JOIN and USING; aliases with columns may be among them
  bool are_tables_known{};  ///< `written` is all that the text writes; functions and triggers are not looked
                            ///< into
  std::size_t rows{};       ///< rows of VALUES; 1 for a condition; 0: keys can't be told
  std::vector<bound_column> bound;
};

/// Never fails: it marks what it cannot tell. Cost: some passes over the text; meant to be kept by text.
statement_facts facts_of(std::string_view sql);

}  // namespace v0
}  // namespace shardway
