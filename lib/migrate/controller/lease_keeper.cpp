#include "lib/migrate/controller/lease_keeper.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "lib/migrate/controller/node_connections.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

result<std::int64_t> highest_token(std::vector<session*> const& nodes) {
  std::int64_t highest = 0;
  for (auto* node : nodes) {
    BOOST_OUTCOME_TRY(auto const token, read_token(*node));
    highest = std::max(highest, token);
  }
  return highest;
}

// Transactions of the older controller that hold the token's lock on this node. Those of the mirror's role
// end by their own timeout.
constexpr std::string_view end_older_sql =
    "SELECT pg_catalog.pg_terminate_backend(l.pid) FROM pg_catalog.pg_locks l JOIN "
    "pg_catalog.pg_stat_activity a ON a.pid = l.pid "
    "WHERE l.locktype = 'advisory' AND l.classid = 1936224359 AND l.objid = 1 AND l.objsubid = 2 AND "
    "l.granted AND l.mode = 'ShareLock' "
    "AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()) AND "
    "a.usename = current_user";

// A controller that hangs inside a transaction would hold us up for as long as it hangs. Its transactions are
// given a moment to end, then ended.
result<> raise_over_older(session& node, std::int64_t token, controller_options const& options) {
  auto const until = steady_now() + options.lease_wait + std::chrono::seconds{10};
  BOOST_OUTCOME_TRYV(node.simple("SET lock_timeout = '1s'"));
  auto raised = raise_token(node, token, options.holder);
  while (!raised && raised.error().sqlstate() == "55P03" && steady_now() < until) {
    BOOST_OUTCOME_TRYV(node.query({.sql = std::string(end_older_sql)}));
    raised = raise_token(node, token, options.holder);
  }
  if (!raised) return raised.error().while_doing("taking over from the older controller");
  BOOST_OUTCOME_TRYV(node.simple("RESET lock_timeout"));
  return success();
}

result<controller_lease> acquire_within(controller_options const& options, session& source,
                                        std::int64_t floor) {
  auto const until = steady_now() + options.lease_wait;
  for (;;) {
    auto lease = acquire_lease(source, options.holder, options.lease_duration, floor);
    if (lease || lease.error().code() != error_code::lease_held || steady_now() >= until) return lease;
    sleep_for(std::chrono::milliseconds{50});
  }
}

}  // namespace

result<std::unique_ptr<lease_keeper>> lease_keeper::take(controller_options const& options, session& source,
                                                         std::vector<session*> const& all) {
  BOOST_OUTCOME_TRY(auto const floor, highest_token(all));
  BOOST_OUTCOME_TRY(auto const lease, acquire_within(options, source, floor));
  std::unique_ptr<lease_keeper> keeper(new lease_keeper(options, lease.token));
  // From here on the older controller's transactions are refused on every node, and those open have ended
  // (X2).
  for (auto* node : all) {
    BOOST_OUTCOME_TRYV(raise_over_older(*node, lease.token, options));
  }
  return keeper;
}

lease_keeper::lease_keeper(controller_options const& options, std::int64_t token)
    : options_(&options),
      token_(token),
      thread_([this](std::stop_token stop) { renew_until_stopped(stop); }) {}

lease_keeper::~lease_keeper() = default;

void lease_keeper::renew_until_stopped(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_ptr<session> source;
  auto const every = options_->lease_duration / 4;
  while (!stop.stop_requested() && !lost_) {
    if (!source || source->is_broken()) {
      auto connected =
          connect(options_for(options_->migration.source, options_->migration.engine_role, *options_));
      if (connected) source = std::move(connected.value());
    }
    if (source) {
      auto const renewed = renew_lease(*source, token_, options_->lease_duration);
      if (!renewed && renewed.error().code() == error_code::not_leader) lost_ = true;
    }
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, every, [] { return false; });
  }
  if (source && !lost_ && !source->is_broken()) (void)release_lease(*source, token_);
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
