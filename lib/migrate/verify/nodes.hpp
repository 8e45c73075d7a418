// The sessions of verification and the waiting for streams to pass.
#pragma once

#include <memory>
#include <vector>

#include "shardway/manifest/generation.hpp"
#include "shardway/migrate/nodes/engine_nodes.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::verify {

/// One session a node. Thread safety: not safe, but `ask_all` uses every session in a thread of its own.
class verify_nodes {
 public:
  static result<verify_nodes> open(engine_nodes const&);

  session& source() { return *source_; }
  session& shard(std::size_t i) { return *shards_[i]; }
  std::size_t shard_count() const noexcept { return shards_.size(); }

  /// The same question to every node at once: source first, then the shards. `question` is asked per node
  /// position (0 is the source).
  result<std::vector<rows>> ask_all(std::function<statement(std::size_t)> const& question);

  /// Waits until everything that is now in any node's WAL has been applied on the other side. True if it came
  /// to pass in time.
  result<bool> wait_for_streams(generation const&, std::chrono::milliseconds limit);

 private:
  std::unique_ptr<session> source_;
  std::vector<std::unique_ptr<session>> shards_;
};

}  // namespace migrate::verify
}  // namespace v0
}  // namespace shardway
