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

bool is_symbol(token_list const& all, std::size_t index, char c) {
  return index < all.size() && all[index].is_symbol(c);
}

// "::bigint", "::shop.key", "::numeric(12,2)", "::text[]": what may follow a value without changing it.
std::size_t after_cast(token_list const& all, std::size_t index) {
  if (!is_symbol(all, index, ':') || !is_symbol(all, index + 1, ':')) return index;
  index += 2;
  if (index < all.size() && all[index].is_name()) ++index;
  if (is_symbol(all, index, '.')) index += 2;
  if (is_symbol(all, index, '(')) {
    auto const depth = all[index].depth;
    while (index < all.size() && !(all[index].is_symbol(')') && all[index].depth == depth)) ++index;
    ++index;
  }
  return index;
}

// A parameter, a number, or a string without escapes or doubled quotes.
std::optional<value_found> value_at(token_list const& all, std::string_view sql, std::size_t index) {
  if (index >= all.size()) return std::nullopt;
  auto const& t = all[index];
  auto const written = sql.substr(t.begin, t.end - t.begin);
  if (t.kind == token_kind::parameter) return value_found{number_of(t.word), {}, after_cast(all, index + 1)};
  if (t.kind == token_kind::number) return value_found{0, std::string(written), after_cast(all, index + 1)};
  if (t.kind != token_kind::literal || written.size() < 2 || written.front() != '\'') return std::nullopt;
  auto const inside = written.substr(1, written.size() - 2);
  if (inside.find('\'') != inside.npos) return std::nullopt;
  return value_found{0, std::string(inside), after_cast(all, index + 1)};
}

// INSERT INTO t (a, b) VALUES ($1, $2), (...)
void bind_insert(token_list const& all, std::string_view sql, statement_facts& facts) {
  std::size_t index = 2;
  while (index < all.size() && !all[index].is_symbol('(') && !all[index].is("values") &&
         !all[index].is("select"))
    ++index;
  if (!is_symbol(all, index, '(')) return;
  std::vector<std::string> columns;
  for (++index; index < all.size() && all[index].depth > 0; ++index)
    if (all[index].is_name()) columns.push_back(all[index].word);
  while (index < all.size() && !all[index].is("values") && !all[index].is("select") &&
         !all[index].is("default"))
    ++index;
  if (index >= all.size() || !all[index].is("values")) return;
  ++index;
  for (std::size_t row = 0; is_symbol(all, index, '('); ++row) {
    for (std::size_t column = 0; index < all.size() && column < columns.size(); ++column) {
      auto const found = value_at(all, sql, index + 1);
      auto const ends = found && found->next < all.size() &&
                        (all[found->next].is_symbol(',') || all[found->next].is_symbol(')'));
      if (ends) facts.bound.push_back({columns[column], row, found->parameter, found->literal});
      for (++index; index < all.size() && !(all[index].depth == 1 && all[index].is_symbol(',')) &&
                    !(all[index].depth == 0 && all[index].is_symbol(')'));)
        ++index;
      if (is_symbol(all, index, ')') && all[index].depth == 0) break;
    }
    facts.rows = row + 1;
    if (!is_symbol(all, ++index, ',')) break;
    ++index;
  }
}

// One term between ANDs: column = value, or value = column.
std::optional<bound_column> equality(token_list const& all, std::string_view sql, std::size_t begin_index,
                                     std::size_t end_index) {
  auto const column_at = [&](std::size_t index) -> std::optional<std::pair<std::string, std::size_t>> {
    if (index >= end_index || !all[index].is_name()) return std::nullopt;
    std::size_t last = index;
    while (last + 2 < end_index && all[last + 1].is_symbol('.') && all[last + 2].is_name()) last += 2;
    return std::pair{all[last].word, last + 1};
  };
  if (auto const column = column_at(begin_index); column && is_symbol(all, column->second, '=')) {
    auto const value = value_at(all, sql, column->second + 1);
    if (value && value->next == end_index)
      return bound_column{column->first, 0, value->parameter, value->literal};
  }
  auto const value = value_at(all, sql, begin_index);
  if (!value || !is_symbol(all, value->next, '=')) return std::nullopt;
  auto const column = column_at(value->next + 1);
  if (!column || column->second != end_index) return std::nullopt;
  return bound_column{column->first, 0, value->parameter, value->literal};
}

bool ends_condition(token const& t) {
  for (auto const* word : {"returning", "group", "order", "limit", "for", "having", "window", "offset",
                           "fetch", "union", "intersect", "except"})
    if (t.depth == 0 && t.is(word)) return true;
  return false;
}

// The terms of a WHERE outside parentheses, unless one of them is an OR. Reports nothing for a UNION.
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
  for (auto begin_index = begin; begin_index < end;) {
    auto end_index = begin_index;
    while (end_index < end && !outside(end_index, "and")) ++end_index;
    if (auto found = equality(all, sql, begin_index, end_index)) facts.bound.push_back(std::move(*found));
    begin_index = end_index + 1;
  }
}

void add_once(std::vector<std::string>& names, std::string name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
}

std::string name_at(token_list const& all, std::size_t index) {
  if (index >= all.size() || !all[index].is_name()) return {};
  if (!is_symbol(all, index + 1, '.') || index + 2 >= all.size() || !all[index + 2].is_name())
    return all[index].word;
  return all[index].word + "." + all[index + 2].word;
}

void find_read(token_list const& all, statement_facts& facts) {
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    bool const is_delete = i > 0 && all[i - 1].is("delete");
    if (is_delete || !(all[i].is("from") || all[i].is("join") || all[i].is("using"))) continue;
    auto const index = all[i + 1].is("only") || all[i + 1].is("lateral") ? i + 2 : i + 1;
    if (auto name = name_at(all, index); name.find('.') != name.npos) add_once(facts.read, std::move(name));
  }
}

// Changes in WITH, and the one after it.
void find_written(token_list const& all, statement_facts& facts) {
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    if (i > 0 && !all[i - 1].is_symbol('(') && !all[i - 1].is_symbol(')')) continue;
    std::size_t index = 0;
    if (all[i].is("update")) index = i + 1;
    if ((all[i].is("insert") && all[i + 1].is("into")) || (all[i].is("delete") && all[i + 1].is("from")))
      index = i + 2;
    if (index == 0) continue;
    if (index < all.size() && all[index].is("only")) ++index;
    if (auto name = name_at(all, index); !name.empty()) add_once(facts.written, std::move(name));
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
