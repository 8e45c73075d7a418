// A controller that hangs still reads its replication slots. The controller that has the lease ends those
// connections.
#pragma once

#include <cstdint>
#include <string>

#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::nodes {

/// Ends the connection that still streams from this replication slot, if the token is the node's newest.
/// Always an error: the caller tries again. Errors: `node_unreachable` (the reader was ended), `not_leader`;
/// those of the connection.
error end_other_reader(session& node, std::string const& replication_slot, std::int64_t token);

}  // namespace migrate::nodes
}  // namespace v0
}  // namespace shardway
