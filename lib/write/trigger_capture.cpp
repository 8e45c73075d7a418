// The part of a fenced transaction that is about code which is not framed: capture by triggers, and lending
// to libpqxx.
#include <algorithm>
#include <array>

#include "lib/protocol/capture.hpp"
#include "lib/protocol/names.hpp"
#include "lib/sql/statement_lexer.hpp"
#include "lib/sql/tokens.hpp"
#include "lib/store/statement_name.hpp"
#include "lib/write/fenced_transaction.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr char lending_savepoint[] = "shardway_lent";
constexpr std::string_view no_such_savepoint = "3B001";

template <class Predicate>
std::vector<table_state const*> tables_where(write_target const& target, Predicate wanted) {
  std::vector<table_state const*> found;
  for (auto const& table : target.current->tables)
    if (table.manifest.group == target.group->name && wanted(table)) found.push_back(&table);
  return found;
}

std::string array_of_names(std::vector<table_state const*> const& tables) {
  std::string sql;
  for (auto const* table : tables)
    sql += (sql.empty() ? "" : ", ") + names::literal(names::quoted_table(table->manifest.table));
  return "ARRAY[" + sql + "]::text[]";
}

// Rows that this transaction has changed so far by the server's statistics, leaves included. What was rolled
// back to a savepoint counts too.
std::string changed_sql(std::vector<table_state const*> const& tables) {
  return "(SELECT coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_xact_tuples_inserted(r.oid) + "
         "pg_catalog.pg_stat_get_xact_tuples_updated(r.oid) + "
         "pg_catalog.pg_stat_get_xact_tuples_deleted(r.oid)), 0) FROM (SELECT coalesce(t.relid::oid, "
         "pg_catalog.to_regclass(n.name)::oid) AS oid "
         "FROM pg_catalog.unnest(" +
         array_of_names(tables) +
         ") AS n (name) LEFT JOIN LATERAL "
         "pg_catalog.pg_partition_tree(pg_catalog.to_regclass(n.name)) t ON true) r)";
}

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

bool refuses_raw(write_plan const& plan) {
  return plan.capture == capture_level::strict || plan.capture == capture_level::outbox;
}

error ended_by_borrower(std::string const& node) {
  return error{error_code::statement_refused,
               "code that borrowed the connection ended the transaction, or went back to before it had the "
               "connection; what it committed "
               "stays",
               "leave COMMIT, ROLLBACK and older savepoints to the library"}
      .at_node(node);
}

}  // namespace

bool fenced_transaction::has_capture_triggers() const {
  return plan_.fenced && plan_.capture != capture_level::none &&
         !tables_where(target_, captures_by_trigger).empty();
}

bool fenced_transaction::is_captured_by_trigger(write_target const& target, std::string_view sql) const {
  if (!has_capture_triggers()) return false;
  auto const lexed = lex_statement(sql);
  auto const* named =
      lexed.kind == statement_kind::change ? target.current->find_table(lexed.table) : nullptr;
  return captures_by_trigger(named ? *named : *target.table);
}

// Both settings are transaction-local and go with ROLLBACK TO: what was last asked for is remembered here.
void fenced_transaction::announce(write_target const& target) {
  if (!has_capture_triggers() || announced_ == target.shard_key) return;
  auto const duty = plan_.capture == capture_level::outbox && !guard_off("capture_trigger")
                        ? trigger_duty::outbox
                        : trigger_duty::check;
  pending_.push_back(capture_statement(duty, call_.context(target), target.shard_key));
  announced_ = target.shard_key;
}

void fenced_transaction::announce_raw(bool raw) {
  if (!refuses_raw(plan_) || is_raw_ == raw || guard_off("raw_refused")) return;
  pending_.push_back(raw_statement(raw));
  is_raw_ = raw;
}

void fenced_transaction::forget_announced() {
  pending_.clear();
  announced_.reset();
  is_raw_.reset();
}

result<rows> fenced_transaction::change_raw(write_target const& target, std::string_view sql,
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
  if (!has_capture_triggers() || plan_.capture != capture_level::outbox) return {};
  auto all = before_captured_statements();
  for (auto const* table : tables_where(target_, captures_by_trigger))
    all.push_back(captured_rows_statement(*table));
  return all;
}

