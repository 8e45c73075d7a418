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

/// Gives out the ids of one table from blocks that this process has leased from the catalog. The next block
/// is leased in the background once half of a block is used, so that a call does not wait; while the catalog
/// is down ids last until the blocks are used up. Ids of a process that ends are lost: they are unique and
/// grow within a process, and have gaps.
///
/// Thread safety: shared use is safe; copies and other sources of the same table share the blocks.
/// Lifetime: keeps what it needs of the client alive; after `client::close` it gives what it has and then
/// fails with `cancelled`.
class id_source {
 public:
  /// The next id of a table whose manifest says LEASED.
  /// Errors: `invalid_argument` (the table's ids carry slots) · where no block is left: what leasing one said
  /// (`node_unreachable`, `precondition_failed`, ...), `deadline_exceeded`, `cancelled`. Cost: a mutex; a
  /// round trip to the catalog for the first block.
  result<std::int64_t> next();
  /// The next id of a row with this shard key, of a table whose manifest says SLOT. Errors: as above;
  /// `shard_key_missing`.
  result<std::int64_t> next(shard_key const& key);

 private:
  friend class client;
  id_source(std::shared_ptr<id_leaser> from, std::string table, std::uint32_t block, bool carries_slot,
            std::chrono::milliseconds wait)
      : from_(std::move(from)),
        table_(std::move(table)),
        block_(block),
        carries_slot_(carries_slot),
        wait_(wait) {}
  result<std::int64_t> take();
  std::shared_ptr<id_leaser> from_;
  std::string table_;
  std::uint32_t block_{};
  bool carries_slot_{};
  std::chrono::milliseconds wait_;
};

}  // namespace v0
}  // namespace shardway
