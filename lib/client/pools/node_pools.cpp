#include "lib/client/pools/node_pools.hpp"

#include <atomic>

#include "lib/client/pools/identified_session.hpp"

namespace shardway {
inline namespace v0 {
namespace {

// A lease and the session it lends, so that one pointer keeps both.
struct held_lease {
  explicit held_lease(session_lease taken) : lease(std::move(taken)) {}
  session_lease lease;
};

}  // namespace

connect_options node_pools::address_of(node_definition const& node, bool is_source) const {
  for (auto const& given : options_.nodes)
    if (given.node == node.name) {
      auto address = given;
      address.application_name = options_.application;
      return address;
    }
  connect_options address;
  if (is_source)
    address = options_.source;
  else
    address.password_provider = options_.source.password_provider;
  address.path = options_.source.path;
  if (!is_source) address.conninfo = node.conninfo;
  if (!is_source) address.connect_timeout = options_.connect_timeout;
  address.node = node.name;
  address.application_name = options_.application;
  return address;
}

result<std::shared_ptr<session_pool>> node_pools::pool_of(connect_options const& address) {
  std::lock_guard const lock{mutex_};
  if (closed_) return error{error_code::cancelled, "the client is closed"}.at_node(address.node);
  auto& found = pools_[address.node];
  if (found.pool && found.conninfo == address.conninfo) return found.pool;
  pool_options wanted{.node = address,
                      .sessions_max = options_.connections_max,
                      .sessions_min = options_.connections_min,
                      .open = [listener = listener_, is_reported = std::make_shared<std::atomic<bool>>()](
                                  connect_options const& where) {
                        return connect_identified(where, listener.get(), is_reported.get());
                      }};
  BOOST_OUTCOME_TRY(auto made, session_pool::make(std::move(wanted)));
  found = {address.conninfo, std::make_shared<session_pool>(std::move(made)), {}};
  return found.pool;
}

result<std::shared_ptr<session_pool>> node_pools::pool_of(node_definition const& node, bool is_source) {
  {
    std::lock_guard const lock{mutex_};
    auto const found = closed_ ? pools_.end() : pools_.find(node.name);
    if (found != pools_.end() && found->second.pool && found->second.defined == node.conninfo)
      return found->second.pool;
  }
  auto const address = address_of(node, is_source);
  BOOST_OUTCOME_TRY(auto pool, pool_of(address));
  std::lock_guard const lock{mutex_};
  auto const found = pools_.find(address.node);
  if (found != pools_.end() && found->second.pool == pool) found->second.defined = node.conninfo;
  return pool;
}

result<lent_session> node_pools::lend(connect_options const& address, steady_time deadline) {
  BOOST_OUTCOME_TRY(auto pool, pool_of(address));
  return lend_from(*pool, deadline);
}

result<lent_session> node_pools::lend(node_definition const& node, bool is_source, steady_time deadline) {
  BOOST_OUTCOME_TRY(auto pool, pool_of(node, is_source));
  return lend_from(*pool, deadline);
}

result<lent_session> node_pools::lend_from(session_pool& pool, steady_time deadline) {
  BOOST_OUTCOME_TRY(auto lease, pool.lease(deadline));
  auto held = std::make_shared<held_lease>(std::move(lease));
  auto* const link = &*held->lease;
  return lent_session{.link = std::shared_ptr<session>{std::move(held), link},
                      .facts = &static_cast<identified_session*>(link)->facts()};
}

void node_pools::maintain(std::set<std::string> const& names, steady_time deadline) {
  std::vector<std::shared_ptr<session_pool>> kept;
  {
    std::lock_guard const lock{mutex_};
    if (closed_) return;
    std::erase_if(pools_, [&](auto const& one) { return !names.contains(one.first); });
    for (auto const& [name, one] : pools_) kept.push_back(one.pool);
  }
  // The next lease reports what could not be opened.
  for (auto const& pool : kept) (void)pool->maintain(deadline);
}

void node_pools::close() noexcept {
  std::lock_guard const lock{mutex_};
  closed_ = true;
  for (auto& [name, one] : pools_) (void)one.pool->drain(system_clock_source().now());
}

}  // namespace v0
}  // namespace shardway
