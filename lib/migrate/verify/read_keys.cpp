#include "lib/migrate/verify/read_keys.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::verify {
namespace {

constexpr std::size_t key_column = 4;  // after slot, digest, hash and version

result<> add_rows(rows_by_key& rows_seen, rows const& answer, std::optional<shard_id> node,
                  std::size_t key_width) {
  for (std::size_t i = 0; i < answer.size(); ++i) {
    std::vector<std::string> key;
    for (std::size_t column = 0; column < key_width; ++column)
      key.emplace_back(answer.text(i, key_column + column));
    BOOST_OUTCOME_TRY(auto const slot, answer.integer(i, 0));
    auto& seen = rows_seen[key];
    seen.key = std::move(key);
    seen.digest = answer.text(i, 1);
    seen.seen.push_back({.node = node,
                         .slot = static_cast<int>(slot),
                         .hash = std::string(answer.text(i, 2)),
                         .version = std::string(answer.text(i, 3))});
  }
  return success();
}

}  // namespace

result<rows_by_key> gather_rows(std::vector<rows> const& answers, table_state const& table) {
  rows_by_key rows_seen;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    auto const node =
        i == 0 ? std::optional<shard_id>() : std::optional(shard_id{static_cast<std::uint16_t>(i - 1)});
    BOOST_OUTCOME_TRYV(add_rows(rows_seen, answers[i], node, table.manifest.key.size()));
  }
  return rows_seen;
}

result<rows_by_key> read_keys(verify_nodes& nodes, table_state const& table,
                              std::vector<std::vector<std::string>> const& keys, hash_seeds seeds) {
  BOOST_OUTCOME_TRY(auto const answers,
                    nodes.query_all([&](std::size_t) { return rows_by_key_statement(table, keys, seeds); }));
  BOOST_OUTCOME_TRY(auto rows_seen, gather_rows(answers, table));
  for (auto const& key : keys) rows_seen[key].key = key;
  return rows_seen;
}

}  // namespace migrate::verify
}  // namespace v0
}  // namespace shardway
