// The part of a fenced transaction for statements that are not framed: triggers capture what they change.
#include <algorithm>
#include <array>

#include "lib/protocol/capture.hpp"
#include "lib/protocol/durable_commit.hpp"
#include "lib/sql/statement_lexer.hpp"
#include "lib/sql/tokens.hpp"
#include "lib/store/first_error.hpp"
#include "lib/store/statement_name.hpp"
#include "lib/write/captured_tables.hpp"
#include "lib/write/fenced_transaction.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace {

bool may_be_sent_raw(std::string_view sql) {
  auto const all = tokens_of(sql);
  constexpr std::array first{"insert", "update", "delete", "merge", "with", "select", "values", "call"};
  return !all.empty() &&
         std::any_of(first.begin(), first.end(), [&](char const* word) { return all.front().is(word); });
}

bool counts_changes(rows const& answer) {
  auto const& command = answer.command();
  return command == "INSERT" || command == "UPDATE" || command == "DELETE" || command == "MERGE";
}

}  // namespace

bool fenced_transaction::has_capture_triggers() const {
  return plan_.fenced && plan_.capture != capture_level::none && !tables_captured_by_trigger(target_).empty();
}

bool fenced_transaction::is_captured_by_trigger(call_target const& target, std::string_view sql) const {
  if (!has_capture_triggers()) return false;
  auto const lexed = lex_statement(sql);
  auto const* named =
      lexed.kind == statement_kind::change ? target.current->find_table(lexed.table) : nullptr;
  return captures_by_trigger(named ? *named : *target.table);
}

// Both settings are transaction-local and go with ROLLBACK TO: what was last asked for is remembered here.
void fenced_transaction::announce(call_target const& target) {
  if (!has_capture_triggers() || announced_ == target.shard_key) return;
  auto const duty = plan_.capture == capture_level::outbox && !guard_off("capture_trigger")
                        ? trigger_duty::outbox
                        : trigger_duty::check;
  pending_.push_back(capture_statement(duty, call_.context(target), target.shard_key));
  announced_ = target.shard_key;
}

void fenced_transaction::announce_raw(bool raw) {
  if (!plan_.must_capture() || is_raw_ == raw || guard_off("raw_refused")) return;
  pending_.push_back(raw_statement(raw));
  is_raw_ = raw;
  has_run_unframed_ = has_run_unframed_ || raw;
}

void fenced_transaction::forget_announced() {
  pending_.clear();
  announced_.reset();
  is_raw_.reset();
}

result<rows> fenced_transaction::change_raw(call_target const& target, std::string_view sql,
                                            std::vector<text_value> parameters) {
  if (!may_be_sent_raw(sql))
    return error{error_code::statement_refused,
                 "a statement that is no INSERT, UPDATE, DELETE, MERGE, WITH, SELECT or CALL",
                 "transactions are begun and ended by the library"};
  announce(target);
  announce_raw(true);
  BOOST_OUTCOME_TRY(auto answer, send_with_xid({.sql = std::string(sql),
                                                .parameters = std::move(parameters),
                                                .name = statement_name(sql)}));
  if (counts_changes(answer)) call_.log().affected += answer.affected();
  return answer;
}

std::vector<statement> fenced_transaction::last_statements() const {
  if (plan_.capture != capture_level::outbox) return {};
  // A frame makes its transaction durable itself; a statement after it may have undone that.
  if (!has_capture_triggers())
    return has_run_unframed_ ? std::vector{durable_commit_statement()} : std::vector<statement>{};
  auto all = before_captured_statements();
  for (auto const* table : tables_captured_by_trigger(target_))
    all.push_back(captured_rows_statement(*table));
  return all;
}

result<> fenced_transaction::take_captured(std::span<result<rows> const> answers) {
  auto const tables = tables_captured_by_trigger(target_);
  auto const skipped = answers.size() - std::min(tables.size(), answers.size());
  BOOST_OUTCOME_TRYV(first_error(answers));
  auto& changes = call_.log().changes;
  for (std::size_t i = 0; skipped + i < answers.size(); ++i) {
    BOOST_OUTCOME_TRY(auto captured, parse_captured(answers[skipped + i].value(), *tables[i]));
    for (auto& one : captured)
      changes.push_back({tables[i], one.operation, std::move(one.row), one.slot,
                         target_.current->shard_of(one.slot), target_.current});
  }
  std::stable_sort(changes.begin(), changes.end(),
                   [](auto const& a, auto const& b) { return a.row.version < b.row.version; });
  return success();
}

}  // namespace v0
}  // namespace shardway
