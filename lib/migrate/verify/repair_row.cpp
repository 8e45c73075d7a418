#include "lib/migrate/verify/repair_row.hpp"

#include <algorithm>

#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/progress.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/catalog/certificate.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::verify {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// A row as one node holds it.
struct held_row {
  bool exists{};
  std::string text;               ///< the whole row: what is compared
  std::vector<text_value> image;  ///< the values that travel; of the authority only
};

std::vector<text_value> key_parameters(repair_target const& at) { return {at.key.begin(), at.key.end()}; }

std::string key_match(table_state const& table) {
  std::string sql;
  for (std::size_t i = 0; i < table.manifest.key.size(); ++i)
    sql += (i ? " AND t." : "t.") + names::quoted(table.manifest.key[i]) + " = $" + std::to_string(1 + i) +
           "::" + type_of(table, table.manifest.key[i]);
  return sql;
}

std::string whole_row(table_state const& table) {
  std::string columns;
  for (auto const& column : table.columns)
    columns += (columns.empty() ? "" : ", ") + ("t." + names::quoted(column.name));
  return "ROW(" + columns + ")::text";
}

std::string from_key(table_state const& table) {
  return " FROM " + names::quoted_table(table.manifest.table) + " t WHERE " + key_match(table);
}

bool is_reference(repair_target const& at) { return at.table.manifest.kind == table_kind::reference; }

// A row that is absent cannot be locked, and a delete that the stream brings finds nothing to wait for. So
// what deletes is held off: on a shard by the key lock that the stream takes before deletes, on the source by
// the progress row that a mirror's transaction begins with.
statement hold_off_deletes(repair_target const& at) {
  if (!at.target_shard) return {.sql = "LOCK TABLE shardway.stream_progress IN SHARE ROW EXCLUSIVE MODE"};
  auto parameters = key_parameters(at);
  std::string key;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    key += (i ? ", $" : "$") + std::to_string(i + 1) + "::text";
  return {.sql = "SELECT pg_catalog.pg_advisory_xact_lock(shardway.key_lock_class(" +
                 names::literal(at.table.manifest.table) + "), shardway.key_lock_bucket(ARRAY[" + key + "]))",
          .parameters = std::move(parameters)};
}

// Times out by itself: a stopped process must not hold the stream's deletes for long.
result<held_row> lock_target(repair_target const& at, std::int64_t token) {
  std::vector<statement> frame{{.sql = "BEGIN ISOLATION LEVEL READ COMMITTED"},
                               {.sql = "SET LOCAL session_replication_role = replica"},
                               {.sql = "SET LOCAL lock_timeout = '1s'"},
                               {.sql = "SET LOCAL idle_in_transaction_session_timeout = '5s'"},
                               engine_statement(token, "repair"),
                               hold_off_deletes(at)};
  // On the source a published progress row is the mark by which the stream skips the transaction.
  if (!at.target_shard) frame.push_back(advance_statement("repair", {}));
  frame.push_back({.sql = "SELECT " + whole_row(at.table) + from_key(at.table) + " FOR UPDATE OF t",
                   .parameters = key_parameters(at)});
  BOOST_OUTCOME_TRY(auto const answers, at.target.flush(frame));
  for (auto const& answer : answers)
    if (!answer) return answer.error();
  auto const& found = answers.back().value();
  if (found.empty()) return held_row{};
  return held_row{.exists = true, .text = std::string(found.text(0, 0)), .image = {}};
}

// A transaction whose commit the stream has applied may be missing from a snapshot for a moment, or for as
// long as a standby lets it wait. It has a transaction id from before now: once all ids given out until now
// have ended, every new snapshot shows it (V8).
result<bool> wait_for_running(session& node, steady_clock::time_point until) {
  BOOST_OUTCOME_TRY(auto const last, node.query({.sql = "SELECT pg_catalog.pg_current_xact_id()::text"}));
  for (;;) {
    BOOST_OUTCOME_TRY(auto const done,
                      node.query({.sql = "SELECT pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8",
                                  .parameters = {std::string(last.text(0, 0))}}));
    if (done.boolean(0, 0)) return true;
    if (steady_now() >= until) return false;
    sleep_for(milliseconds{2});
  }
}

result<held_row> read_authority(repair_target const& at) {
  std::string columns;
  for (auto const* column : sent_columns(at.table))
    columns += ", t." + names::quoted(column->name) + "::text";
  BOOST_OUTCOME_TRY(auto const found, at.authority->query({.sql = "SELECT " + whole_row(at.table) + columns +
                                                                  from_key(at.table),
                                                           .parameters = key_parameters(at)}));
  if (found.empty()) return held_row{};
  held_row row{.exists = true, .text = std::string(found.text(0, 0)), .image = {}};
  for (std::size_t i = 1; i < found.columns().size(); ++i) {
    auto const value = found.at(0, i);
    row.image.push_back(value ? text_value(std::string(*value)) : text_value());
  }
  return row;
}

// The target must not have authority for the row's slot while it is written; the fence's lock holds off a
// flip until the transaction ends.
std::string no_authority(repair_target const& at) {
  if (is_reference(at)) return "true";
  auto const slot = slot_expression(at.table, "t.");
  return "NOT EXISTS (SELECT 1 FROM " + names::fence(at.table.manifest.group) +
         " f WHERE f.is_open AND f.slot_from <= " + slot + " AND f.slot_to >= " + slot + ")";
}

