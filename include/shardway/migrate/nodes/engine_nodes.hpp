// What the engine connects to, and how much it may hold and do at once.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "shardway/pg/connect.hpp"

namespace shardway {
inline namespace v0 {

/// The nodes of one migration, each with the role the engine uses there.
struct engine_nodes {
  connect_options source;         ///< as the engine's role; needs REPLICATION
  connect_options source_mirror;  ///< as the mirror's role: it may set session_replication_role on the source
  std::vector<connect_options>
      shards;  ///< by shard_id, as the engine's role; it may set session_replication_role there
};

/// Bounds of the engine. Every one is > 0.
struct engine_limits {
  std::size_t batch_changes_max{
      1000};  ///< row changes in one transaction on a shard (one larger source transaction stays whole)
  std::chrono::milliseconds batch_wait{10};            ///< how long a batch that is not full waits for more
  std::size_t queue_bytes_max{std::size_t{64} << 20};  ///< per shard; a full queue holds the dispatcher back
  std::size_t transaction_bytes_max{std::size_t{512}
                                    << 20};  ///< a larger source transaction stops the stream with an error
  std::size_t deferred_bytes_max{
      std::size_t{512} << 20};     ///< changes kept for open chunks; past it the stream stops with an error
  std::int64_t chunk_rows{20000};  ///< rows a chunk of the copy is planned for
  unsigned copy_workers{2};        ///< chunks copied at a time
  std::chrono::milliseconds idle_progress{200};  ///< how often an idle shard's position is written
  std::chrono::milliseconds old_transactions_wait{
      60000};  ///< the copy waits that long for transactions older than itself (CP3)
  std::chrono::milliseconds retry_delay_max{2000};  ///< longest pause between tries to reach a node
  std::chrono::milliseconds parked_wait{
      30000};  ///< how long a change waits for another that it depends on before the stream stops
};

}  // namespace v0
}  // namespace shardway
