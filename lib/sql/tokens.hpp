// PostgreSQL's tokens, as far as the statement lexer needs them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace shardway {
inline namespace v0 {

enum class token_kind : unsigned char { word, quoted_word, literal, parameter, number, symbol, unterminated };

struct token {
  token_kind kind{};
  std::size_t begin{};
  std::size_t end{};
  int depth{};         ///< of parentheses and brackets around it; both of a pair have the depth outside
  std::string word{};  ///< a word, lower case; a quoted word, its quotes undone; a symbol, itself; a
                       ///< parameter, its digits

  bool is(std::string_view keyword) const noexcept { return kind == token_kind::word && word == keyword; }
  bool is_symbol(char c) const noexcept {
    return kind == token_kind::symbol && word.size() == 1 && word[0] == c;
  }
  bool is_name() const noexcept { return kind == token_kind::word || kind == token_kind::quoted_word; }
};

/// Comments and white space are left out. A string, comment or quoted word without an end gives a last token
/// `unterminated`.
std::vector<token> tokens_of(std::string_view sql);

}  // namespace v0
}  // namespace shardway
