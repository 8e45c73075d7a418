#include "lib/sql/statement_lexer.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "lib/protocol/names.hpp"
#include "lib/sql/tokens.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using operation_type = captured_statement::operation_type;
using token_list = std::vector<token>;

lexed_statement other(char const* why) {
  lexed_statement lexed;
  lexed.why = why;
  return lexed;
}

bool starts_change(token const& t) noexcept {
  return t.is("insert") || t.is("update") || t.is("delete") || t.is("merge");
}

// A change inside parentheses belongs to WITH: it would run beside the change that is framed.
bool hides_change(token_list const& all) {
  for (std::size_t i = 1; i < all.size(); ++i)
    if (all[i - 1].is_symbol('(') && starts_change(all[i])) return true;
  return false;
}

std::size_t highest_parameter(token_list const& all) {
  std::size_t highest = 0;
  for (auto const& t : all) {
    if (t.kind != token_kind::parameter) continue;
    std::size_t number = 0;
    std::from_chars(t.word.data(), t.word.data() + t.word.size(), number);
    highest = std::max(highest, number);
  }
  return highest;
}

struct target_name {
  std::string table;
  std::string last;    // as written: the name of the rows if there is no alias
  std::size_t next{};  // token after it
};

std::optional<target_name> name_at(token_list const& all, std::string_view sql, std::size_t index) {
  if (index >= all.size() || !all[index].is_name()) return std::nullopt;
  auto const written = [&](token const& t) { return std::string(sql.substr(t.begin, t.end - t.begin)); };
  if (index + 1 >= all.size() || !all[index + 1].is_symbol('.'))
    return target_name{all[index].word, written(all[index]), index + 1};
  if (index + 2 >= all.size() || !all[index + 2].is_name()) return std::nullopt;
  if (index + 3 < all.size() && all[index + 3].is_symbol('.'))
    return std::nullopt;  // with a database's name: the lexer does not decide
  return target_name{all[index].word + "." + all[index + 2].word, written(all[index + 2]), index + 3};
}

// The alias after a target: "AS a", or for UPDATE and DELETE a bare word that is not a keyword that may
// follow.
std::string alias_at(token_list const& all, std::string_view sql, target_name const& target,
                     bool may_be_bare) {
  auto index = target.next;
  if (index < all.size() && all[index].is_symbol('*')) ++index;
  bool const with_as = index < all.size() && all[index].is("as");
  if (with_as) ++index;
  if (index >= all.size() || !all[index].is_name() || !(with_as || may_be_bare)) return target.last;
  for (auto const* keyword : {"set", "using", "where", "returning"})
    if (!with_as && all[index].is(keyword)) return target.last;
  return std::string(sql.substr(all[index].begin, all[index].end - all[index].begin));
}

// RETURNING is reserved: outside parentheses it is the clause, unless it is the label of a column or a part
// of a name.
std::size_t find_returning(token_list const& all, std::size_t begin_index) {
  for (auto i = begin_index; i < all.size(); ++i)
    if (all[i].depth == 0 && all[i].is("returning") && !all[i - 1].is("as") && !all[i - 1].is_symbol('.'))
      return i;
  return all.size();
}

lexed_statement lex_change(token_list const& all, std::string_view sql, std::size_t text_end) {
  lexed_statement lexed;
  lexed.operation = all[0].is("insert")   ? operation_type::insert
                    : all[0].is("update") ? operation_type::update
                                          : operation_type::remove;
  std::size_t index = 1;
  if (lexed.operation != operation_type::update) {
    auto const* preposition = lexed.operation == operation_type::insert ? "into" : "from";
    if (all.size() < 2 || !all[1].is(preposition)) return other("its target table could not be determined");
    index = 2;
  }
  if (lexed.operation != operation_type::insert && index < all.size() && all[index].is("only"))
    return other("it changes ONLY one table of a tree");
  auto const target = name_at(all, sql, index);
  if (!target) return other("its target table could not be determined");
  auto const returning = find_returning(all, target->next);
  if (returning + 1 < all.size() && all[returning + 1].is("with"))
    return other("RETURNING WITH can't be framed");
  lexed.kind = statement_kind::change;
  lexed.table = target->table;
  lexed.alias = alias_at(all, sql, *target, lexed.operation != operation_type::insert);
  lexed.body_end = returning < all.size() ? all[returning].begin : text_end;
  lexed.returning_begin = returning < all.size() ? all[returning].end : text_end;
  lexed.returning_end = text_end;
  lexed.parameter_count = highest_parameter(all);
  return lexed;
}

