#include "lib/pg/replication_slot.hpp"

#include <array>

#include "lib/store/first_error.hpp"

namespace shardway {
inline namespace v0 {
namespace {

error not_possible(session const& link, error const& cause, std::string what, std::string hint) {
  return error{error_code::precondition_failed, std::move(what) + " on node \"" + link.identity().name + "\"",
               std::move(hint)}
      .at_node(link.identity().name)
      .with_server(cause.sqlstate(), cause.server_detail());
}

error creation_failed(session const& link, std::string const& name, error const& cause) {
  auto const& state = cause.sqlstate();
  auto const what = "creating replication slot \"" + name + "\"";
  if (state == "57014") {
    return error{error_code::deadline_exceeded,
                 what + " on node \"" + link.identity().name + "\" waited too long for older transactions",
                 "end old and prepared transactions (pg_stat_activity, pg_prepared_xacts), then run it again"}
        .at_node(link.identity().name)
        .with_server(state, cause.server_detail());
  }
  if (state == "42710")
    return not_possible(link, cause, what + ": the name is taken",
                        "drop it if nothing reads it, or choose another name");
  if (state == "55000")
    return not_possible(link, cause, what + ": logical decoding is not possible",
                        "set wal_level = logical and restart");
  if (state == "53400")
    return not_possible(link, cause, what + ": no replication slot is free",
                        "raise max_replication_slots and restart");
  return cause.while_doing(what);
}

}  // namespace

result<lsn> create_logical_replication_slot(session& link, std::string const& name,
                                            std::chrono::milliseconds timeout) {
  if (timeout <= std::chrono::milliseconds::zero())
    return error{error_code::invalid_argument, "timeout must be above 0"};
  if (link.in_transaction())
    return error{error_code::invalid_argument, "a replication slot is created outside of a transaction"};
  std::array<statement, 4> const steps{
      statement{.sql = "BEGIN"},
      statement{.sql = "SELECT set_config('statement_timeout', $1, true)",
                .parameters = {std::to_string(timeout.count())}},
      statement{.sql = "SELECT lsn FROM pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput')",
                .parameters = {name}},
      statement{.sql = "COMMIT"}};
  BOOST_OUTCOME_TRY(auto answers, link.flush(steps));
  if (auto const created = first_error(answers); !created)
    return creation_failed(link, name, created.error());
  auto const point = lsn::parse(answers[2].value().text(0, 0));
  if (!point)
    return error{error_code::protocol_violation, "creating a replication slot returned no position"}.at_node(
        link.identity().name);
  return *point;
}

result<bool> drop_replication_slot(session& link, std::string const& name) {
  auto const dropped = link.query({.sql = "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM "
                                          "pg_catalog.pg_replication_slots WHERE slot_name = $1",
                                   .parameters = {name}});
  if (dropped) return !dropped.value().empty();
  auto const& cause = dropped.error();
  if (cause.sqlstate() == "42704") return false;  // someone else dropped it meanwhile
  if (cause.sqlstate() == "55006") {
    return not_possible(link, cause, "dropping replication slot \"" + name + "\": it is in use",
                        "stop its stream first");
  }
  return cause.while_doing("dropping replication slot \"" + name + "\"");
}

result<std::optional<replication_slot_state>> find_replication_slot(session& link, std::string const& name) {
  BOOST_OUTCOME_TRY(
      auto const found,
      link.query({.sql =
                      "SELECT plugin, database, active, confirmed_flush_lsn, restart_lsn, wal_status, "
                      "coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
                      "ELSE pg_current_wal_lsn() END, restart_lsn), 0)::bigint "
                      "FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
                  .parameters = {name}}));
  if (found.empty()) return std::optional<replication_slot_state>{};
  BOOST_OUTCOME_TRY(auto const retained, found.integer(0, 6));
  replication_slot_state state;
  state.name = name;
  state.plugin = found.text(0, 0);
  state.database = found.text(0, 1);
  state.is_active = found.boolean(0, 2);
  state.confirmed_flush = lsn::parse(found.text(0, 3)).value_or(lsn{});
  state.restart = lsn::parse(found.text(0, 4)).value_or(lsn{});
  state.wal_status = found.text(0, 5);
  state.retained_bytes = retained;
  return std::optional<replication_slot_state>{std::move(state)};
}

}  // namespace v0
}  // namespace shardway
