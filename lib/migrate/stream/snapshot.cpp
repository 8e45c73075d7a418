#include "lib/migrate/stream/snapshot.hpp"

#include <array>

#include "lib/store/first_error.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

result<xid_snapshot> begin_snapshot(session& node) {
  std::array<statement, 2> const statements{
      statement{.sql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"},
      statement{.sql = "SELECT pg_catalog.pg_current_snapshot()::text"}};
  BOOST_OUTCOME_TRY(auto const answers, node.flush(statements));
  BOOST_OUTCOME_TRYV(first_error(answers));
  auto const snapshot = xid_snapshot::parse(answers[1].value().text(0, 0));
  if (!snapshot)
    return error{error_code::protocol_violation, "the server's snapshot does not parse"}.at_node(
        node.identity().name);
  return *snapshot;
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
