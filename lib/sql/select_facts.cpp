#include "lib/sql/select_facts.hpp"

#include <algorithm>

#include "lib/sql/tokens.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using token_list = std::vector<token>;

// Functions of the server whose result depends on the time, the session, the node or chance. search_path
// holds only pg_catalog, so a name without a schema means one of these.
constexpr std::string_view unsteady_functions[]{"now",
                                                "random",
                                                "clock_timestamp",
                                                "statement_timestamp",
                                                "transaction_timestamp",
                                                "timeofday",
                                                "setseed",
                                                "nextval",
                                                "currval",
                                                "lastval",
                                                "setval",
                                                "gen_random_uuid",
                                                "txid_current",
                                                "txid_current_if_assigned",
                                                "txid_current_snapshot",
                                                "current_setting",
                                                "set_config",
                                                "version",
                                                "inet_client_addr",
                                                "inet_client_port",
                                                "inet_server_addr",
                                                "inet_server_port",
                                                "age",
                                                "pg_sleep",
                                                "random_normal",
                                                "uuidv7",
                                                "uuidv4"};
// Words that are such functions without parentheses.
constexpr std::string_view unsteady_words[]{
    "current_timestamp", "current_time", "current_date", "localtime",       "localtimestamp",
    "current_user",      "session_user", "current_role", "current_catalog", "current_schema"};
// Columns that every table has and whose values differ between nodes.
constexpr std::string_view system_columns[]{"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"};

template <std::size_t count>
bool is_among(std::string_view word, std::string_view const (&all)[count]) {
  return std::find(std::begin(all), std::end(all), word) != std::end(all);
}

bool is_call(token_list const& all, std::size_t index) {
  return index + 1 < all.size() && all[index + 1].is_symbol('(');
}
bool has_schema(token_list const& all, std::size_t index) {
  return index >= 2 && all[index - 1].is_symbol('.') && all[index - 2].is_name();
}

std::string_view unsteady(token_list const& all, std::size_t index) {
  auto const& one = all[index];
  if (!one.is_name()) return {};
  bool const qualified = has_schema(all, index);
  if (is_call(all, index)) {
    if (qualified && all[index - 2].word != "pg_catalog") return "it calls a user-defined function";
    if (is_among(one.word, unsteady_functions) || one.word.starts_with("pg_"))
      return "it calls a function whose result depends on the node or the time";
    return {};
  }
  if (!qualified && one.kind == token_kind::word && is_among(one.word, unsteady_words))
    return "it reads the current time or the session";
  if (is_among(one.word, system_columns)) return "it reads a system column";
  return {};
}

// A LIMIT needs an ORDER BY of the same depth before it, else PostgreSQL may return any rows.
std::string_view chance(token_list const& all, std::size_t index) {
  auto const& one = all[index];
  if (one.is("tablesample")) return "it samples";
  bool const cuts = one.is("limit") || one.is("offset") || (one.is("fetch") && index > 0) ||
                    (one.is("distinct") && index + 1 < all.size() && all[index + 1].is("on"));
  if (!cuts || (index > 0 && all[index - 1].is_symbol('.'))) return {};
  for (std::size_t i = 0; i + 1 < all.size(); ++i)
    if (all[i].is("order") && all[i + 1].is("by") && all[i].depth == one.depth) return {};
  return "it returns only some of the rows, without an ORDER BY";
}

}  // namespace

select_facts facts_of_select(std::string_view sql) {
  auto const all = tokens_of(sql);
  select_facts facts;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i + 2 < all.size() && all[i].is_name() && all[i + 1].is_symbol('.') && all[i + 2].is_name())
      facts.names.push_back(all[i].word + "." + all[i + 2].word);
    if (all[i].depth == 0 && all[i].is("order") && i + 1 < all.size() && all[i + 1].is("by"))
      facts.is_ordered = true;
    if (facts.not_comparable.empty()) facts.not_comparable = unsteady(all, i);
    if (facts.not_comparable.empty()) facts.not_comparable = chance(all, i);
  }
  return facts;
}

}  // namespace v0
}  // namespace shardway
