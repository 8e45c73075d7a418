#include <chrono>

#include "lib/migrate/onboard/sql.hpp"
#include "lib/migrate/preflight/checks.hpp"
#include "lib/migrate/preflight/fix.hpp"
#include "lib/protocol/names.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

std::int64_t number(rows const& found, std::size_t column) {
  auto const value = found.empty() ? result<std::int64_t>{0} : found.integer(0, column);
  return value ? value.value() : 0;
}

void check_version(context const& checked) {
  int const major = checked.server_version() / 10000;
  auto const text = "PostgreSQL " + std::to_string(major);
  bool const good = checked.role == node_role::source ? major >= 13 : major >= 14 && major <= 18;
  if (good) return checked.pass("server_version", text, "supported");
  checked.fail("server_version", text,
               checked.role == node_role::source ? "a source is 13 or later" : "a shard is 14 to 18",
               "upgrade the server");
}

void check_wal_level(context const& checked) {  // S21
  auto const found = ask(checked, "wal_level", {"SELECT current_setting('wal_level')"});
  if (found.empty()) return;
  std::string const level(found.text(0, 0));
  if (level == "logical") return checked.pass("wal_level", level, "changes can be decoded");
  checked.fail("wal_level", level, "changes cannot be decoded",
               fix::any_of({fix::sql("ALTER SYSTEM SET wal_level = 'logical'"), "then restart the server"}));
}

void check_free(context const& checked, std::string const& id, std::string const& setting,
                std::string const& used_sql, int needed) {
  auto const found = ask(checked, id, {"SELECT current_setting($1)::int, (" + used_sql + ")", {setting}});
  if (found.empty()) return;
  auto const most = number(found, 0), used = number(found, 1);
  auto const figures =
      std::to_string(used) + " of " + std::to_string(most) + " in use, " + std::to_string(needed) + " needed";
  if (most - used >= needed) return checked.pass(id, setting, figures);
  checked.fail(
      id, setting, figures,
      fix::any_of({fix::sql("ALTER SYSTEM SET " + setting + " = " + std::to_string(used + needed + 4)),
                   "then restart the server"}));
}

// F5. Replication slots and senders of this migration count as free: a preflight may run again during the
// migration.
void check_replication(context const& checked) {
  int const needed = 1 + checked.options.spare_replication_slots;
  check_free(checked, "replication_slots", "max_replication_slots",
             "SELECT count(*) FROM pg_replication_slots WHERE slot_name NOT LIKE 'shardway\\_' || " +
                 names::literal(checked.migration.name) + " || '\\_%'",
             needed);
  check_free(checked, "wal_senders", "max_wal_senders",
             "SELECT count(*) FROM pg_stat_replication WHERE application_name NOT LIKE 'shardway%'", needed);
  auto const found =
      ask(checked, "slot_wal_keep",
          {"SELECT current_setting('max_slot_wal_keep_size'), setting::bigint FROM pg_settings WHERE"
           " name = 'max_slot_wal_keep_size'"});
  if (found.empty()) return;
  std::string const size(found.text(0, 0));
  auto const limit_wal = fix::any_of(
      {fix::sql("ALTER SYSTEM SET max_slot_wal_keep_size = '64GB'"), fix::sql("SELECT pg_reload_conf()")});
  if (number(found, 1) < 0)
    return checked.warn("slot_wal_keep", "max_slot_wal_keep_size = -1",
                        "WAL kept for a stream that stands still is not limited: only the"
                        " controller's WAL guard protects the disk",
                        limit_wal);
  if (number(found, 1) < 1024)
    return checked.warn("slot_wal_keep", "max_slot_wal_keep_size = " + size,
                        "a short stop of the stream would lose the replication slot, and"
                        " the tables are copied again",
                        limit_wal);
  checked.pass("slot_wal_keep", "max_slot_wal_keep_size = " + size, "limited");
}

void check_prepared(context const& checked) {
  auto const found = ask(checked, "prepared_transactions",
                         {"SELECT gid, extract(epoch FROM clock_timestamp() - prepared)::bigint FROM"
                          " pg_prepared_xacts ORDER BY 2 DESC"});
  for (std::size_t row = 0; row < found.size(); ++row) {
    auto const age = found.integer(row, 1);
    bool const old = age && age.value() > checked.options.transaction_age_max.count();
    checked.add("prepared_transactions", old ? finding_level::fail : finding_level::warn,
                std::string(found.text(row, 0)),
                "prepared " + std::string(found.text(row, 1)) +
                    " s ago: replication slots and tables cannot be made ready while it is open",
                fix::any_of({fix::sql("COMMIT PREPARED " + names::literal(found.text(row, 0))),
                             fix::sql("ROLLBACK PREPARED " + names::literal(found.text(row, 0)))}));
  }
  if (found.empty()) checked.pass("prepared_transactions", "", "none");
}

