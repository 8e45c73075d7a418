#include "lib/migrate/verify/repair_row.hpp"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/migrate/nodes/run_all.hpp"
#include "lib/migrate/verify/sql.hpp"
#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/conflict.hpp"
#include "lib/protocol/key_text.hpp"
#include "lib/protocol/place.hpp"
#include "lib/protocol/progress.hpp"
#include "lib/store/text_array.hpp"
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
  std::string slot;               ///< of the target's row
  std::vector<text_value> image;  ///< the values to write; only of the authority's row
};

std::vector<text_value> key_parameters(repair_target const& repair) {
  return {repair.key.begin(), repair.key.end()};
}

// Of the key in text form, as in shardway.parked and shardway.conflict: who has the key can find it.
std::string key_digest_sql(std::string const& parameter) {
  return absl::StrCat("pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(", parameter,
                      "::text, 'UTF8')), 'hex')");
}

std::string slot_of_row(table_state const& table) {
  return table.manifest.kind == table_kind::reference ? std::string("-1") : slot_expression(table, "t.");
}

std::string key_match(table_state const& table) {
  std::vector<std::string> conditions;
  for (auto const& column : table.manifest.key)
    conditions.push_back(absl::StrCat("t.", names::quoted(column), " = $", conditions.size() + 1,
                                      "::", type_of(table, column)));
  return absl::StrJoin(conditions, " AND ");
}

std::string from_key(table_state const& table) {
  return " FROM " + names::quoted_table(table.manifest.table) + " t WHERE " + key_match(table);
}

bool is_reference(repair_target const& repair) { return repair.table.manifest.kind == table_kind::reference; }

// An absent row cannot be locked, so a delete from the stream would not wait. This statement blocks whatever
// deletes instead. On a shard it takes the key lock that the stream takes before its deletes. On the source
// it locks the table of the progress row that a mirror's transaction begins with.
statement hold_off_deletes(repair_target const& repair) {
  if (!repair.target_shard) return {.sql = "LOCK TABLE shardway.stream_progress IN SHARE ROW EXCLUSIVE MODE"};
  auto parameters = key_parameters(repair);
  std::vector<std::string> key;
  for (std::size_t i = 1; i <= parameters.size(); ++i) key.push_back(absl::StrCat("$", i, "::text"));
  return {.sql = absl::StrCat("SELECT pg_catalog.pg_advisory_xact_lock(shardway.key_lock_class(",
                              names::literal(repair.table.manifest.table),
                              "), shardway.key_lock_bucket(ARRAY[", absl::StrJoin(key, ", "), "]))"),
          .parameters = std::move(parameters)};
}

// The transaction times out by itself, so that a stopped process does not block the stream's deletes for
// long.
result<held_row> lock_target(repair_target const& repair, std::int64_t token) {
  std::vector<statement> frame{{.sql = "BEGIN ISOLATION LEVEL READ COMMITTED"},
                               {.sql = "SET LOCAL session_replication_role = replica"},
                               {.sql = "SET LOCAL lock_timeout = '1s'"},
                               {.sql = "SET LOCAL idle_in_transaction_session_timeout = '5s'"},
                               engine_statement(token, "repair"),
                               hold_off_deletes(repair)};
  // On the source, a published progress row marks the transaction, and the stream skips marked transactions.
  if (!repair.target_shard) frame.push_back(advance_statement("repair", {}));
  frame.push_back({.sql = "SELECT " + row_text(repair.table, "t.") + ", " + slot_of_row(repair.table) +
                          from_key(repair.table) + " FOR UPDATE OF t",
                   .parameters = key_parameters(repair)});
  BOOST_OUTCOME_TRY(auto const answers, nodes::run_all(repair.target, frame));
  auto const& found = answers.back();
  if (found.empty()) return held_row{};
  return held_row{.exists = true,
                  .text = std::string(found.text(0, 0)),
                  .slot = std::string(found.text(0, 1)),
                  .image = {}};
}

// A snapshot may not yet show a transaction whose commit the stream has applied: for a moment, or for as long
// as a standby delays it. Its transaction id was assigned before now. Once all transactions with ids assigned
// until now have ended, every new snapshot shows it (V8).
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

// A row of a slot that the authority has no authority for is somebody else's copy there: it says nothing.
result<held_row> read_authority(repair_target const& repair) {
  std::string columns =
      is_reference(repair) ? ", true" : ", NOT (" + outside_authority(repair.table, "t.") + ")";
  for (auto const* column : sent_columns(repair.table)) columns += ", " + value_text(*column, "t.");
  BOOST_OUTCOME_TRY(auto const found,
                    repair.authority->query(
                        {.sql = "SELECT " + row_text(repair.table, "t.") + columns + from_key(repair.table),
                         .parameters = key_parameters(repair)}));
  if (found.empty() || !found.boolean(0, 1)) return held_row{};
  held_row row{.exists = true, .text = std::string(found.text(0, 0)), .slot = {}, .image = {}};
  for (std::size_t i = 2; i < found.columns().size(); ++i) {
    auto const value = found.at(0, i);
    row.image.push_back(value ? text_value(std::string(*value)) : text_value());
  }
  return row;
}

