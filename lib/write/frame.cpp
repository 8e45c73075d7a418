#include "lib/write/frame.hpp"

#include "lib/protocol/lookup.hpp"
#include "lib/sql/known_statement.hpp"
#include "lib/sql/statement_lexer.hpp"
#include "lib/write/framed_text.hpp"

namespace shardway {
inline namespace v0 {
namespace {

error refuse(call_target const& target, std::string_view why, std::string hint) {
  return error{error_code::statement_refused,
               "a write to group " + target.group->name + " (" + std::string(name(target.group->stage)) +
                   "): " + std::string(why),
               std::move(hint)};
}

constexpr char simple_hint[] =
    "send one INSERT, UPDATE or DELETE at a time, without WITH; several of them go into one `write`";

framed_statement unchanged(std::string_view sql, std::vector<text_value> parameters) {
  return {.what = {.sql = std::string(sql),
                   .parameters = std::move(parameters),
                   .name = know_statement(sql)->name}};
}

// The table the statement changes, if the write's fence and key are also that table's.
result<table_state const*> table_in_group(call_target const& target, lexed_statement const& lexed) {
  auto const* table =
      lexed.table == target.table->manifest.table ? target.table : target.current->find_table(lexed.table);
  if (!table)
    return refuse(target, "the statement's target is in no manifest of this generation",
                  "name the table with its schema, as the manifest does, and never a partition of it");
  if (table->manifest.group != target.group->name)
    return refuse(target, "the statement changes a table of group " + table->manifest.group,
                  "write it in a transaction of its own group");
  return table;
}

}  // namespace

result<framed_statement> frame(call_target const& target, write_plan const& plan,
                               outbox_context const& context, std::string_view sql,
                               std::vector<text_value> parameters) {
  if (plan.capture == capture_level::none) return unchanged(sql, std::move(parameters));
  auto const known = know_statement(sql);
  auto const& lexed = known->lexed;
  if (lexed.kind != statement_kind::change) {
    if (!plan.must_capture()) return unchanged(sql, std::move(parameters));
    return refuse(target, lexed.kind == statement_kind::other ? lexed.why : "a SELECT is no write",
                  simple_hint);
  }
  auto const table = table_in_group(target, lexed);
  if (!table) {
    if (!plan.must_capture()) return unchanged(sql, std::move(parameters));
    return table.error();
  }
  if (lexed.parameter_count != parameters.size())
    return error{error_code::invalid_argument, "the statement has " + std::to_string(lexed.parameter_count) +
                                                   " parameters and was given " +
                                                   std::to_string(parameters.size())};
  framed_statement framed{.what = {},
                          .capture = {},
                          .table = table.value(),
                          .with_outbox = plan.capture == capture_level::outbox,
                          .slot = target.slot,
                          .placed = target.placed};
  framed.keeps = target.current;
  framed.keeps_lookups = keeps_lookups(target.group->stage, framed.table->manifest);
  auto const text =
      framed_text_of(target.current, *framed.table, lexed, sql, framed.with_outbox, framed.keeps_lookups);
  framed.capture = {text, &text->capture};
  framed.what.sql = text->sql;
  framed.what.parameters = std::move(parameters);
  for (auto& more : capture_parameters(context, target.shard_key, framed.with_outbox))
    framed.what.parameters.push_back(std::move(more));
  framed.what.name = text->name;
  return framed;
}

result<rows> unframe(framed_statement const& framed, rows answer, write_log& log) {
  if (!framed.capture) {
    log.affected += answer.affected();
    return answer;
  }
  BOOST_OUTCOME_TRY(auto captured, split_captured(answer, *framed.capture, *framed.table));
  log.affected += captured.user.affected();
  log.next_ordinal += static_cast<std::int32_t>(captured.user.affected());
  if (framed.keeps_lookups && framed.capture->operation != captured_statement::operation_type::remove)
    for (auto const& row : captured.changed) log.lookups.push_back({framed.table, row.image, framed.keeps});
  if (framed.with_outbox)
    for (auto& row : captured.changed)
      log.changes.push_back({framed.table, framed.capture->operation, std::move(row), framed.slot,
                             framed.placed, framed.keeps});
  return std::move(captured.user);
}

}  // namespace v0
}  // namespace shardway
