// The sessions of a verification, and waiting for the streams between them.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "shardway/manifest/generation.hpp"
#include "shardway/migrate/nodes/engine_nodes.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::verify {

/// One session for each node. Thread safety: not safe; `query_all` uses every session on a thread of its own.
class verify_nodes {
 public:
  static result<verify_nodes> open(engine_nodes const&);

  session& source() { return *source_; }
  session& shard(std::size_t i) { return *shards_[i]; }
  std::size_t shard_count() const noexcept { return shards_.size(); }

  /// Runs one statement on each node, on all at once. `statement_for` gets the node's position: 0 is the
  /// source, then the shards. The answers are in that order. Errors: of any node, after all have answered.
  result<std::vector<rows>> query_all(std::function<statement(std::size_t)> const& statement_for);

  /// Waits until the streams have applied everything that is in any node's WAL now. False if that takes
  /// longer than `limit`.
  result<bool> wait_for_streams(generation const&, std::chrono::milliseconds limit);

 private:
  std::unique_ptr<session> source_;
  std::vector<std::unique_ptr<session>> shards_;
};

}  // namespace migrate::verify
}  // namespace v0
}  // namespace shardway
