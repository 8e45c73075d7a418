#include "lib/client/watch/pool_maintenance.hpp"

#include <set>

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds pause{1000};
constexpr milliseconds answer_within{2000};

void add(node_definition const& node, std::set<std::string>& names) {
  names.insert(node.name);
  for (auto const& replica : node.replicas) add(replica, names);
}

std::set<std::string> nodes_of(migration_manifest const& migration) {
  std::set<std::string> names;
  add(migration.source, names);
  for (auto const& shard : migration.shards) add(shard, names);
  return names;
}

}  // namespace

void pool_maintenance::start() {
  thread_ = std::thread([this] { work(); });
}

void pool_maintenance::stop() noexcept {
  {
    std::lock_guard const lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void pool_maintenance::work() {
  std::unique_lock lock{mutex_};
  while (!changed_.wait_for(lock, pause, [this] { return stopping_; })) {
    lock.unlock();
    if (auto const view = generations_.view())
      pools_.maintain(nodes_of(view->current.migration), system_clock_source().now() + answer_within);
    lock.lock();
  }
}

}  // namespace v0
}  // namespace shardway
