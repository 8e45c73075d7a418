// Frames made before: the text around a statement follows from the statement, its table and the stage, so it
// is put together once.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib/protocol/outbox.hpp"
#include "lib/sql/statement_lexer.hpp"

namespace shardway {
inline namespace v0 {

struct framed_text {
  captured_statement capture;
  std::string sql;
  std::string name;  ///< of the prepared statement
};

/// Remembered by this thread, for the generation it asked for last, up to 256 texts.
/// Preconditions: `lexed` is of `sql` and a change of `table`, which is a table of `current`.
std::shared_ptr<framed_text const> framed_text_of(std::shared_ptr<generation const> const& current,
                                                  table_state const& table, lexed_statement const& lexed,
                                                  std::string_view sql, bool with_outbox, bool keeps_lookups);

}  // namespace v0
}  // namespace shardway