result<> fenced_transaction::take_captured(std::span<result<rows> const> answers) {
  auto const tables = tables_where(target_, captures_by_trigger);
  auto const skipped = answers.size() - std::min(tables.size(), answers.size());
  for (auto const& one : answers)
    if (!one) return one.error();
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

// Two sums: rows that would escape capture, and rows that will be captured once the triggers are there.
statement fenced_transaction::count_statement() const {
  auto const by_statement =
      tables_where(target_, [](table_state const& table) { return !captures_by_trigger(table); });
  auto const by_trigger =
      plan_.fenced ? std::vector<table_state const*>{} : tables_where(target_, captures_by_trigger);
  if (refuses_raw(plan_))
    return {
        .sql = "SELECT 0, 0, coalesce(nullif(pg_catalog.current_setting('shardway.changed', true), ''), '0')",
        .name = "shardway_counted"};
  return {.sql = "SELECT " + changed_sql(by_statement) + ", " + changed_sql(by_trigger) +
                 ", coalesce(nullif(pg_catalog.current_setting('shardway.changed', true), ''), '0')"};
}

result<fenced_transaction::change_count> fenced_transaction::counted(rows const& answer) {
  change_count count;
  BOOST_OUTCOME_TRY(count.uncaptured, answer.integer(0, 0));
  BOOST_OUTCOME_TRY(auto const later, answer.integer(0, 1));
  BOOST_OUTCOME_TRY(auto const by_trigger, answer.integer(0, 2));
  count.all = count.uncaptured + later + by_trigger;
  return count;
}

result<session*> fenced_transaction::begin_lending(std::vector<std::string> const& search_path) {
  if (failure_) return *failure_;
  call_.host().touches({}, nullptr, {}, {});
  announce(target_);
  announce_raw(true);
  auto all = std::exchange(pending_, {});
  auto const count_at = all.size();
  all.push_back(count_statement());
  // Its name is how the end of the transaction by the borrower is noticed, in a failed transaction too.
  all.push_back({.sql = std::string("SAVEPOINT ") + lending_savepoint});
  std::string path = "pg_catalog";
  for (auto const& schema : search_path) path += ", " + names::quoted(schema);
  if (!search_path.empty()) all.push_back({.sql = "SET LOCAL search_path = " + path + ", pg_temp"});
  BOOST_OUTCOME_TRY(auto const answers, send(all));
  BOOST_OUTCOME_TRY(before_lending_, counted(answers[count_at].value()));
  return on_.link.get();
}

result<> fenced_transaction::end_lending(bool was_aborted) {
  if (on_.link->is_broken())
    return fail(error{error_code::connection_lost, "the connection broke while code borrowed it"}.at_node(
        target_.node_name));
  if (!on_.link->in_transaction()) return fail(ended_by_borrower(target_.node_name));
  if (was_aborted)
    return fail(
        error{error_code::cancelled, "the code that borrowed the transaction aborted it; nothing was written"}
            .at_node(target_.node_name));
  std::vector<statement> const all{
      {.sql = std::string("RELEASE SAVEPOINT ") + lending_savepoint},
      {.sql = "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)"},
      count_statement(),
      xid_statement()};
  auto const answers = on_.link->flush(all, call_.deadline());
  if (!answers) return fail(answers.error());
  if (!answers.value().front()) return failed_while_lent(answers.value().front().error());
  for (auto const& one : answers.value())
    if (!one) return fail(one.error());
  BOOST_OUTCOME_TRY(auto const count, counted(answers.value()[2].value()));
  if (answers.value()[3].value().size() == 1) xid_ = answers.value()[3].value().text(0, 0);
  call_.log().affected += count.all - before_lending_.all;
  if (auto const escaped = count.uncaptured - before_lending_.uncaptured; escaped > 0)
    call_.host().uncaptured(target_, escaped);
  return success();
}

// The transaction has failed: if it still knows our savepoint, it is the one that was lent, and what failed
// it decides.
result<> fenced_transaction::failed_while_lent(error const& why) {
  if (why.sqlstate() == no_such_savepoint) return fail(ended_by_borrower(target_.node_name));
  auto const back =
      on_.link->query({.sql = std::string("ROLLBACK TO SAVEPOINT ") + lending_savepoint}, call_.deadline());
  if (back)
    return fail(
        error{error_code::sql_error, "a statement of the code that borrowed the connection failed"}.at_node(
            target_.node_name));
  if (needs_reconnect(back.error().code())) return fail(back.error());
  return fail(ended_by_borrower(target_.node_name));
}

}  // namespace v0
}  // namespace shardway
