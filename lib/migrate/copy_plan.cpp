#include "lib/migrate/copy_job.hpp"
#include "shardway/migrate/copy.hpp"
#include "shardway/protocol/names.hpp"

namespace shardway {
inline namespace v0 {

result<> wait_for_old_transactions(session& node, steady_time deadline) {
  // An id of its own is above every other; a snapshot's xmax is not: it says nothing of a newer transaction that is still open.
  BOOST_OUTCOME_TRY(auto const first, node.query({.sql = "SELECT pg_catalog.pg_current_xact_id()::text"}, deadline));
  statement const ended{.sql = "SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::numeric >= $1::numeric",
                        .parameters = {std::string(first.text(0, 0))}};
  while (system_clock_source().now() < deadline) {
    BOOST_OUTCOME_TRY(auto const answer, node.query(ended));
    if (answer.boolean(0, 0)) return success();
    system_clock_source().sleep_until(system_clock_source().now() + std::chrono::milliseconds(20));
  }
  BOOST_OUTCOME_TRY(auto const open, node.query({.sql = "SELECT pg_catalog.string_agg('pid ' || a.pid || ' (' || a.application_name || ')', ', ') FROM pg_catalog.pg_stat_activity AS a "
                                                        "WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid() AND a.backend_xid::text::numeric < ($1::numeric % 4294967296)",
                                                 .parameters = {std::string(first.text(0, 0))}}));
  BOOST_OUTCOME_TRY(auto const prepared, node.query({.sql = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_xacts"}));
  return error{error_code::deadline_exceeded,
               "transactions older than the copy are still open: " + std::string(open.text(0, 0)) + "; prepared transactions: " + std::string(prepared.text(0, 0)),
               "end them, then start the copy again"}
      .at_node(node.identity().name);
}

namespace migrate {
namespace {

std::string leading(followed_table const& table) { return names::quoted(table.sent[table.key.front()].name); }

std::string bound(followed_table const& table, std::string const& value) { return names::literal(value) + "::" + table.sent[table.key.front()].type; }

// The first key value past `chunk_rows` rows from `lower`; nothing if fewer are left.
result<std::optional<std::string>> next_bound(session& source, followed_table const& table, std::optional<std::string> const& lower, std::int64_t chunk_rows) {
  auto const column = leading(table), name = names::quoted_table(table.name());
  auto const from = lower ? " WHERE " + column + " >= " + bound(table, *lower) : std::string{};
  BOOST_OUTCOME_TRY(auto const found, source.query({.sql = "SELECT " + column + " FROM " + name + from + " ORDER BY " + column + " OFFSET " + std::to_string(chunk_rows) + " LIMIT 1"}));
  if (found.empty()) return std::optional<std::string>{};
  if (!lower || found.text(0, 0) != *lower) return std::optional{std::string(found.text(0, 0))};
  // One value of the leading column alone fills the chunk: it ends where the next value begins.
  BOOST_OUTCOME_TRY(auto const next, source.query({.sql = "SELECT " + column + " FROM " + name + " WHERE " + column + " > " + bound(table, *lower) + " ORDER BY " + column + " LIMIT 1"}));
  if (next.empty()) return std::optional<std::string>{};
  return std::optional{std::string(next.text(0, 0))};
}

}  // namespace

result<std::vector<chunk_range>> plan_chunks(session& source, followed_table const& table, std::int64_t chunk_rows) {
  std::vector<chunk_range> chunks{{}};
  if (order_of(table) == key_order::whole) return chunks;
  for (;;) {
    BOOST_OUTCOME_TRY(auto next, next_bound(source, table, chunks.back().lower, chunk_rows));
    if (!next) return chunks;
    chunks.back().upper = next;
    chunks.push_back({.lower = std::move(next), .upper = {}});
  }
}

std::string range_condition(followed_table const& table, key_order order, chunk_range const& range) {
  std::string condition;
  if (order == key_order::whole) return condition;
  if (range.lower) condition += " WHERE " + leading(table) + " >= " + bound(table, *range.lower);
  if (range.upper) condition += (range.lower ? " AND " : " WHERE ") + leading(table) + " < " + bound(table, *range.upper);
  return condition;
}

void copy_gate::close() {
  std::scoped_lock const lock(mutex_);
  is_closed_ = true;
}

void copy_gate::open() {
  std::scoped_lock const lock(mutex_);
  is_closed_ = false;
}

bool copy_gate::is_closed() const {
  std::scoped_lock const lock(mutex_);
  return is_closed_;
}

}  // namespace migrate
}  // namespace v0
}  // namespace shardway
