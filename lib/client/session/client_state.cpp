#include "lib/client/session/client_state.hpp"

#include "lib/client/session/id_leaser.hpp"
#include "lib/protocol/id_block.hpp"

namespace shardway {
inline namespace v0 {
namespace {

// `client_state::close` stops it before the state goes.
std::shared_ptr<id_leaser> make_id_leaser(client_state& shared) {
  return std::make_shared<id_leaser>(
      [&shared](std::string const& table, std::uint32_t count) -> result<std::int64_t> {
        auto const until = system_clock_source().now() + shared.options.stall_budget;
        BOOST_OUTCOME_TRY(auto lent, shared.lend(source_node, until));
        BOOST_OUTCOME_TRY(auto const answer, lent.link->query(lease_ids_statement(table, count), until));
        return parse_lease(answer, table);
      });
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
      hedges(options.meter),
      ids(make_id_leaser(*this)) {}

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

}  // namespace v0
}  // namespace shardway
