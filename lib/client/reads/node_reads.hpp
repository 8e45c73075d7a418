// How a read reaches one node: its primary and its replicas.
#pragma once

#include <string>
#include <vector>

#include "lib/client/pools/node_pools.hpp"
#include "lib/client/pools/routing_view.hpp"
#include "lib/client/watch/replica_watch.hpp"
#include "lib/read/read_host.hpp"

namespace shardway {
inline namespace v0 {

/// Thread safety: one thread at a time. Lifetime: what it was given outlives it.
class node_reads final : public read_host {
 public:
  /// `racer`: null where no read is raced.
  node_reads(node_pools& pools, replica_watch& replicas, read_racer* racer, routing_view const& view,
             node_index node)
      : pools_(pools), replicas_(replicas), racer_(racer), node_(view.node(node)), index_(node) {}

  result<lent_session> lend_primary(steady_time deadline) override {
    return pools_.lend(node_, index_.is_source(), deadline);
  }
  result<lent_session> lend_replica(std::size_t index, steady_time deadline) override {
    return pools_.lend(node_.replicas[index], false, deadline);
  }
  std::vector<replica_view> replicas() override { return replicas_.replicas_of(node_); }
  void wait_for_news(steady_time deadline) override { replicas_.wait_for_news(deadline); }
  std::string primary_name() const override { return node_.name; }
  std::string replica_name(std::size_t index) const override { return node_.replicas[index].name; }
  read_racer* racer() noexcept override { return racer_; }
  void record(std::size_t index, read_outcome outcome, std::chrono::nanoseconds took) noexcept override {
    replicas_.record(node_.replicas[index].name, outcome, took);
  }

 private:
  node_pools& pools_;
  replica_watch& replicas_;
  read_racer* racer_;
  node_definition const& node_;
  node_index index_;
};

}  // namespace v0
}  // namespace shardway
