#include "lib/client/session/session_state.hpp"

#include "lib/client/session/commit_resolver.hpp"

namespace shardway {
inline namespace v0 {
namespace {

std::vector<text_value> key_texts(shard_key const& key) {
  std::vector<text_value> texts;
  for (std::size_t i = 0; i < key.columns(); ++i) texts.push_back(key.text_of(i));
  return texts;
}

// What stands for a table that no manifest names: it is the source's, whatever becomes of the groups.
group_state const outside_group{{}, stage::observing, {{all_slots, std::nullopt, epoch{}, {}}}};
table_state const outside_table{};

call_target on_source(std::shared_ptr<routing_view const> const& view) {
  call_target target;
  target.current = {view, &view->current};
  target.node_name = view->node(target.node).name;
  return target;
}

}  // namespace

result<call_target> session_state::locate(std::string_view table, shard_key const& key) {
  auto const& view = views.current();
  auto const* found = view->routes->find(table);
  auto target = on_source(view);
  if (!found && shared->options.observe_unknown_tables) {
    target.group = &outside_group;
    target.table = &outside_table;
    return target;
  }
  target.table = found ? view->table(*found) : nullptr;
  target.shard_key = key_texts(key);
  if (found && found->reference) {
    // One authority for the whole table: the source, under the fence of slot 0.
    auto const way = view->routes->of_slot(*found, slot_id{0});
    target.node = way.node;
    target.epoch = way.epoch;
    target.shard_key.clear();
  } else if (found && key.empty() && view->current.groups[found->group].stage == stage::observing) {
    target.shard_key.clear();  // not known yet: the source has all rows
  } else {
    BOOST_OUTCOME_TRY(auto const way, view->routes->by_key(table, key));
    target.slot = way.slot;
    target.node = way.node;
    target.epoch = way.epoch;
    target.placed = way.placed;
  }
  target.group = &view->current.groups[found->group];  // the snapshot's groups are in the generation's order
  target.node_name = view->node(target.node).name;
  return target;
}

commit_outcome session_state::resolve(commit_question const& question) {
  auto const until = system_clock_source().now() + shared->options.resolve_deadline;
  auto found = resolve_question(shared->address_of(question.node), question, until);
  if (found.kind == commit_outcome_kind::in_doubt) ++shared->counted.in_doubt;
  return found;
}

void session_state::refused(call_target const& target, error const& why) noexcept {
  ++shared->counted.refusals;
  auto const& options = shared->options;
  if (options.listener)
    options.listener->on_refusal(
        {target.group->name, target.node_name, target.slot, target.epoch, why.code()});
  if (options.meter) options.meter->count("shardway_refusals_total", target.group->name, 1);
}

void session_state::committed(std::string const& node, connection_facts const& facts, lsn position) {
  token.saw(node, {facts.system_identifier, facts.incarnation, position});
  token.saw_generation(shared->generations.number());
}

void session_state::uncaptured(call_target const& target, std::int64_t rows) noexcept {
  if (shared->options.listener)
    shared->options.listener->on_uncaptured(
        {target.table->manifest.table, target.group->name, target.node_name, rows});
}

void session_state::finished(std::string_view table, steady_time begun,
                             result<write_receipt> const& done) noexcept {
  auto const& options = shared->options;
  auto const took = system_clock_source().now() - begun;
  if (done) {
    ++shared->counted.writes;
    shared->counted.retries += done.value().retries;
  }
  if (options.meter) {
    options.meter->observe("shardway_write_seconds", table, std::chrono::duration<double>(took).count());
    if (done) options.meter->count("shardway_dual_writes_total", name(done.value().dual_write), 1);
  }
  if (!options.listener) return;
  write_event event;
  event.table = table;
  event.took = std::chrono::duration_cast<std::chrono::microseconds>(took);
  if (done) {
    auto const& receipt = done.value();
    event.node = receipt.node;
    event.slot = receipt.slot;
    event.epoch = receipt.epoch;
    event.outcome = name(receipt.outcome);
    event.dual_write = name(receipt.dual_write);
    event.retries = receipt.retries;
    event.stalled = receipt.stalled;
  } else {
    event.node = done.error().node();
    event.outcome = done.error().code() == error_code::in_doubt ? "in_doubt" : "rolled_back";
    event.dual_write = name(dual_write_state::none);
  }
  options.listener->on_write(event);
}

}  // namespace v0
}  // namespace shardway
