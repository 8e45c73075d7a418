// What a read of a session needs of a replica. Keeps I8.
#pragma once

#include <string>

#include "lib/authority/call_target.hpp"
#include "lib/client/watch/replica_watch.hpp"
#include "lib/read/replica_choice.hpp"
#include "shardway/read/read_options.hpp"
#include "shardway/read/session_token.hpp"

namespace shardway {
inline namespace v0 {

/// By what the token says of the node and how stale the read may be.
read_need need_of_node(session_token const& token, replica_watch const& replicas, std::string const& node,
                       read_options const& options);

/// The same, and the position where the authority of the target's slot was opened: a token of an older
/// authority says nothing of this node.
read_need need_of(session_token const& token, replica_watch const& replicas, call_target const& target,
                  read_options const& options);

}  // namespace v0
}  // namespace shardway
