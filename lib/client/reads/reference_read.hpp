// Reads of reference tables, which have a copy on every shard.
#pragma once

#include <optional>

#include "lib/client/reads/shard_first.hpp"

namespace shardway {
inline namespace v0 {

/// Reads a reference table from a shard's copy or the source, in turn. Nothing: read the source.
/// Preconditions: those of `read_from_shard`.
std::optional<read_answer> read_reference_copy(shard_readers client, call_target const& target,
                                               read_request& request);

}  // namespace v0
}  // namespace shardway
