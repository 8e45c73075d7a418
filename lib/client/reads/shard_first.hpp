// Reads served by shards before writes move: where the manifest lets a share of the slots be read there.
#pragma once

#include <optional>

#include "lib/authority/host.hpp"
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

/// Tries the shard that the slot is placed on, within the read's wait budget; what was waited is taken from
/// it. Nothing: the source is to be read. Preconditions: `request` is a read that locks nothing, of
/// `read_your_writes`, `bounded_staleness` or `any_replica`; its need is of the source.
std::optional<read_answer> read_from_shard(shard_readers client, write_target const& target,
                                           read_request& request);

/// The same on a shard that the caller chose. Nothing as well: the need can't be compared, or the statement
/// names a table that does not follow.
std::optional<read_answer> ask_shard(shard_readers client, write_target const& target, read_request& request,
                                     shard_id shard);

/// A read of a reference table: a shard's copy or the source, in turn. Nothing: the source is to be read.
/// Preconditions: those of `read_from_shard`.
std::optional<read_answer> read_reference_copy(shard_readers client, write_target const& target,
                                               read_request& request);

/// The group's rows are on the shards and follow the source: dual writing, or sharded where this slot has not
/// moved.
bool is_read_ahead(write_target const& target) noexcept;
/// Does every table that the statement names follow the source on the shards? What else it names in a schema
/// of ours (a view, a function) does not; in other schemas it is a column, or an error on the shard.
bool all_tables_follow(std::string_view sql, write_target const& target);

}  // namespace v0
}  // namespace shardway
