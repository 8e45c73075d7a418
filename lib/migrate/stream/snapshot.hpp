// A snapshot for reading rows, and what it shows.
#pragma once

#include "lib/migrate/stream/chunk.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// Opens a REPEATABLE READ, READ ONLY transaction and tells which transactions it shows. The caller ends it.
/// Errors: `protocol_violation` if the server's text does not parse; those of the connection. Cost: one round
/// trip.
result<xid_snapshot> begin_snapshot(session&);

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
