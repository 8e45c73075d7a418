// What a client and its sessions share, and the hosts through which the request path sees it.
#pragma once

#include <atomic>
#include <memory>

#include "generation_watch.hpp"
#include "node_pools.hpp"
#include "replica_watch.hpp"
#include "shardway/client/client.hpp"
#include "shardway/read/routed_read.hpp"
#include "shardway/read/session_token.hpp"
#include "shardway/write/dual_write.hpp"
#include "shardway/write/write_host.hpp"

namespace shardway {
inline namespace v0 {

struct client_state final : session_lender {
  explicit client_state(client_options given);
  ~client_state() override;

  result<lent_session> lend(node_index node, steady_time deadline) override;
  std::string name_of(node_index node) const override;
  connect_options address_of(node_index node) const;
  void close() noexcept;

  struct counters {
    std::atomic<std::uint64_t> writes{}, refusals{}, retries{}, in_doubt{}, reads_replica{}, reads_primary{};
  };
  client_options const options;
  node_pools pools;
  generation_watch generations;
  replica_watch replicas;
  secondary_writer secondary;
  counters counted;
  std::atomic<std::size_t> turn{};
  std::atomic<bool> closed{};
};

/// A session of the application: its token, and the write path's view of the client.
struct session_state final : write_host {
  explicit session_state(std::shared_ptr<client_state> with) : shared(std::move(with)) {}

  result<lent_session> lend(node_index node, steady_time deadline) override { return shared->lend(node, deadline); }
  std::string name_of(node_index node) const override { return shared->name_of(node); }
  result<write_target> locate(std::string_view table, shard_key const& key) override;
  result<bool> refresh(std::uint64_t seen, steady_time deadline) override { return shared->generations.refresh(seen, deadline); }
  commit_outcome resolve(commit_question const&) override;
  void refused(write_target const&, error const&) noexcept override;
  void committed(std::string const& node, connection_facts const&, lsn position) override;
  std::chrono::milliseconds stall_budget() const noexcept override { return shared->options.stall_budget; }

  /// Counts and tells of a write that ended.
  void finished(std::string_view table, steady_time begun, result<write_receipt> const& done) noexcept;

  std::shared_ptr<client_state> shared;
  session_token token;
};

/// One read of a session. Errors: `client_session::read`.
result<read_answer> read_in_session(session_state& in, std::string_view table, shard_key const& key, statement what,
    read_options const& options);

}  // namespace v0
}  // namespace shardway
