// Remembers the lexer's results for texts that come again.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib/sql/statement_lexer.hpp"

namespace shardway {
inline namespace v0 {

/// A statement's parts and the name it is prepared by.
struct known_statement {
  lexed_statement lexed;
  std::string name;
};
/// The results of `lex_statement` and `statement_name`, cached by this thread for up to 512 texts. Cost: a
/// hash of the text, if it is cached.
std::shared_ptr<known_statement const> know_statement(std::string_view sql);

}  // namespace v0
}  // namespace shardway
