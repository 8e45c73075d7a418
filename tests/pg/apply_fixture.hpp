// What the tests of the guarded apply share: rows captured on the source, and what the shard makes of them.
#pragma once

#include <thread>

#include "protocol_fixture.hpp"

namespace shardway_test {

using operation = captured_statement::operation_type;

class guarded_apply : public protocol_fixture {
 protected:
  /// Runs a captured statement on the source as the library does and returns its changed rows.
  result<captured_rows> capture(captured_statement const& user, std::string const& shard_key,
                                write_id id = write_id::make()) {
    outbox_context const context{.id = id, .first_ordinal = 1, .epoch = epoch{1}, .slot = slot};
    statement framed{.sql = capture_sql(user, table_, true),
                     .parameters = capture_parameters(context, {shard_key}, true)};
    BOOST_OUTCOME_TRY(auto const answer, source_->query(framed));
    return split_captured(answer, user, table_);
  }
  captured_row upserted(std::string const& id, std::string const& note) {
    captured_statement const user{.operation = operation::insert,
                                  .body = "INSERT INTO shop.orders VALUES (" + id + ", 42, '" + note +
                                          "', 1.50) ON CONFLICT (id) DO UPDATE SET note = excluded.note",
                                  .alias = "orders",
                                  .returning = "",
                                  .parameter_count = 0};
    return value_of(capture(user, "42")).changed.at(0);
  }
  apply_outcome apply(captured_row const& row, operation op = operation::insert,
                      write_id id = write_id::make()) {
    return value_of(
               parse_apply(value_of(shard_->query(apply_statement(id, {{&table_, op, &row, slot}}, 100ms)))))
        .at(0);
  }
  void applied_up_to(lsn position) {
    require(shard_->query(
        advance_statement(names::source_stream, {.applied = position, .marker = 0, .totals = {}})));
  }
  lsn source_now() { return *lsn::parse(one(*source_, "SELECT pg_current_wal_insert_lsn()")); }
  std::string note(std::string const& id) {
    auto const found = run(*shard_, "SELECT note FROM shop.orders WHERE id = " + id);
    return found.empty() ? "absent" : std::string(found.text(0, 0));
  }
  /// Rows with these ids, captured on the source one after the other.
  std::vector<captured_row> several(std::vector<std::string> const& ids) {
    std::vector<captured_row> rows;
    for (auto const& id : ids) {
      rows.push_back(upserted(id, "note " + id));
      rows.back().ordinal = static_cast<int>(rows.size());
    }
    return rows;
  }
  statement inserting(std::vector<captured_row> const& rows, std::chrono::milliseconds lock_timeout = 100ms) {
    std::vector<apply_change> changes;
    for (auto const& row : rows) changes.push_back({&table_, operation::insert, &row, slot});
    return apply_statement(write_id::make(), changes, lock_timeout);
  }
  void wait_for_lock() {
    while (one(*shard_, "SELECT count(*) FROM pg_locks WHERE NOT granted") == "0")
      std::this_thread::sleep_for(2ms);
  }
  table_state table_ = orders_table();
};

}  // namespace shardway_test
