// How far a replica has replayed, asked in a read's own batch.
#pragma once

#include <optional>

#include "shardway/read/session_token.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// Stands before the read in its batch: what the read sees is at least as new as this position (R3).
statement replay_position_statement();

/// The answer. Nothing: the node is not in recovery, as after a promotion (R2), or gave no position.
std::optional<token_position> parse_replay_position(rows const& answer, node_identity const& node);

}  // namespace v0
}  // namespace shardway
