// Ids for new rows, without a hot spot and never given twice, before, during and after a move.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "shardway/base/result.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {

class id_leaser;

/// Gives out the ids of one table, from blocks that this process has leased from the catalog.
///
/// @code
/// auto ids = client.ids("shop.orders");
/// auto id = ids.value().next();
/// @endcode
///
/// Once half of a block is used, the next one is leased in the background, so that a call does not wait.
/// While the catalog is down, ids last until the blocks are used up. Ids are unique. Within a process they
/// grow, with gaps; a process that ends loses the ids it has left.
///
/// Thread safety: shared use is safe. Copies and other sources of the same table share the blocks.
/// Lifetime: keeps what it needs of the client alive. After `client::close` it gives out what it has and then
/// fails with `cancelled`.
class id_source {
 public:
  /// The next id of a table whose manifest says LEASED.
  ///
  /// Errors: `invalid_argument` if the table's ids carry slots. If no block is left: `deadline_exceeded`,
  /// `cancelled`, or what leasing one returned (`node_unreachable`, `precondition_failed`, ...). Cost: a
  /// mutex; for the first block a round trip to the catalog.
  result<std::int64_t> next();

  /// The next id for a row with this shard key, of a table whose manifest says SLOT.
  ///
  /// Errors: as above, and `shard_key_missing`.
  result<std::int64_t> next(shard_key const& key);

 private:
  friend class client;
  id_source(std::shared_ptr<id_leaser> leaser, std::string table, std::uint32_t block, bool carries_slot,
            std::chrono::milliseconds wait)
      : leaser_(std::move(leaser)),
        table_(std::move(table)),
        block_(block),
        carries_slot_(carries_slot),
        wait_(wait) {}
  result<std::int64_t> take();
  std::shared_ptr<id_leaser> leaser_;
  std::string table_;
  std::uint32_t block_{};
  bool carries_slot_{};
  std::chrono::milliseconds wait_;
};

}  // namespace v0
}  // namespace shardway
