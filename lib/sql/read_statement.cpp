#include "lib/sql/read_statement.hpp"

#include <algorithm>
#include <array>

#include "lib/sql/statement_lexer.hpp"
#include "lib/sql/tokens.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using token_list = std::vector<token>;

struct refused_word {
  std::string_view word;
  char const* why;
};
constexpr std::array refused_words{
    refused_word{"order", "ORDER BY orders the rows of one node only: give `order_by` in the options"},
    refused_word{"limit", "LIMIT counts the rows of one node only: give `limit` in the options"},
    refused_word{"offset", "OFFSET skips rows of each node: give `offset` in the options"},
    refused_word{"fetch", "FETCH counts the rows of one node only: give `limit` in the options"},
    refused_word{"distinct", "DISTINCT sees the rows of one node only: give `group_by` in the options"},
    refused_word{"group",
                 "GROUP BY sees the rows of one node only: give `group_by` and `aggregates` in the options"},
    refused_word{"having", "HAVING sees the rows of one node only"},
    refused_word{"over", "a window function sees the rows of one node only"},
    refused_word{"window", "a window function sees the rows of one node only"},
    refused_word{"union", "a set operation sees the rows of one node only"},
    refused_word{"intersect", "a set operation sees the rows of one node only"},
    refused_word{"except", "a set operation sees the rows of one node only"},
};

// Words of the grammar that may precede a parenthesis and are not functions that combine rows.
constexpr std::array<std::string_view, 38> grammar_words{
    "all",   "and",     "any",     "array", "as",   "between",  "by",     "case", "cast",  "coalesce",
    "else",  "exists",  "extract", "from",  "full", "greatest", "ilike",  "in",   "inner", "is",
    "join",  "lateral", "least",   "left",  "like", "not",      "nullif", "on",   "or",    "over",
    "right", "row",     "select",  "some",  "then", "using",    "values", "where"};

bool is_label(token_list const& all, std::size_t index) {
  return index > 0 && (all[index - 1].is_symbol('.') || all[index - 1].is("as"));
}

// IS [NOT] DISTINCT FROM compares two values.
bool is_comparison(token_list const& all, std::size_t index) {
  return all[index].is("distinct") && index > 0 && (all[index - 1].is("is") || all[index - 1].is("not"));
}

bool is_query_word(token const& t) {
  return t.is("select") || t.is("with") || t.is("values") || t.is("table");
}

// For each token, whether it is inside a subquery.
std::vector<bool> inside_subquery(token_list const& all) {
  std::vector<bool> inside(all.size());
  std::vector<bool> open;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].is_symbol(')') && !open.empty()) open.pop_back();
    inside[i] = std::find(open.begin(), open.end(), true) != open.end();
    if (all[i].is_symbol('(')) open.push_back(i + 1 < all.size() && is_query_word(all[i + 1]));
    if (all[i].is_symbol('[')) open.push_back(false);
    if (all[i].is_symbol(']') && !open.empty()) open.pop_back();
  }
  return inside;
}

char const* refusal_of(token_list const& all, std::size_t index) {
  if (all[index].kind != token_kind::word || is_label(all, index) || is_comparison(all, index))
    return nullptr;
  if (all[index].is("over") && (index == 0 || !all[index - 1].is_symbol(')')))
    return nullptr;  // not reserved: a name, unless a call is before it
  for (auto const& one : refused_words)
    if (all[index].word == one.word) return one.why;
  return nullptr;
}

bool may_be_aggregate(token_list const& all, std::size_t index) {
  if (!all[index].is_name() || index + 1 >= all.size() || !all[index + 1].is_symbol('(')) return false;
  if (all[index].kind == token_kind::quoted_word) return true;
  return std::find(grammar_words.begin(), grammar_words.end(), all[index].word) == grammar_words.end();
}

// "{" slots ":" name {"." name} {"," name {"." name}} "}": the token after it, or `index` where it is
// something else.
std::size_t condition_at(token_list const& all, std::string_view sql, std::size_t index,
                         slot_condition& found) {
  if (!all[index].is_symbol('{') || index + 4 >= all.size() || !all[index + 1].is("slots") ||
      !all[index + 2].is_symbol(':'))
    return index;
  found = {.begin = all[index].begin, .end = {}, .columns = {}};
  auto begin_index = index + 3;
  for (auto i = begin_index; i < all.size(); ++i) {
    bool const ends = all[i].is_symbol('}');
    if (ends || all[i].is_symbol(',')) {
      if (i == begin_index || !all[i - 1].is_name()) return index;
      found.columns.emplace_back(sql.substr(all[begin_index].begin, all[i - 1].end - all[begin_index].begin));
      begin_index = i + 1;
    } else if (i > begin_index ? all[i].is_symbol('.') == all[i - 1].is_symbol('.') : !all[i].is_name()) {
      return index;
    }
    if (ends) return found.end = all[i].end, i + 1;
  }
  return index;
}

// The mark restricts the statement only if it is a condition of WHERE or ON that must hold for every row: no
// OR and no NOT around it.
bool restricts(token_list const& all, std::size_t first, std::size_t past) {
  int level = 0, left = 0;  // below the level that is looked at; levels left on the way out
  bool in_condition = false;
  for (std::size_t i = first; i-- > 0;) {
    if (all[i].is_symbol(')')) ++level;
    bool const opens = all[i].is_symbol('(');
    if (opens && level > 0)
      --level;
    else if (opens)
      ++left;
    else if (level == 0 &&
             (all[i].is("or") || (all[i].is("not") && (i + 1 == first || all[i + 1].is_symbol('(')))))
      return false;
    else if (level == 0 && (all[i].is("where") || all[i].is("on"))) {
      in_condition = true;
      break;
    }
  }
  level = 0;
  for (auto i = past; in_condition && i < all.size(); ++i) {
    if (all[i].is_symbol('('))
      ++level;
    else if (all[i].is_symbol(')') && level > 0)
      --level;
    else if (all[i].is_symbol(')') && left-- == 0)
      break;
    else if (level == 0 && all[i].is("or"))
      return false;
  }
  return in_condition;
}

scatter_statement refused(std::string why) {
  scatter_statement scatter;
  scatter.why = std::move(why);
  return scatter;
}

}  // namespace

scatter_statement lex_scatter(std::string_view sql, subquery_scope scope) {
  auto const lexed = lex_statement(sql);
  if (lexed.kind == statement_kind::locking_select) return refused("it locks rows");
  if (lexed.kind != statement_kind::select) return refused("only a SELECT can be run on several nodes");
  auto all = tokens_of(sql);
  scatter_statement scatter;
  scatter.parameter_count = lexed.parameter_count;
  scatter.body_end = all.back().end;
  while (all.back().is_symbol(';')) scatter.body_end = all.back().begin, all.pop_back();
  bool const trusted = scope == subquery_scope::one_shard_key;
  if (all[0].is("with") && !trusted) return refused("WITH may combine rows of several nodes");
  auto const inside = inside_subquery(all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    slot_condition found;
    if (auto const next = condition_at(all, sql, i, found); next != i) {
      if (!restricts(all, i, next))
        return refused(
            "{slots:...} must be a condition of its own, joined by AND, without OR or NOT around it");
      scatter.conditions.push_back(std::move(found));
      i = next - 1;
      continue;
    }
    if (trusted && inside[i]) continue;
    if (auto const* why = refusal_of(all, i)) return refused(why);
    if (may_be_aggregate(all, i)) scatter.calls.push_back(all[i].word);
  }
  return scatter;
}

}  // namespace v0
}  // namespace shardway
