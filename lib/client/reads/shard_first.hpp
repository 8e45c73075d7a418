// Reads that shards serve before writes move, for the share of the slots that the manifest allows.
#pragma once

#include <optional>

#include "lib/authority/call_target.hpp"
#include "lib/client/pools/node_pools.hpp"
#include "lib/client/watch/replica_watch.hpp"
#include "lib/read/routed_read.hpp"

namespace shardway {
inline namespace v0 {

/// What a read on a shard needs of the client. Lifetime: refers to what the client holds.
struct shard_readers {
  node_pools& pools;
  replica_watch& replicas;
};

/// Tries the shard that the slot is placed on, within the read's wait budget, and takes the time it
/// waited from that budget. Nothing: read the source. Preconditions: `request` is a read that locks nothing,
/// of `read_your_writes`, `bounded_staleness` or `any_replica`; its need is of the source.
std::optional<read_answer> read_from_shard(shard_readers client, call_target const& target,
                                           read_request& request);

/// The same on a shard that the caller chose. Nothing as well: the need can't be compared, or the statement
/// names a table that does not follow.
std::optional<read_answer> ask_shard(shard_readers client, call_target const& target, read_request& request,
                                     shard_id shard);

/// The group's rows are on the shards and follow the source: dual writing, or sharded where this slot has not
/// moved.
bool is_read_ahead(call_target const& target) noexcept;
/// Whether every table that the statement names follows the source on the shards. Other names in a schema
/// of ours (a view, a function) do not follow. A name in another schema is a column, or an error on the
/// shard.
bool all_tables_follow(std::string_view sql, call_target const& target);

}  // namespace v0
}  // namespace shardway
