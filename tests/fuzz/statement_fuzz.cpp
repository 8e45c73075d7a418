// Any bytes as SQL: what the lexers say lies inside the text, and a frame that is put around a change stays
// around it.
#include <algorithm>
#include <string>
#include <string_view>

#include "lib/sql/read_statement.hpp"
#include "lib/sql/select_facts.hpp"
#include "lib/sql/statement_facts.hpp"
#include "lib/sql/statement_lexer.hpp"
#include "lib/sql/tokens.hpp"
#include "lib/write/frame.hpp"
#include "shardway/base/ensure.hpp"

namespace {

using namespace shardway;

std::shared_ptr<generation const> generation_with(std::string const& table) {
  auto made = std::make_shared<generation>();
  made->migration.shards = {{.name = "shard0", .conninfo = "host=s0"}};
  made->placement = even_placement(1);
  made->groups = {{"sales", stage::dual_writing, {{.slots = all_slots}}}};
  table_state state;
  state.manifest.table = table;
  state.manifest.group = "sales";
  state.manifest.key = {"id"};
  state.manifest.shard_key = {"customer_id"};
  state.columns = {{.name = "id", .type = "bigint"},
                   {.name = "customer_id", .type = "bigint"},
                   {.name = "total \"x\"", .type = "numeric"}};
  made->tables = {state};
  return made;
}

void check_tokens(std::vector<token> const& all, std::size_t size) {
  std::size_t end = 0;
  for (auto const& one : all) {
    ensure(one.begin >= end && one.end > one.begin && one.end <= size,
           "tokens follow one another inside the text");
    end = one.end;
  }
}

// The words that the frame puts behind the user's change must be words outside all parentheses: nothing of
// the change has swallowed them.
void check_frame(captured_statement const& change, std::string const& sql) {
  auto const all = tokens_of(sql);
  check_tokens(all, sql.size());
  auto const behind =
      sql.find(" RETURNING " + change.alias + ".*), shardway_row AS MATERIALIZED (", change.body.size());
  auto const is_ours = [&](token const& one) {
    return one.depth == 0 && one.is("shardway_row") && one.begin > behind;
  };
  ensure(behind != std::string::npos && std::ranges::any_of(all, is_ours),
         "the frame closes behind the change");
  ensure(all.back().kind != token_kind::unterminated, "nothing in the frame is left open");
  ensure(std::ranges::none_of(all, [](token const& one) { return one.is_symbol(';') || one.depth < 0; }),
         "the frame is one statement");
}

void check_change(lexed_statement const& lexed, std::string_view sql) {
  ensure(lexed.body_end <= lexed.returning_begin && lexed.returning_begin <= lexed.returning_end &&
             lexed.returning_end <= sql.size(),
         "the parts of a change stand in order");
  auto const current = generation_with(lexed.table);
  auto const& table = current->tables[0];
  call_target const target{.current = current,
                           .table = &table,
                           .group = &current->groups[0],
                           .node = source_node,
                           .node_name = "source",
                           .shard_key = {"7"}};
  std::vector<text_value> parameters(std::min<std::size_t>(lexed.parameter_count, 64));
  auto const framed = frame(target, plan_of(target), {}, sql, std::move(parameters));
  if (lexed.parameter_count > 64) return ensure(!framed, "a change without its parameters is refused");
  ensure(bool(framed), "a change is framed");
  check_frame(*framed.value().capture, framed.value().what.sql);
}

void check_scatter(std::string_view sql, subquery_scope scope) {
  auto const shape = lex_scatter(sql, scope);
  if (!shape.why.empty()) return;
  ensure(shape.body_end <= sql.size(), "a read ends in its text");
  auto const text =
      with_conditions(shape, sql, [](std::span<std::string const>) { return std::string{"true"}; });
  ensure(lex_statement(text).kind == statement_kind::select, "a read with its conditions is a read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
  std::string_view const sql{reinterpret_cast<char const*>(data), size};
  check_tokens(tokens_of(sql), size);
  (void)facts_of(sql);
  auto const lexed = lex_statement(sql);
  ensure((lexed.kind == statement_kind::other) == (*lexed.why != '\0'),
         "what is refused is refused with a reason");
  if (lexed.kind == statement_kind::change) check_change(lexed, sql);
  if (lexed.kind == statement_kind::select) (void)facts_of_select(sql);
  check_scatter(sql, subquery_scope::any_rows);
  check_scatter(sql, subquery_scope::one_shard_key);
  return 0;
}