// A closing parenthesis has the depth outside its pair. Tokens after an open one are deeper.
bool parentheses_match(token_list const& all) {
  auto const& last = all.back();
  auto const is_below = [](token const& t) { return t.depth < 0; };
  return last.depth == 0 && !last.is_symbol('(') && !last.is_symbol('[') &&
         std::none_of(all.begin(), all.end(), is_below);
}

bool locks_rows(token_list const& all) {
  for (std::size_t i = 1; i < all.size(); ++i)
    if (all[i - 1].is("for") &&
        (all[i].is("update") || all[i].is("share") || all[i].is("no") || all[i].is("key")))
      return true;
  return false;
}

lexed_statement lex_select(token_list const& all) {
  auto const creates = [](token const& t) { return t.is("into"); };
  if (std::any_of(all.begin(), all.end(), creates)) return other("SELECT INTO makes a table");
  if (all[0].is("with") &&
      std::any_of(all.begin(), all.end(), [](token const& t) { return t.depth == 0 && starts_change(t); })) {
    if (!locks_rows(all)) return other("WITH before a change can't be framed");
    for (std::size_t i = 1; i < all.size(); ++i)
      if (all[i].depth == 0 && starts_change(all[i]) && !all[i - 1].is("for") && !all[i - 1].is("key"))
        return other("WITH before a change can't be framed");
  }
  lexed_statement lexed;
  lexed.kind = locks_rows(all) ? statement_kind::locking_select : statement_kind::select;
  lexed.parameter_count = highest_parameter(all);
  return lexed;
}

// Whether an item of the list, given by its first token, is a star, with or without a name ("o.*").
bool is_star_item(token_list const& list, std::size_t index, std::string_view alias_word) {
  auto const ends = [&](std::size_t i) {
    return i >= list.size() || (list[i].depth == 0 && list[i].is_symbol(','));
  };
  bool const begins = index == 0 || (list[index - 1].depth == 0 && list[index - 1].is_symbol(','));
  if (!begins) return false;
  if (list[index].is_symbol('*')) return ends(index + 1);
  return list[index].is_name() && list[index].word == alias_word && index + 2 < list.size() &&
         list[index + 1].is_symbol('.') && list[index + 2].is_symbol('*') && ends(index + 3);
}

std::string columns_of(table_state const& table, std::string const& alias) {
  std::string sql;
  for (auto const& column : table.columns)
    sql += (sql.empty() ? "" : ", ") + alias + "." + names::quoted(column.name);
  return sql;
}

std::string expand(std::string_view list, std::string const& alias, table_state const& table) {
  auto const all = tokens_of(list);
  auto const alias_tokens = tokens_of(alias);
  std::string sql;
  std::size_t copied = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].depth != 0 ||
        !is_star_item(all, i, alias_tokens.empty() ? std::string_view{} : alias_tokens[0].word))
      continue;
    auto const& last = all[i].is_symbol('*') ? all[i] : all[i + 2];
    sql.append(list.substr(copied, all[i].begin - copied)).append(columns_of(table, alias));
    copied = last.end;
  }
  return sql.append(list.substr(copied));
}

}  // namespace

lexed_statement lex_statement(std::string_view sql) {
  auto all = tokens_of(sql);
  if (all.empty()) return other("it is empty");
  if (all.back().kind == token_kind::unterminated) return other("a string, comment or name has no end");
  auto text_end = all.back().end;
  while (!all.empty() && all.back().is_symbol(';')) text_end = all.back().begin, all.pop_back();
  if (all.empty()) return other("it is empty");
  if (std::any_of(all.begin(), all.end(), [](token const& t) { return t.is_symbol(';'); }))
    return other("it is several statements");
  if (!parentheses_match(all)) return other("its parentheses don't match");
  if (hides_change(all)) return other("WITH holds a change, which can't be framed");
  if (all[0].is("insert") || all[0].is("update") || all[0].is("delete"))
    return lex_change(all, sql, text_end);
  if (all[0].is("select") || all[0].is("values") || all[0].is("table") || all[0].is("with") ||
      all[0].is_symbol('('))
    return lex_select(all);
  return other("only a single INSERT, UPDATE, DELETE or SELECT is understood");
}

captured_statement capture_of(lexed_statement const& lexed, std::string_view sql, table_state const& table) {
  auto const list = sql.substr(lexed.returning_begin, lexed.returning_end - lexed.returning_begin);
  return {.operation = lexed.operation,
          .body = std::string(sql.substr(0, lexed.body_end)),
          .alias = lexed.alias,
          .returning =
              lexed.returning_begin == lexed.returning_end ? std::string{} : expand(list, lexed.alias, table),
          .parameter_count = lexed.parameter_count};
}

}  // namespace v0
}  // namespace shardway
