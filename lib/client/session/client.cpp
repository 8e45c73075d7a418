#include "shardway/client/client.hpp"

#include "lib/authority/unlisted_table.hpp"
#include "lib/client/session/session_state.hpp"
#include "shardway/route/slot_in_id.hpp"

namespace shardway {
inline namespace v0 {
namespace {

result<> check(client_options const& options) {
  using std::chrono::milliseconds;
  auto const bad = [](char const* what) {
    return error{error_code::invalid_argument, std::string("opening a client: ") + what};
  };
  if (options.source.conninfo.empty()) return bad("the source has no conninfo");
  if (options.connections_max == 0) return bad("connections_max must be above 0");
  if (options.connections_min > options.connections_max)
    return bad("connections_min must not be above connections_max");
  if (options.connect_timeout <= milliseconds{0}) return bad("connect_timeout must be above 0");
  if (options.generation_interval <= milliseconds{0}) return bad("generation_interval must be above 0");
  if (options.replica_interval <= milliseconds{0}) return bad("replica_interval must be above 0");
  if (options.stall_budget < milliseconds{0}) return bad("stall_budget may not be below 0");
  if (options.resolve_deadline <= milliseconds{0}) return bad("resolve_deadline must be above 0");
  if (options.read_threads_max == 0) return bad("read_threads_max must be above 0");
  if (options.queue_rows_max == 0) return bad("queue_rows_max must be above 0");
  if (options.report_interval <= milliseconds{0}) return bad("report_interval must be above 0");
  return success();
}

}  // namespace

client::client(std::shared_ptr<client_state> fresh) : state_(std::move(fresh)) {}
client::client(client&&) noexcept = default;
client& client::operator=(client&& other) noexcept {
  if (this != &other) {
    close();
    state_ = std::move(other.state_);
  }
  return *this;
}
client::~client() { close(); }

result<client> client::open(client_options options) {
  BOOST_OUTCOME_TRYV(check(options));
  auto made = std::make_shared<client_state>(std::move(options));
  if (made->options.observe)
    made->generations.report_with([seen = &made->observer] { return to_json(seen->report()); });
  BOOST_OUTCOME_TRYV(made->generations.start());
  made->replicas.start();
  made->maintenance.start();
  return client{std::move(made)};
}

client_session client::session() { return client_session{std::make_unique<session_state>(state_)}; }

std::uint64_t client::generation() const { return state_->generations.number(); }

result<route> client::route_of(std::string_view table, shard_key const& key) const {
  return state_->generations.view()->routes->by_key(table, key);
}

result<std::uint64_t> client::refresh() {
  auto const until = system_clock_source().now() + state_->options.stall_budget;
  BOOST_OUTCOME_TRYV(state_->generations.refresh(generation(), until));
  return generation();
}

client::counts client::totals() const {
  auto const& counted = state_->counted;
  auto const second = state_->dual_write.totals();
  return {.writes = counted.writes,
          .refusals = counted.refusals,
          .retries = counted.retries,
          .in_doubt = counted.in_doubt,
          .cross_shard = counted.cross_shard,
          .dual_writes_applied = second.applied,
          .dual_writes_pending = second.pending,
          .dual_writes_refused = second.refused,
          .reads_replica = counted.reads_replica,
          .reads_primary = counted.reads_primary,
          .reads_shard = counted.reads_shard,
          .hedges = state_->hedges.sent(),
          .hedges_won = state_->hedges.won()};
}

result<id_source> client::ids(std::string_view table) const {
  auto const view = state_->generations.view();
  auto const* found = view->current.find_table(table);
  if (!found) return unlisted_table(table, view->current);
  auto const& manifest = found->manifest;
  if (manifest.ids != id_strategy_kind::leased && manifest.ids != id_strategy_kind::slot)
    return error{error_code::invalid_argument, "the manifest of table " + std::string(table) +
                                                   " has another strategy of ids than LEASED or SLOT"};
  return id_source{state_->ids, std::string(table), manifest.id_block, manifest.ids == id_strategy_kind::slot,
                   state_->options.stall_budget};
}

result<route> client::route_of_id(std::string_view table, std::int64_t id) const {
  auto const view = state_->generations.view();
  auto const* found = view->current.find_table(table);
  auto const* routes = view->routes->find(table);
  if (!found || !routes) return unlisted_table(table, view->current);
  if (found->manifest.ids != id_strategy_kind::slot)
    return error{
        error_code::invalid_argument,
        "ids of table " + std::string(table) + " carry no slot: its manifest has another strategy than SLOT"};
  auto const slot = slot_in_id(id);
  if (!slot)
    return error{error_code::invalid_argument,
                 "an id of table " + std::string(table) + " carries no slot: it is below 4,096"};
  return view->routes->of_slot(*routes, *slot);
}

client_health client::health() const { return state_->generations.health(); }

std::map<std::string, client::shadow_counts> client::shadow_totals() const {
  return state_->shadows.totals();
}

call_report client::report() const { return state_->observer.report(); }

void client::close() noexcept {
  if (state_) state_->close();
}

}  // namespace v0
}  // namespace shardway
