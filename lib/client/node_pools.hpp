// A pool a node, made when first used.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "shardway/client/client.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/pg/pool.hpp"
#include "shardway/store/lent_session.hpp"

namespace shardway {
inline namespace v0 {

/// Thread safety: shared use is safe.
class node_pools {
 public:
  explicit node_pools(client_options const& options) : options_(options) {}

  /// How to reach a node: the address given in the options by its name, else the generation's.
  connect_options address_of(node_definition const& node, bool is_source) const;
  /// Errors: those of `session_pool::lease`.
  result<lent_session> lend(connect_options const& address, steady_time deadline);
  /// Refuses further leases and closes idle sessions.
  void close() noexcept;

 private:
  struct entry {
    std::string conninfo;
    std::shared_ptr<session_pool> pool;
  };
  result<std::shared_ptr<session_pool>> pool_of(connect_options const& address);

  client_options const& options_;
  std::mutex mutex_;
  std::map<std::string, entry> pools_;
  bool closed_{};
};

}  // namespace v0
}  // namespace shardway
