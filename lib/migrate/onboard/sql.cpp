#include "lib/migrate/onboard/sql.hpp"

#include <algorithm>
#include <random>

#include "lib/catalog/guarded.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

std::string_view const ours_cte =
    "WITH ours AS (SELECT DISTINCT coalesce(t.relid::oid, c.oid) AS oid, c.oid AS root FROM "
    "unnest($1::text[]) AS n (name)"
    " JOIN pg_class c ON c.oid = to_regclass(n.name) LEFT JOIN LATERAL pg_partition_tree(c.oid) t ON true)";

std::string table_array(std::vector<table_state> const& tables) {
  std::vector<std::string> names;
  for (auto const& table : tables) names.push_back(names::quoted_table(table.manifest.table));
  return text_array(names);
}

std::vector<std::string> column_of(rows const& found, std::size_t column) {
  std::vector<std::string> out;
  for (std::size_t row = 0; row < found.size(); ++row) out.emplace_back(found.text(row, column));
  return out;
}

bool contains(std::vector<std::string> const& values, std::string_view wanted) noexcept {
  return std::find(values.begin(), values.end(), wanted) != values.end();
}

std::string joined(std::vector<std::string> const& values, std::string_view separator) {
  std::string out;
  for (auto const& value : values) out += (out.empty() ? "" : std::string(separator)) + value;
  return out;
}

result<std::vector<std::string>> lock_holders(session& node, std::string const& relation) {
  BOOST_OUTCOME_TRY(
      auto const found,
      node.query(
          {"SELECT DISTINCT format('pid %s (%s, %s s)', a.pid, coalesce(nullif(a.application_name, ''),"
           " a.backend_type),"
           " extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.backend_start))::int)"
           " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.granted AND l.pid <> "
           "pg_backend_pid()"
           " AND l.locktype = 'relation' AND l.relation = to_regclass($1) UNION"
           " SELECT format('prepared transaction %s', p.gid) FROM pg_locks l JOIN pg_prepared_xacts p"
           " ON l.virtualtransaction = '-1/' || p.transaction WHERE l.locktype = 'relation' AND l.relation ="
           " to_regclass($1)",
           {relation}}));
  return column_of(found, 0);
}

result<> run_ddl(session& node, std::string const& sql, std::string const& relation,
                 onboard_options const& options) {
  auto const& clock = system_clock_source();
  auto const deadline = clock.now() + options.retry_budget;
  std::minstd_rand jitter{std::random_device{}()};
  for (;;) {
    auto const done = run_guarded_text(node, options.token, sql, options.lock_timeout);
    if (done) return success();
    if (done.error().sqlstate() != "55P03") return done.error().while_doing("changing " + relation);
    BOOST_OUTCOME_TRY(auto const holders, lock_holders(node, relation));
    if (clock.now() >= deadline)
      return error{error_code::deadline_exceeded,
                   "no lock on " + relation + " was had; held by " + joined(holders),
                   "end those sessions, or try again later"}
          .at_node(node.identity().name);
    clock.sleep_until(clock.now() + options.lock_timeout / 2 + std::chrono::milliseconds{jitter() % 100});
  }
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
