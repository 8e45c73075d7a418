#include "lib/client/reads/reference_read.hpp"

#include <algorithm>

#include "lib/sql/select_facts.hpp"

namespace shardway {
inline namespace v0 {
namespace {

bool is_copied(call_target const& target) noexcept {
  if (!target.table || !target.group || !target.node.is_source() ||
      target.table->manifest.kind != table_kind::reference)
    return false;
  auto const current = target.group->stage;
  return current == stage::replicating || current == stage::dual_writing || current == stage::sharded;
}

// A shard has a part of a sharded table: joined there, a reference table's rows would lose their partners.
bool names_sharded_table(std::string_view sql, generation const& current) {
  auto const facts = facts_of_select(sql);
  return std::any_of(facts.names.begin(), facts.names.end(), [&](std::string const& name) {
    auto const* table = current.find_table(name);
    return table != nullptr && table->manifest.kind == table_kind::sharded;
  });
}

}  // namespace

std::optional<read_answer> read_reference_copy(shard_readers client, call_target const& target,
                                               read_request& request) {
  if (!is_copied(target) || names_sharded_table(request.what.sql, *target.current)) return std::nullopt;
  auto const shards = target.current->migration.shards.size();
  auto const turn = request.turn % (shards + 1);
  if (turn == shards) return std::nullopt;
  return ask_shard(client, target, request, shard_id{static_cast<std::uint16_t>(turn)});
}

}  // namespace v0
}  // namespace shardway
