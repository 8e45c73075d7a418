#include "lib/client/reads/shard_first.hpp"

#include <algorithm>

#include "lib/read/shard_read.hpp"
#include "lib/sql/select_facts.hpp"

namespace shardway {
inline namespace v0 {
namespace {

steady_time now() { return system_clock_source().now(); }

class placed_shard final : public shard_host {
 public:
  placed_shard(shard_readers client, node_definition const& node) : client_(client), node_(node) {}

  result<lent_session> lend(steady_time deadline) override {
    return client_.pools.lend(client_.pools.address_of(node_, false), deadline);
  }
  shard_view view() override {
    auto const seen = client_.replicas.shard(node_.name);
    return {.known = seen.known, .avoided = seen.avoided, .applied = seen.position.position};
  }
  void wait_for_news(steady_time deadline) override { client_.replicas.wait_for_news(deadline); }
  std::string name() const override { return node_.name; }
  void record(read_outcome outcome, std::chrono::nanoseconds took) noexcept override {
    client_.replicas.record(node_.name, outcome, took);
  }

 private:
  shard_readers client_;
  node_definition const& node_;
};

// The need's system and incarnation are the source's as it is now: then its position and the stream's are of
// one history.
bool can_be_compared(shard_readers client, call_target const& target, read_need const& need) {
  if (need.cannot_be_judged) return false;
  if (!need.position) return true;
  auto const newest = client.replicas.newest_position(target.node_name);
  return newest && newest->system_identifier == need.position->system_identifier &&
         newest->incarnation == need.position->incarnation;
}

bool follows(table_state const& other, call_target const& target) {
  if (other.manifest.group == target.group->name) return true;
  auto const* group = target.current->find_group(other.manifest.group);
  return other.manifest.kind == table_kind::reference && group && group->stage >= stage::replicating;
}

}  // namespace

bool is_read_ahead(call_target const& target) noexcept {
  return target.table && target.group && target.node.is_source() &&
         target.table->manifest.kind == table_kind::sharded &&
         (target.group->stage == stage::dual_writing || target.group->stage == stage::sharded);
}

bool all_tables_follow(std::string_view sql, call_target const& target) {
  auto const facts = facts_of_select(sql);
  auto const& tables = target.current->tables;
  return std::all_of(facts.names.begin(), facts.names.end(), [&](std::string const& name) {
    if (auto const* table = target.current->find_table(name)) return follows(*table, target);
    // A view or function beside our tables may read what the shards don't have.
    auto const schema = name.substr(0, name.find('.') + 1);
    return std::none_of(tables.begin(), tables.end(),
                        [&](table_state const& table) { return table.manifest.table.starts_with(schema); });
  });
}

std::optional<read_answer> read_from_shard(shard_readers client, call_target const& target,
                                           read_request& request) {
  auto const percent = target.table ? target.table->manifest.reads.from_shards_percent : 0U;
  if (percent == 0 || !is_read_ahead(target) || !served_by_shard(target.slot, percent)) return std::nullopt;
  return ask_shard(client, target, request, target.placed);
}

std::optional<read_answer> ask_shard(shard_readers client, call_target const& target, read_request& request,
                                     shard_id shard) {
  if (!can_be_compared(client, target, request.need) || !all_tables_follow(request.what.sql, target))
    return std::nullopt;
  auto const begun = now();
  placed_shard host{client, target.current->migration.shards[shard.value()]};
  auto answer =
      read_on_shard(host, {.what = request.what,
                           .need = request.need,
                           .group = target.group->name,
                           .slot = target.slot,
                           .expected = target.epoch,
                           .generation = target.current->number,
                           .wait_end = std::min(request.deadline, begun + request.options.wait_budget),
                           .deadline = request.deadline});
  auto const waited = std::chrono::ceil<std::chrono::milliseconds>(now() - begun);
  request.options.wait_budget = std::max(std::chrono::milliseconds{0}, request.options.wait_budget - waited);
  return answer;
}

}  // namespace v0
}  // namespace shardway
