// Takes a statement apart far enough to frame it: kind, target table, alias, RETURNING. Pure; not a parser.
// It refuses what it cannot decide.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lib/protocol/outbox.hpp"
#include "shardway/base/result.hpp"

namespace shardway {
inline namespace v0 {

enum class statement_kind : unsigned char {
  change,          ///< one INSERT, UPDATE or DELETE that can be framed
  select,          ///< reads and locks nothing: SELECT, VALUES, TABLE, WITH without a change
  locking_select,  ///< SELECT ... FOR UPDATE and its kin
  other,           ///< everything else, also several statements and what the lexer cannot decide
};

/// What a statement is. For `other`, `why` gives the reason without any text of the statement.
struct lexed_statement {
  statement_kind kind{statement_kind::other};
  captured_statement::operation_type operation{};  ///< of a change
  /// of a change: "schema.name", folded as the server does; without a dot if no schema was given
  std::string table;
  std::string alias;              ///< of a change: as written
  std::size_t body_end{};         ///< where RETURNING, the semicolon or the text ends the body
  std::size_t returning_begin{};  ///< the list after RETURNING, or returning_end
  std::size_t returning_end{};
  std::size_t parameter_count{};  ///< the highest $n
  char const* why{""};
};

/// Never fails: what it cannot decide is `other`. Comments and strings of every form are skipped, never
/// examined. Cost: one pass and a token list.
lexed_statement lex_statement(std::string_view sql);

/// The change ready for `capture_sql`, with * in RETURNING written out by the table's columns.
/// Preconditions: `lexed` is a change, lexed from `sql`; its target is `table`.
captured_statement capture_of(lexed_statement const& lexed, std::string_view sql, table_state const& table);

}  // namespace v0
}  // namespace shardway
