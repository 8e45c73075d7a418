// What a client and its sessions share.
#pragma once

#include <atomic>
#include <memory>

#include "lib/authority/session_lender.hpp"
#include "lib/client/pools/node_pools.hpp"
#include "lib/client/reads/background.hpp"
#include "lib/client/reads/hedging.hpp"
#include "lib/client/reads/part_runner.hpp"
#include "lib/client/reads/shadow_reads.hpp"
#include "lib/client/session/call_observer.hpp"
#include "lib/client/watch/generation_watch.hpp"
#include "lib/client/watch/pool_maintenance.hpp"
#include "lib/client/watch/replica_watch.hpp"
#include "lib/write/dual_writer.hpp"
#include "shardway/client/client.hpp"

namespace shardway {
inline namespace v0 {

class id_leaser;

struct client_state final : session_lender {
  explicit client_state(client_options given);
  ~client_state() override;

  result<lent_session> lend(node_index node, steady_time deadline) override;
  std::string name_of(node_index node) const override;
  result<lent_session> lend_aside(node_index node, steady_time deadline) override;
  connect_options address_of(node_index node) const;
  void close() noexcept;

  struct counters {
    std::atomic<std::uint64_t> writes{}, refusals{}, retries{}, in_doubt{}, cross_shard{}, reads_replica{},
        reads_primary{}, reads_shard{};
  };
  client_options const options;
  node_pools pools;
  node_pools pools_aside;  ///< of the same nodes, for short transactions that run while another one is open
  generation_watch generations;
  call_observer observer{generations};
  replica_watch replicas;
  dual_writer dual_write;
  shadow_reads shadows;
  hedging hedges;
  part_runner runner{options.read_threads_max};
  std::shared_ptr<id_leaser> ids;
  pool_maintenance maintenance{pools, generations};
  background callers{options.connections_max, options.async_queue_max};
  counters counted;
  std::atomic<std::size_t> turn{};  ///< spreads reads over replicas
  std::atomic<bool> closed{};
};

}  // namespace v0
}  // namespace shardway
