#include "lib/migrate/lease_keeper.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "lib/migrate/node_connections.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::steady_clock;

result<std::int64_t> highest_token(std::vector<session*> const& nodes) {
  std::int64_t highest = 0;
  for (auto* node : nodes) {
    BOOST_OUTCOME_TRY(auto const token, read_token(*node));
    highest = std::max(highest, token);
  }
  return highest;
}

result<controller_lease> acquire_within(controller_options const& options, session& source, std::int64_t floor) {
  auto const until = steady_clock::now() + options.lease_wait;
  for (;;) {
    auto lease = acquire_lease(source, options.holder, options.lease_duration, floor);
    if (lease || lease.error().code() != error_code::lease_held || steady_clock::now() >= until) return lease;
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
}

}  // namespace

result<std::unique_ptr<lease_keeper>> lease_keeper::take(controller_options const& options, session& source, std::vector<session*> const& all) {
  BOOST_OUTCOME_TRY(auto const floor, highest_token(all));
  BOOST_OUTCOME_TRY(auto const lease, acquire_within(options, source, floor));
  std::unique_ptr<lease_keeper> keeper(new lease_keeper(options, lease.token));
  // From here on the older controller's transactions are refused on every node, and those open have ended (X2).
  for (auto* node : all) {
    BOOST_OUTCOME_TRYV(raise_token(*node, lease.token, options.holder));
  }
  return keeper;
}

lease_keeper::lease_keeper(controller_options const& options, std::int64_t token)
    : options_(&options), token_(token), thread_([this](std::stop_token stop) { renew_until_stopped(stop); }) {}

lease_keeper::~lease_keeper() = default;

void lease_keeper::renew_until_stopped(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_ptr<session> source;
  auto const every = options_->lease_duration / 4;
  while (!stop.stop_requested() && !lost_) {
    if (!source || source->is_broken()) {
      auto connected = connect(options_for(options_->migration.source, options_->migration.engine_role, *options_));
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

}  // namespace v0
}  // namespace shardway
