// Polls the positions of replicas and of the shards' streams, and keeps the primaries' positions over
// time for bounded staleness.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "lib/client/pools/identified_session.hpp"
#include "lib/client/watch/generation_watch.hpp"
#include "lib/read/read_host.hpp"
#include "lib/read/replica_choice.hpp"
#include "lib/read/replica_health.hpp"

namespace shardway {
inline namespace v0 {

/// Thread safety: shared use is safe.
class replica_watch {
 public:
  replica_watch(client_options const& options, node_pools& pools, generation_watch const& generations)
      : options_(options), pools_(pools), generations_(generations) {}
  ~replica_watch() { stop(); }
  void start();
  void stop() noexcept;

  /// The replicas of a node in the generation's order; unknown ones where nothing has been polled yet.
  std::vector<replica_view> replicas_of(node_definition const& primary) const;
  /// A shard's progress in the source's WAL; its position names no system. Polled only while the generation
  /// lets shards serve reads.
  replica_view shard(std::string const& name) const;
  /// The newest position of a node that has replicas, or of the source while shards serve reads. Nothing: not
  /// known.
  std::optional<token_position> newest_position(std::string const& primary) const;
  void wait_for_news(steady_time deadline);
  /// Records how a read of a replica or shard went.
  void record(std::string const& node, read_outcome outcome, std::chrono::nanoseconds took);
  /// A position that was the primary's newest at or after `oldest`. A replica that has reached it is no
  /// staler. Nothing: not known.
  std::optional<token_position> primary_position_since(std::string const& primary, steady_time oldest) const;

 private:
  struct polled_replica {
    std::unique_ptr<session> link;  ///< of the polling thread only
    steady_time retry{};
    replica_view seen{};      ///< under mutex_
    replica_health health{};  ///< under mutex_
  };
  struct sample {
    steady_time when{};
    token_position position{};
  };
  void work();
  void round(routing_view const&);
  using asked_position = result<token_position> (*)(session&);
  void poll(std::string const& key, connect_options const&, asked_position);
  void poll_primary(node_definition const&, bool is_source);
  void put(std::string const& key, replica_view, std::chrono::nanoseconds took);

  client_options const& options_;
  node_pools& pools_;
  generation_watch const& generations_;
  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::uint64_t rounds_{};
  bool stopping_{};
  std::map<std::string, polled_replica>
      replicas_;  ///< and shards, by name; entries are made by the polling thread under mutex_
  std::map<std::string, std::deque<sample>> samples_;
  std::thread thread_;
};

}  // namespace v0
}  // namespace shardway