void check_old_transactions(context const& checked) {
  auto const found = ask(checked, "old_transactions",
                         {"SELECT pid, coalesce(nullif(application_name, ''), backend_type), extract(epoch "
                          "FROM clock_timestamp() -"
                          " xact_start)::bigint FROM pg_stat_activity"
                          " WHERE pid <> pg_backend_pid() AND clock_timestamp() - xact_start > $1::bigint * "
                          "interval '1 second' ORDER BY"
                          " xact_start",
                          {std::to_string(checked.options.transaction_age_max.count())}});
  for (std::size_t row = 0; row < found.size(); ++row)
    checked.warn("old_transactions",
                 "pid " + std::string(found.text(row, 0)) + ", " + std::string(found.text(row, 1)),
                 "open for " + std::string(found.text(row, 2)) + " s: a replication slot waits for it",
                 fix::sql("SELECT pg_terminate_backend(" + std::string(found.text(row, 0)) + ')'));
  if (found.empty())
    checked.pass("old_transactions", "",
                 "none older than " + std::to_string(checked.options.transaction_age_max.count()) + " s");
}

void check_publications(context const& checked) {  // F6
  auto const found = ask(checked, "all_tables_publication",
                         {"SELECT pubname FROM pg_publication WHERE puballtables ORDER BY 1"});
  for (std::size_t row = 0; row < found.size(); ++row)
    checked.fail("all_tables_publication", std::string(found.text(row, 0)),
                 "it publishes ALL TABLES: its consumers would see the tables of schema shardway",
                 fix::any_of({"in the Debezium connector: \"schema.exclude.list\": \"shardway\"",
                              "or let the publication name its tables"}));
  if (found.empty()) checked.pass("all_tables_publication", "", "no publication takes in all tables");
}

// No order and no lease depends on the nodes' clocks, but ages are computed with them (X13).
void check_clock(context const& checked) {
  using namespace std::chrono;
  auto const before = system_clock_source().wall();
  auto const found = ask(checked, "clock", {"SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"});
  if (found.empty()) return;
  auto const middle = before + (system_clock_source().wall() - before) / 2;
  auto const apart = milliseconds{
      std::abs(number(found, 0) - duration_cast<milliseconds>(middle.time_since_epoch()).count())};
  auto const text = std::to_string(apart.count()) + " ms apart from this machine";
  if (apart <= checked.options.clock_difference_max) return checked.pass("clock", "", text);
  checked.warn("clock", "", text + ": ages and expiries shown here will be wrong by that much",
               "synchronise the clocks (NTP)");
}

void check_installed(context const& checked) {
  auto const there = ask(checked, "installed",
                         {"SELECT n.oid IS NOT NULL, CASE WHEN has_schema_privilege(n.oid, 'USAGE') THEN"
                          " to_regclass('shardway.node') IS NOT NULL END"
                          " FROM (SELECT to_regnamespace('shardway')::oid AS oid) n"});
  if (there.empty()) return;
  if (!there.boolean(0, 0)) return checked.pass("installed", "shardway", "the schema is free");
  if (!there.boolean(0, 1))
    return checked.fail("installed", "shardway", "a schema of this name exists that is not ours to use",
                        fix::any_of({"rename or drop it", fix::sql("DROP SCHEMA shardway CASCADE")}));
  auto const found = ask(checked, "installed",
                         {"SELECT migration, name, (SELECT max(version) FROM shardway.schema_version) FROM"
                          " shardway.node"});
  if (found.empty()) return;
  std::string const migration(found.text(0, 0)), node(found.text(0, 1));
  if (migration != checked.migration.name || node != checked.name)
    return checked.fail("installed", "shardway",
                        "the schema belongs to migration " + migration + ", node " + node,
                        "shardway uninstall that migration first, or correct the conninfo");
  if (number(found, 2) > schema_version)
    return checked.fail("installed", "shardway", "its version is newer than this release",
                        "use the newer release");
  checked.pass("installed", "shardway", "installed for this migration");
}

}  // namespace

void check_server(context const& checked) {
  check_version(checked);
  check_wal_level(checked);
  check_replication(checked);
  check_prepared(checked);
  check_old_transactions(checked);
  check_publications(checked);
  check_clock(checked);
  check_installed(checked);
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
