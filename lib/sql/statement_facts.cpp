#include "lib/sql/statement_facts.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "lib/sql/tokens.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using operation_type = captured_statement::operation_type;
using token_list = std::vector<token>;

struct value_found {
  std::size_t parameter{};
  std::string literal;
  std::size_t next{};  // token after it and its cast
};

std::size_t number_of(std::string const& digits) {
  std::size_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

bool is_symbol(token_list const& all, std::size_t at, char c) {
  return at < all.size() && all[at].is_symbol(c);
}

// "::bigint", "::shop.key", "::numeric(12,2)", "::text[]": what follows a value and leaves it what it is.
std::size_t after_cast(token_list const& all, std::size_t at) {
  if (!is_symbol(all, at, ':') || !is_symbol(all, at + 1, ':')) return at;
  at += 2;
  if (at < all.size() && all[at].is_name()) ++at;
  if (is_symbol(all, at, '.')) at += 2;
  if (is_symbol(all, at, '(')) {
    auto const depth = all[at].depth;
    while (at < all.size() && !(all[at].is_symbol(')') && all[at].depth == depth)) ++at;
    ++at;
  }
  return at;
}

// A parameter, a number, or a string without escapes or doubled quotes.
std::optional<value_found> value_at(token_list const& all, std::string_view sql, std::size_t at) {
  if (at >= all.size()) return std::nullopt;
  auto const& t = all[at];
  auto const written = sql.substr(t.begin, t.end - t.begin);
  if (t.kind == token_kind::parameter) return value_found{number_of(t.word), {}, after_cast(all, at + 1)};
  if (t.kind == token_kind::number) return value_found{0, std::string(written), after_cast(all, at + 1)};
  if (t.kind != token_kind::literal || written.size() < 2 || written.front() != '\'') return std::nullopt;
  auto const inside = written.substr(1, written.size() - 2);
  if (inside.find('\'') != inside.npos) return std::nullopt;
  return value_found{0, std::string(inside), after_cast(all, at + 1)};
}

// INSERT INTO t (a, b) VALUES ($1, $2), (...)
void bind_insert(token_list const& all, std::string_view sql, statement_facts& facts) {
  std::size_t at = 2;
  while (at < all.size() && !all[at].is_symbol('(') && !all[at].is("values") && !all[at].is("select")) ++at;
  if (!is_symbol(all, at, '(')) return;
  std::vector<std::string> columns;
  for (++at; at < all.size() && all[at].depth > 0; ++at)
    if (all[at].is_name()) columns.push_back(all[at].word);
  while (at < all.size() && !all[at].is("values") && !all[at].is("select") && !all[at].is("default")) ++at;
  if (at >= all.size() || !all[at].is("values")) return;
  ++at;
  for (std::size_t row = 0; is_symbol(all, at, '('); ++row) {
    for (std::size_t column = 0; at < all.size() && column < columns.size(); ++column) {
      auto const found = value_at(all, sql, at + 1);
      auto const ends = found && found->next < all.size() &&
                        (all[found->next].is_symbol(',') || all[found->next].is_symbol(')'));
      if (ends) facts.bound.push_back({columns[column], row, found->parameter, found->literal});
      for (++at; at < all.size() && !(all[at].depth == 1 && all[at].is_symbol(',')) &&
                 !(all[at].depth == 0 && all[at].is_symbol(')'));)
        ++at;
      if (is_symbol(all, at, ')') && all[at].depth == 0) break;
    }
    facts.rows = row + 1;
    if (!is_symbol(all, ++at, ',')) break;
    ++at;
  }
}

// One term between ANDs: column = value, or value = column.
std::optional<bound_column> equality(token_list const& all, std::string_view sql, std::size_t from,
                                     std::size_t to) {
  auto const column_at = [&](std::size_t at) -> std::optional<std::pair<std::string, std::size_t>> {
    if (at >= to || !all[at].is_name()) return std::nullopt;
    std::size_t last = at;
    while (last + 2 < to && all[last + 1].is_symbol('.') && all[last + 2].is_name()) last += 2;
    return std::pair{all[last].word, last + 1};
  };
  if (auto const column = column_at(from); column && is_symbol(all, column->second, '=')) {
    auto const value = value_at(all, sql, column->second + 1);
    if (value && value->next == to) return bound_column{column->first, 0, value->parameter, value->literal};
  }
  auto const value = value_at(all, sql, from);
  if (!value || !is_symbol(all, value->next, '=')) return std::nullopt;
  auto const column = column_at(value->next + 1);
  if (!column || column->second != to) return std::nullopt;
  return bound_column{column->first, 0, value->parameter, value->literal};
}

bool ends_condition(token const& t) {
  for (auto const* word : {"returning", "group", "order", "limit", "for", "having", "window", "offset",
                           "fetch", "union", "intersect", "except"})
    if (t.depth == 0 && t.is(word)) return true;
  return false;
}

// The terms of a WHERE outside parentheses, unless an OR stands among them. Of a UNION nothing is told.
void bind_condition(token_list const& all, std::string_view sql, statement_facts& facts) {
  auto const outside = [&](std::size_t i, char const* word) { return all[i].depth == 0 && all[i].is(word); };
  std::size_t begin = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (outside(i, "union") || outside(i, "intersect") || outside(i, "except")) return;
    if (outside(i, "where") && begin == 0) begin = i + 1;
  }
  facts.rows = 1;
  if (begin == 0) return;
  auto end = begin;
  while (end < all.size() && !ends_condition(all[end])) ++end;
  for (auto i = begin; i < end; ++i)
    if (outside(i, "or")) return;
  for (auto from = begin; from < end;) {
    auto to = from;
    while (to < end && !outside(to, "and")) ++to;
    if (auto found = equality(all, sql, from, to)) facts.bound.push_back(std::move(*found));
    from = to + 1;
  }
}

