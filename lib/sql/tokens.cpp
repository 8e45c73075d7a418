#include "lib/sql/tokens.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr auto npos = std::string_view::npos;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool starts_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool continues_word(char c) noexcept { return starts_word(c) || is_digit(c) || c == '$'; }
char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

class scanner {
 public:
  explicit scanner(std::string_view sql) : sql_(sql) {}

  std::vector<token> run() {
    while (skip_blank() && position_ < sql_.size()) one();
    return std::move(found_);
  }

 private:
  char peek(std::size_t ahead = 0) const noexcept {
    return position_ + ahead < sql_.size() ? sql_[position_ + ahead] : '\0';
  }

  // False where a comment has no end.
  bool skip_blank() {
    for (;;) {
      while (position_ < sql_.size() && is_space(sql_[position_])) ++position_;
      if (peek() == '-' && peek(1) == '-') {
        position_ = std::min(sql_.find_first_of("\r\n", position_), sql_.size());
      } else if (peek() == '/' && peek(1) == '*') {
        if (!skip_block_comment()) return false;
      } else {
        return true;
      }
    }
  }

  bool skip_block_comment() {
    auto const begin = position_;
    int nested = 0;
    do {
      if (position_ >= sql_.size()) return add(token_kind::unterminated, begin, {}), false;
      if (peek() == '/' && peek(1) == '*')
        ++nested, position_ += 2;
      else if (peek() == '*' && peek(1) == '/')
        --nested, position_ += 2;
      else
        ++position_;
    } while (nested > 0);
    return true;
  }

  void one() {
    char const c = peek();
    if (c == '\'') return quoted(position_, position_, '\'', false);
    if (c == '"') return quoted(position_, position_, '"', false);
    if (starts_word(c)) return word();
    if (c == '$') return dollar();
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return number();
    symbol();
  }

  void word() {
    auto const begin = position_;
    char const c = lower(peek());
    if (peek(1) == '\'' && (c == 'e' || c == 'b' || c == 'x' || c == 'n'))
      return quoted(begin, position_ + 1, '\'', c == 'e');
    // U&'..' and U&".." count as literals: a table named in that way is refused, because its escapes are not
    // decoded here.
    if (c == 'u' && peek(1) == '&' && (peek(2) == '\'' || peek(2) == '"')) return unicode(begin);
    std::string text;
    while (position_ < sql_.size() && continues_word(sql_[position_])) text += lower(sql_[position_++]);
    add(token_kind::word, begin, std::move(text));
  }

  void unicode(std::size_t begin) {
    quoted(begin, position_ + 2, peek(2), false);
    if (found_.back().kind == token_kind::quoted_word) found_.back().kind = token_kind::literal;
  }

  // From the quote at `open`; a doubled quote stands for itself, and a backslash escapes in E strings.
  void quoted(std::size_t begin, std::size_t open, char mark, bool escapes) {
    std::string text;
    for (position_ = open + 1; position_ < sql_.size(); ++position_) {
      if (escapes && sql_[position_] == '\\') {
        ++position_;
      } else if (sql_[position_] == mark) {
        if (peek(1) != mark)
          return ++position_,
                 add(mark == '"' ? token_kind::quoted_word : token_kind::literal, begin, std::move(text));
        ++position_;
      }
      if (mark == '"') text += sql_[position_];
    }
    position_ = sql_.size();
    add(token_kind::unterminated, begin, {});
  }

  void dollar() {
    auto const begin = position_;
    if (is_digit(peek(1))) {
      std::string digits;
      for (++position_; is_digit(peek()); ++position_) digits += peek();
      return add(token_kind::parameter, begin, std::move(digits));
    }
    auto end = position_ + 1;
    if (end < sql_.size() && starts_word(sql_[end])) {
      while (end < sql_.size() && continues_word(sql_[end]) && sql_[end] != '$') ++end;
    }
    if (end >= sql_.size() || sql_[end] != '$') return symbol();
    auto const tag = sql_.substr(begin, end + 1 - begin);
    auto const close = sql_.find(tag, end + 1);
    position_ = close == npos ? sql_.size() : close + tag.size();
    add(close == npos ? token_kind::unterminated : token_kind::literal, begin, {});
  }

  void number() {
    auto const begin = position_;
    while (position_ < sql_.size() &&
           (is_digit(sql_[position_]) || starts_word(sql_[position_]) || sql_[position_] == '.'))
      ++position_;
    add(token_kind::number, begin, {});
  }

  void symbol() {
    auto const begin = position_;
    char const c = sql_[position_++];
    if (c == ')' || c == ']') --depth_;
    add(token_kind::symbol, begin, std::string(1, c));
    if (c == '(' || c == '[') ++depth_;
  }

  void add(token_kind kind, std::size_t begin, std::string text) {
    found_.push_back({kind, begin, position_, depth_, std::move(text)});
  }

  std::string_view sql_;
  std::size_t position_{};
  int depth_{};
  std::vector<token> found_;
};

}  // namespace

std::vector<token> tokens_of(std::string_view sql) { return scanner{sql}.run(); }

}  // namespace v0
}  // namespace shardway
