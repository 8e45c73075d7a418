#include "lib/read/replay_position.hpp"

namespace shardway {
inline namespace v0 {

statement replay_position_statement() {
  return {.sql =
              "SELECT pg_catalog.pg_last_wal_replay_lsn(), pg_catalog.pg_is_in_recovery(), "
              "(SELECT coalesce(max(incarnation), 0) FROM shardway.incarnation)",
          .name = "shardway_replay"};
}

std::optional<token_position> parse_replay_position(rows const& answer, node_identity const& node) {
  if (answer.size() != 1 || !answer.boolean(0, 1)) return std::nullopt;
  auto const position = lsn::parse(answer.text(0, 0));
  auto const incarnation = answer.integer(0, 2);
  if (!position || !incarnation) return std::nullopt;
  return token_position{node.system_identifier, static_cast<std::int32_t>(incarnation.value()), *position};
}

}  // namespace v0
}  // namespace shardway