void add_once(std::vector<std::string>& to, std::string name) {
  if (std::ranges::find(to, name) == to.end()) to.push_back(std::move(name));
}

std::string name_at(token_list const& all, std::size_t at) {
  if (at >= all.size() || !all[at].is_name()) return {};
  if (!is_symbol(all, at + 1, '.') || at + 2 >= all.size() || !all[at + 2].is_name()) return all[at].word;
  return all[at].word + "." + all[at + 2].word;
}

void find_read(token_list const& all, statement_facts& facts) {
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    bool const is_delete = i > 0 && all[i - 1].is("delete");
    if (is_delete || !(all[i].is("from") || all[i].is("join") || all[i].is("using"))) continue;
    auto const at = all[i + 1].is("only") || all[i + 1].is("lateral") ? i + 2 : i + 1;
    if (auto name = name_at(all, at); name.find('.') != name.npos) add_once(facts.read, std::move(name));
  }
}

// Changes in WITH, and the one after it.
void find_written(token_list const& all, statement_facts& facts) {
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    if (i > 0 && !all[i - 1].is_symbol('(') && !all[i - 1].is_symbol(')')) continue;
    std::size_t at = 0;
    if (all[i].is("update")) at = i + 1;
    if ((all[i].is("insert") && all[i + 1].is("into")) || (all[i].is("delete") && all[i + 1].is("from")))
      at = i + 2;
    if (at == 0) continue;
    if (at < all.size() && all[at].is("only")) ++at;
    if (auto name = name_at(all, at); !name.empty()) add_once(facts.written, std::move(name));
  }
}

bool is_one_statement(token_list const& all) {
  return !all.empty() && all.back().kind != token_kind::unterminated &&
         std::ranges::none_of(all, [](token const& t) { return t.is_symbol(';') || t.depth < 0; });
}

}  // namespace

statement_facts facts_of(std::string_view sql) {
  auto const lexed = lex_statement(sql);
  statement_facts facts;
  facts.kind = lexed.kind;
  auto all = tokens_of(sql);
  while (!all.empty() && all.back().is_symbol(';')) all.pop_back();
  if (!is_one_statement(all)) return facts;
  find_read(all, facts);
  if (lexed.kind == statement_kind::select || lexed.kind == statement_kind::locking_select) {
    facts.are_tables_known = true;
    if (!all[0].is("with")) bind_condition(all, sql, facts);
    return facts;
  }
  find_written(all, facts);
  if (lexed.kind != statement_kind::change) {
    facts.are_tables_known = all[0].is("with") && !facts.written.empty();
    return facts;
  }
  facts.are_tables_known = true;
  if (lexed.operation == operation_type::insert)
    bind_insert(all, sql, facts);
  else
    bind_condition(all, sql, facts);
  return facts;
}

}  // namespace v0
}  // namespace shardway