// Whether the authority may say that a row of this slot is not there.
result<bool> may_say_gone(repair_target const& repair, held_row const& held) {
  if (!repair.authority || is_reference(repair)) return true;
  BOOST_OUTCOME_TRY(
      auto const answer,
      repair.authority->query(
          {.sql = "SELECT NOT (" + outside_authority(repair.table.manifest.group, "$1::int4") + ")",
           .parameters = {held.slot}}));
  return answer.boolean(0, 0);
}

// The target must not have authority for the row's slot while the row is written. The fence's lock blocks a
// flip until the transaction ends.
std::string no_authority(repair_target const& repair) {
  return is_reference(repair) ? std::string("true") : outside_authority(repair.table, "t.");
}

// Compare and set: although the row is locked, the statement changes only the row that was compared.
std::string target_row(repair_target const& repair, held_row const& held,
                       std::vector<text_value>& parameters) {
  parameters.push_back(held.text);
  return " WHERE " + key_match(repair.table) + " AND " + row_text(repair.table, "t.") + " = $" +
         std::to_string(parameters.size()) + "::text AND " + no_authority(repair);
}

// What was acknowledged once may live in this copy alone.
statement keep_statement(repair_target const& repair, held_row const& held, std::string const& reason) {
  auto parameters = key_parameters(repair);
  auto const where = target_row(repair, held, parameters);
  auto const next = parameters.size();
  for (auto const& text :
       {repair.table.manifest.table, text_array(repair.key), repair.target.identity().name, reason})
    parameters.emplace_back(text);
  return {.sql = absl::StrCat(
              "INSERT INTO shardway.salvaged (relation, key_digest, image, node, reason) SELECT $", next + 1,
              "::text, ", key_digest_sql(absl::StrCat("$", next + 2)), ", pg_catalog.to_jsonb(t), $",
              next + 3, "::text, $", next + 4, "::text FROM ",
              names::quoted_table(repair.table.manifest.table), " AS t", where),
          .parameters = std::move(parameters)};
}

statement delete_statement(repair_target const& repair, held_row const& held) {
  auto parameters = key_parameters(repair);
  auto const where = target_row(repair, held, parameters);
  return {.sql = "DELETE FROM " + names::quoted_table(repair.table.manifest.table) + " AS t" + where,
          .parameters = std::move(parameters)};
}

statement update_statement(repair_target const& repair, held_row const& held, held_row const& wanted) {
  auto parameters = key_parameters(repair);
  auto where = target_row(repair, held, parameters);
  std::vector<std::string> updates, place;
  std::map<std::string, std::string> places;
  auto const columns = sent_columns(repair.table);
  auto const& wanted_key = repair.table.manifest.shard_key;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    bool const is_place =
        std::find(wanted_key.begin(), wanted_key.end(), columns[i]->name) != wanted_key.end();
    bool const is_written = !is_key(repair.table, columns[i]->name) || !equality_is_identity(*columns[i]);
    if (!is_place && !is_written) continue;
    parameters.push_back(wanted.image[i]);
    auto const value = absl::StrCat("$", parameters.size(), "::", columns[i]->type);
    if (is_place) places[columns[i]->name] = as_key(*columns[i], value);
    if (is_written) updates.push_back(absl::StrCat(names::quoted(columns[i]->name), " = ", value));
  }
  for (auto const& column : wanted_key) place.push_back(places[column]);
  if (!is_reference(repair))
    absl::StrAppend(&where, " AND ", outside_authority(repair.table.manifest.group, slot_of_call(place)));
  return {.sql = absl::StrCat("UPDATE ", names::quoted_table(repair.table.manifest.table), " AS t SET ",
                              absl::StrJoin(updates, ", "), where),
          .parameters = std::move(parameters)};
}

statement insert_statement(repair_target const& repair, held_row const& wanted) {
  std::vector<std::string> columns, values;
  for (auto const* column : sent_columns(repair.table)) {
    columns.push_back(names::quoted(column->name));
    values.push_back(absl::StrCat("$", columns.size(), "::", column->type, " AS ", columns.back()));
  }
  return {
      .sql = absl::StrCat("INSERT INTO ", names::quoted_table(repair.table.manifest.table), " (",
                          absl::StrJoin(columns, ", "), ") OVERRIDING SYSTEM VALUE SELECT t.* FROM (SELECT ",
                          absl::StrJoin(values, ", "), ") t WHERE ", no_authority(repair), " ON CONFLICT (",
                          column_list(repair.table.manifest.key, ""), ") DO NOTHING"),
      .parameters = wanted.image};
}

result<bool> write(repair_target const& repair, std::vector<statement> changes) {
  std::vector<statement> statements;
  if (!is_reference(repair))
    statements.push_back({.sql = "SELECT 1 FROM " + names::fence_lock(repair.table.manifest.group) +
                                 " WHERE false FOR KEY SHARE"});
  for (auto& change : changes) statements.push_back(std::move(change));
  BOOST_OUTCOME_TRY(auto const answers, nodes::run_all(repair.target, statements));
  return answers.back().affected() > 0;
}

