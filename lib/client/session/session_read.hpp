// One read of a session: the node, what it must have, and who may answer.
#pragma once

#include <string_view>

#include "lib/client/session/session_state.hpp"
#include "shardway/read/read_options.hpp"

namespace shardway {
inline namespace v0 {

/// Errors: `client_session::read`.
result<read_answer> read_in_session(session_state& session, std::string_view table, shard_key const& key,
                                    statement what, read_options const& options);

}  // namespace v0
}  // namespace shardway
