// What a client and its sessions share, and the hosts through which the request path sees it.
#pragma once

#include <atomic>
#include <memory>

#include "lib/authority/host.hpp"
#include "lib/client/pools/node_pools.hpp"
#include "lib/client/reads/background.hpp"
#include "lib/client/reads/hedging.hpp"
#include "lib/client/reads/part_runner.hpp"
#include "lib/client/reads/shadow_reads.hpp"
#include "lib/client/session/call_observer.hpp"
#include "lib/client/watch/generation_watch.hpp"
#include "lib/client/watch/pool_maintenance.hpp"
#include "lib/client/watch/replica_watch.hpp"
#include "lib/read/routed_read.hpp"
#include "lib/write/dual_write.hpp"
#include "shardway/client/client.hpp"
#include "shardway/read/session_token.hpp"

namespace shardway {
inline namespace v0 {

struct client_state;
class id_leaser;
std::shared_ptr<id_leaser> make_id_leaser(client_state&);

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
  node_pools pools_aside;  ///< of the same nodes: for what is done beside an open transaction
  generation_watch generations;
  call_observer observer{generations};
  replica_watch replicas;
  dual_writer dual_write;
  shadow_reads shadows;
  hedging hedges;
  part_runner runner{options.read_threads_max};
  std::shared_ptr<id_leaser> ids{make_id_leaser(*this)};
  pool_maintenance maintenance{pools, generations};
  background callers{options.connections_max, options.async_queue_max};
  counters counted;
  std::atomic<std::size_t> turn{};
  std::atomic<bool> closed{};
};

/// A session of the application: its token, and the write path's view of the client.
struct session_state final : write_host {
  explicit session_state(std::shared_ptr<client_state> with) : shared(std::move(with)) {}

  result<lent_session> lend(node_index node, steady_time deadline) override {
    return shared->pools.lend(views.current()->node(node), node.is_source(), deadline);
  }
  std::string name_of(node_index node) const override { return shared->name_of(node); }
  result<lent_session> lend_aside(node_index node, steady_time deadline) override {
    return shared->lend_aside(node, deadline);
  }
  result<write_target> locate(std::string_view table, shard_key const& key) override;
  result<bool> refresh(std::uint64_t seen, steady_time deadline) override {
    return shared->generations.refresh(seen, deadline);
  }
  commit_outcome resolve(commit_question const&) override;
  void refused(write_target const&, error const&) noexcept override;
  void committed(std::string const& node, connection_facts const&, lsn position) override;
  void uncaptured(write_target const&, std::int64_t rows) noexcept override;
  void crosses_shards(write_target const&) noexcept override { ++shared->counted.cross_shard; }
  std::chrono::milliseconds stall_budget() const noexcept override { return shared->options.stall_budget; }

  void touches(std::string_view table, shard_key const* key, std::string_view sql,
               std::span<text_value const> parameters) override {
    if (shared->options.observe) shared->observer.statement(notes, table, key, sql, parameters);
  }
  void observed(call_kind kind, std::string_view table, shard_key const& key, std::string_view sql,
                call_site const& site) {
    if (shared->options.observe) shared->observer.call(kind, table, !key.empty(), sql, site);
  }

  /// Counts and tells of a write that ended.
  void finished(std::string_view table, steady_time begun, result<write_receipt> const& done) noexcept;

  std::shared_ptr<client_state> shared;
  view_reader views{shared->generations};
  session_token token;
  transaction_notes notes;  ///< of the `write` that runs
};

/// One read of a session. Errors: `client_session::read`.
result<read_answer> read_in_session(session_state& in, std::string_view table, shard_key const& key,
                                    statement what, read_options const& options);

}  // namespace v0
}  // namespace shardway