std::string node_of(repair_target const& repair) { return repair.target.identity().name; }

// The record is committed before the repair. After a crash between the two, older certificates do not count
// although nothing was repaired. That is harmless (I7).
result<std::string> write_and_record(repair_target const& repair, std::int64_t token, std::string kind,
                                     std::vector<statement> changes) {
  BOOST_OUTCOME_TRY(auto const written, write(repair, std::move(changes)));
  if (!written) return std::string();
  repair_record const record{.relation = repair.table.manifest.table,
                             .node = node_of(repair),
                             .kind = kind,
                             .key_digest = repair.key_digest};
  BOOST_OUTCOME_TRYV(insert_repair(repair.catalog, token, record));
  stop_point("repair_before_commit");
  auto const outcome = repair.target.commit();
  if (outcome.is_committed()) return kind;
  return outcome.why.value_or(
      error(error_code::in_doubt, "whether a repair was committed is not known", "verify again")
          .at_node(node_of(repair)));
}

error still_running(repair_target const& repair) {
  return error(error_code::could_not_tell,
               "transactions on the authority did not end in time for a repair of " +
                   repair.table.manifest.table,
               "run it again when they have ended")
      .at_node(repair.authority->identity().name);
}

result<std::string> try_repair(repair_target const& repair, std::int64_t token,
                               steady_clock::time_point until) {
  held_row wanted;
  BOOST_OUTCOME_TRY(auto const held, lock_target(repair, token));
  stop_point("repair_after_look");
  if (repair.authority) {
    // Locks are held here, so the long wait for old transactions happened earlier.
    BOOST_OUTCOME_TRY(auto const shown,
                      wait_for_running(*repair.authority, std::min(until, steady_now() + milliseconds{500})));
    if (!shown) return std::string();
    BOOST_OUTCOME_TRY(wanted, read_authority(repair));
  }
  stop_point("repair_after_authority");
  if (held.exists == wanted.exists && held.text == wanted.text) return std::string();
  if (!wanted.exists) {
    BOOST_OUTCOME_TRY(bool const is_gone, may_say_gone(repair, held));
    if (!is_gone) return std::string();
    return write_and_record(
        repair, token, "delete",
        {keep_statement(repair, held, "deleted by a repair"), delete_statement(repair, held)});
  }
  if (held.exists)
    return write_and_record(
        repair, token, "update",
        {keep_statement(repair, held, "overwritten by a repair"), update_statement(repair, held, wanted)});
  return write_and_record(repair, token, "insert", {insert_statement(repair, wanted)});
}

// lock_not_available, deadlock_detected
bool is_lock_refused(error const& why) { return why.sqlstate() == "55P03" || why.sqlstate() == "40P01"; }

}  // namespace

result<std::string> repair_once(repair_target const& repair, std::int64_t token,
                                steady_clock::time_point until) {
  if (repair.authority) {
    BOOST_OUTCOME_TRY(auto const ended, wait_for_running(*repair.authority, until));
    if (!ended) return still_running(repair);
  }
  auto done = try_repair(repair, token, until);
  if (!repair.target.is_broken() && repair.target.in_transaction()) (void)repair.target.simple("ROLLBACK");
  if (!done && is_lock_refused(done.error())) return std::string();
  return done;
}

std::vector<statement> keep_claim_statements(table_state const& table, std::vector<std::string> const& key,
                                             std::string const& node) {
  std::vector<text_value> parameters(key.begin(), key.end());
  auto const next = parameters.size();
  for (auto const& text : {table.manifest.table, text_array(key), node}) parameters.emplace_back(text);
  statement keep{.sql = absl::StrCat(
                     "INSERT INTO shardway.salvaged (relation, key_digest, image, node, reason) SELECT c.* "
                     "FROM (SELECT $",
                     next + 1, "::text, ", key_digest_sql(absl::StrCat("$", next + 2)),
                     ", pg_catalog.to_jsonb(t) AS image, $", next + 3, "::text, 'claimed by several nodes'",
                     from_key(table),
                     ") AS c (relation, key_digest, image, node, reason) WHERE NOT EXISTS (SELECT 1 FROM "
                     "shardway.salvaged AS s WHERE s.relation = c.relation AND s.key_digest = c.key_digest "
                     "AND s.image = c.image AND s.reason = c.reason)"),
                 .parameters = std::move(parameters)};
  auto statements = note_conflict_statements({.stream = "reconcile",
                                              .relation = table.manifest.table,
                                              .key = key,
                                              .slot = {},
                                              .held_slot = {},
                                              .version = {},
                                              .held_version = {},
                                              .reason = "several nodes claim the primary key"});
  statements.insert(statements.begin(), std::move(keep));
  return statements;
}

}  // namespace migrate::verify
}  // namespace v0
}  // namespace shardway