// Compare and set: the row is locked, and yet only what was compared is changed.
std::string target_row(repair_target const& at, held_row const& held, std::vector<text_value>& parameters) {
  parameters.push_back(held.text);
  return " WHERE " + key_match(at.table) + " AND " + whole_row(at.table) + " = $" +
         std::to_string(parameters.size()) + "::text AND " + no_authority(at);
}

statement delete_statement(repair_target const& at, held_row const& held) {
  auto parameters = key_parameters(at);
  auto const where = target_row(at, held, parameters);
  return {.sql = "DELETE FROM " + names::quoted_table(at.table.manifest.table) + " AS t" + where,
          .parameters = std::move(parameters)};
}

statement update_statement(repair_target const& at, held_row const& held, held_row const& wanted) {
  auto parameters = key_parameters(at);
  auto const where = target_row(at, held, parameters);
  std::string set;
  auto const columns = sent_columns(at.table);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (is_key(at.table, columns[i]->name)) continue;
    parameters.push_back(wanted.image[i]);
    set += (set.empty() ? "" : ", ") + names::quoted(columns[i]->name) + " = $" +
           std::to_string(parameters.size()) + "::" + columns[i]->type;
  }
  return {.sql = "UPDATE " + names::quoted_table(at.table.manifest.table) + " AS t SET " + set + where,
          .parameters = std::move(parameters)};
}

statement insert_statement(repair_target const& at, held_row const& wanted) {
  std::string columns, values;
  auto const sent = sent_columns(at.table);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    columns += (i ? ", " : "") + names::quoted(sent[i]->name);
    values += (i ? ", $" : "$") + std::to_string(i + 1) + "::" + sent[i]->type + " AS " +
              names::quoted(sent[i]->name);
  }
  return {.sql = "INSERT INTO " + names::quoted_table(at.table.manifest.table) + " (" + columns +
                 ") OVERRIDING SYSTEM VALUE SELECT t.* FROM (SELECT " + values + ") t WHERE " +
                 no_authority(at) + " ON CONFLICT (" + column_list(at.table.manifest.key, "") +
                 ") DO NOTHING",
          .parameters = wanted.image};
}

result<bool> write(repair_target const& at, statement change) {
  std::vector<statement> statements;
  if (!is_reference(at))
    statements.push_back({.sql = "SELECT 1 FROM " + names::fence_lock(at.table.manifest.group) +
                                 " WHERE false FOR KEY SHARE"});
  statements.push_back(std::move(change));
  BOOST_OUTCOME_TRY(auto const answers, at.target.flush(statements));
  for (auto const& answer : answers)
    if (!answer) return answer.error();
  return answers.back().value().affected() > 0;
}

std::string node_of(repair_target const& at) { return at.target.identity().name; }

// The record is committed before the repair: a crash between the two makes certificates worthless for
// nothing, which does no harm (I7).
result<std::string> write_and_record(repair_target const& at, std::int64_t token, std::string kind,
                                     statement change) {
  BOOST_OUTCOME_TRY(auto const written, write(at, std::move(change)));
  if (!written) return std::string();
  repair_record const record{
      .relation = at.table.manifest.table, .node = node_of(at), .kind = kind, .key_digest = at.key_digest};
  BOOST_OUTCOME_TRYV(insert_repair(at.catalog, token, record));
  stop_point("repair_before_commit");
  auto const outcome = at.target.commit();
  if (outcome.is_committed()) return kind;
  return outcome.why.value_or(
      error(error_code::in_doubt, "whether a repair was committed is not known", "verify again")
          .at_node(node_of(at)));
}

error still_running(repair_target const& at) {
  return error(error_code::could_not_tell,
               "transactions on the authority did not end in time for a repair of " + at.table.manifest.table,
               "run it again when they have ended")
      .at_node(at.authority->identity().name);
}

result<std::string> try_repair(repair_target const& at, std::int64_t token, steady_clock::time_point until) {
  held_row wanted;
  BOOST_OUTCOME_TRY(auto const held, lock_target(at, token));
  stop_point("repair_after_look");
  if (at.authority) {
    // Locks are held here, so what runs long has been waited for before.
    BOOST_OUTCOME_TRY(auto const shown,
                      wait_for_running(*at.authority, std::min(until, steady_now() + milliseconds{500})));
    if (!shown) return std::string();
    BOOST_OUTCOME_TRY(wanted, read_authority(at));
  }
  stop_point("repair_after_authority");
  if (held.exists == wanted.exists && held.text == wanted.text) return std::string();
  if (!wanted.exists) return write_and_record(at, token, "delete", delete_statement(at, held));
  if (held.exists) return write_and_record(at, token, "update", update_statement(at, held, wanted));
  return write_and_record(at, token, "insert", insert_statement(at, wanted));
}

bool is_lock_not_had(error const& why) { return why.sqlstate() == "55P03" || why.sqlstate() == "40P01"; }

}  // namespace

result<std::string> repair_once(repair_target const& at, std::int64_t token, steady_clock::time_point until) {
  if (at.authority) {
    BOOST_OUTCOME_TRY(auto const ended, wait_for_running(*at.authority, until));
    if (!ended) return still_running(at);
  }
  auto done = try_repair(at, token, until);
  if (!at.target.is_broken() && at.target.in_transaction()) (void)at.target.simple("ROLLBACK");
  if (!done && is_lock_not_had(done.error())) return std::string();
  return done;
}

}  // namespace migrate::verify
}  // namespace v0
}  // namespace shardway
