#include "lib/client/session/client_state.hpp"

#include "lib/client/session/commit_resolver.hpp"
#include "lib/client/session/id_leaser.hpp"

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

write_target on_source(std::shared_ptr<routing_view const> const& view) {
  write_target target;
  target.current = {view, &view->current};
  target.node_name = view->node(target.node).name;
  return target;
}

}  // namespace

client_state::client_state(client_options given)
    : options(std::move(given)),
      pools(options, options.listener),
      pools_aside(options, nullptr),
      generations(options, pools),
      replicas(options, pools, generations),
      dual_write(*this, options.listener.get(), options.queue_rows_max),
      shadows(options),
      hedges(options.meter) {}

client_state::~client_state() { close(); }

void client_state::close() noexcept {
  if (closed.exchange(true)) return;
  callers.stop();
  maintenance.stop();
  ids->stop();
  replicas.stop();
  shadows.stop();
  hedges.stop();
  dual_write.stop();
  runner.stop();
  generations.stop();
  pools.close();
  pools_aside.close();
}

connect_options client_state::address_of(node_index node) const {
  auto const view = generations.view();
  return pools.address_of(view->node(node), node.is_source());
}

result<lent_session> client_state::lend(node_index node, steady_time deadline) {
  auto const view = generations.view();
  return pools.lend(view->node(node), node.is_source(), deadline);
}

result<lent_session> client_state::lend_aside(node_index node, steady_time deadline) {
  return pools_aside.lend(address_of(node), deadline);
}

std::string client_state::name_of(node_index node) const { return generations.view()->node(node).name; }

result<write_target> session_state::locate(std::string_view table, shard_key const& key) {
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

void session_state::refused(write_target const& at, error const& why) noexcept {
  ++shared->counted.refusals;
  auto const& options = shared->options;
  if (options.listener)
    options.listener->on_refusal({at.group->name, at.node_name, at.slot, at.epoch, why.code()});
  if (options.meter) options.meter->count("shardway_refusals_total", at.group->name, 1);
}

void session_state::committed(std::string const& node, connection_facts const& facts, lsn position) {
  token.saw(node, {facts.system_identifier, facts.incarnation, position});
  token.saw_generation(shared->generations.number());
}

void session_state::uncaptured(write_target const& at, std::int64_t rows) noexcept {
  if (shared->options.listener)
    shared->options.listener->on_uncaptured({at.table->manifest.table, at.group->name, at.node_name, rows});
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
  write_event told;
  told.table = table;
  told.took = std::chrono::duration_cast<std::chrono::microseconds>(took);
  if (done) {
    auto const& receipt = done.value();
    told.node = receipt.node;
    told.slot = receipt.slot;
    told.epoch = receipt.epoch;
    told.outcome = name(receipt.outcome);
    told.dual_write = name(receipt.dual_write);
    told.retries = receipt.retries;
    told.stalled = receipt.stalled;
  } else {
    told.node = done.error().node();
    told.outcome = done.error().code() == error_code::in_doubt ? "in_doubt" : "rolled_back";
    told.dual_write = name(dual_write_state::none);
  }
  options.listener->on_write(told);
}

}  // namespace v0
}  // namespace shardway
