// One session pool for each node, made when first used.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "lib/pg/pool.hpp"
#include "lib/store/lent_session.hpp"
#include "shardway/client/client.hpp"
#include "shardway/manifest/generation.hpp"

namespace shardway {
inline namespace v0 {

/// Thread safety: shared use is safe.
class node_pools {
 public:
  /// `listener` learns once for each node of a weak durability setting; may be empty.
  node_pools(client_options const& options, std::shared_ptr<events> listener)
      : options_(options), listener_(std::move(listener)) {}

  /// How to reach a node: the address given in the options by its name, else the generation's.
  connect_options address_of(node_definition const& node, bool is_source) const;
  /// Errors: those of `session_pool::lease`.
  result<lent_session> lend(connect_options const& address, steady_time deadline);
  /// The same for a node of a generation. Cost: the address is built only if the generation's has changed
  /// since the last call.
  result<lent_session> lend(node_definition const& node, bool is_source, steady_time deadline);
  /// Checks and warms the pools of these nodes, and drops the pools of all others: their lent sessions
  /// are closed as they come back.
  void maintain(std::set<std::string> const& names, steady_time deadline);
  /// Refuses further leases and closes idle sessions.
  void close() noexcept;

 private:
  struct entry {
    std::string conninfo;
    std::shared_ptr<session_pool> pool;
    std::string defined;  ///< the generation's conninfo from which `conninfo` was made
  };
  result<std::shared_ptr<session_pool>> pool_of(connect_options const& address);
  result<std::shared_ptr<session_pool>> pool_of(node_definition const& node, bool is_source);
  static result<lent_session> lend_from(session_pool&, steady_time deadline);

  client_options const& options_;
  std::shared_ptr<events> const listener_;
  std::mutex mutex_;
  std::map<std::string, entry> pools_;
  bool closed_{};
};

}  // namespace v0
}  // namespace shardway
