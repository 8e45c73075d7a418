// The part of a fenced transaction that lends its session to code written for libpqxx.
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "lib/protocol/names.hpp"
#include "lib/store/first_error.hpp"
#include "lib/write/captured_tables.hpp"
#include "lib/write/fenced_transaction.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr char lending_savepoint[] = "shardway_lent";
constexpr std::string_view no_such_savepoint = "3B001";

std::string array_of_names(std::vector<table_state const*> const& tables) {
  auto const append_name = [](std::string* sql, table_state const* table) {
    sql->append(names::literal(names::quoted_table(table->manifest.table)));
  };
  return absl::StrCat("ARRAY[", absl::StrJoin(tables, ", ", append_name), "]::text[]");
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

error ended_by_borrower(std::string const& node) {
  return error{error_code::statement_refused,
               "code that borrowed the connection ended the transaction, or went back to before it had the "
               "connection; what it committed "
               "stays",
               "leave COMMIT, ROLLBACK and older savepoints to the library"}
      .at_node(node);
}

}  // namespace

// Two sums: rows that nothing captures, and rows that triggers will capture once they are installed.
statement fenced_transaction::count_statement() const {
  auto const by_statement = tables_captured_by_statement(target_);
  auto const by_trigger =
      plan_.fenced ? std::vector<table_state const*>{} : tables_captured_by_trigger(target_);
  if (plan_.must_capture())
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
  auto const count_position = all.size();
  all.push_back(count_statement());
  // If the borrower ends the transaction, this savepoint is gone. That shows also in a failed
  // transaction.
  all.push_back({.sql = std::string("SAVEPOINT ") + lending_savepoint});
  std::string path = "pg_catalog";
  for (auto const& schema : search_path) path += ", " + names::quoted(schema);
  if (!search_path.empty()) all.push_back({.sql = "SET LOCAL search_path = " + path + ", pg_temp"});
  BOOST_OUTCOME_TRY(auto const answers, send(all));
  BOOST_OUTCOME_TRY(before_lending_, counted(answers[count_position].value()));
  return lent_.link.get();
}

result<> fenced_transaction::end_lending(bool was_aborted) {
  if (lent_.link->is_broken())
    return fail(error{error_code::connection_lost, "the connection broke while code borrowed it"}.at_node(
        target_.node_name));
  if (!lent_.link->in_transaction()) return fail(ended_by_borrower(target_.node_name));
  if (was_aborted)
    return fail(
        error{error_code::cancelled, "the code that borrowed the transaction aborted it; nothing was written"}
            .at_node(target_.node_name));
  std::vector<statement> const all{
      {.sql = std::string("RELEASE SAVEPOINT ") + lending_savepoint},
      {.sql = "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)"},
      count_statement(),
      xid_statement()};
  auto const answers = lent_.link->flush(all, call_.deadline());
  if (!answers) return fail(answers.error());
  if (!answers.value().front()) return failed_while_lent(answers.value().front().error());
  if (auto const done = first_error(answers.value()); !done) return fail(done.error());
  BOOST_OUTCOME_TRY(auto const count, counted(answers.value()[2].value()));
  if (answers.value()[3].value().size() == 1) xid_ = answers.value()[3].value().text(0, 0);
  call_.log().affected += count.all - before_lending_.all;
  if (auto const escaped = count.uncaptured - before_lending_.uncaptured; escaped > 0)
    call_.host().uncaptured(target_, escaped);
  return success();
}

// The transaction has failed. If it still has our savepoint it is the one that was lent, and its own
// error decides.
result<> fenced_transaction::failed_while_lent(error const& why) {
  if (why.sqlstate() == no_such_savepoint) return fail(ended_by_borrower(target_.node_name));
  auto const back =
      lent_.link->query({.sql = std::string("ROLLBACK TO SAVEPOINT ") + lending_savepoint}, call_.deadline());
  if (back)
    return fail(
        error{error_code::sql_error, "a statement of the code that borrowed the connection failed"}.at_node(
            target_.node_name));
  if (needs_reconnect(back.error().code())) return fail(back.error());
  return fail(ended_by_borrower(target_.node_name));
}

}  // namespace v0
}  // namespace shardway
