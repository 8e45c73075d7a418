// Logical decoding of one node.
#pragma once

#include <memory>

#include "lib/store/change_stream.hpp"
#include "shardway/base/result.hpp"
#include "shardway/pg/connect.hpp"

namespace shardway {
inline namespace v0 {

/// Connects with `replication=database` and starts logical decoding with pgoutput, protocol 1.
///
/// Errors: those of `connect`; `stream_broken` if the replication slot does not exist, is lost, or is already
/// past `start` (the server does not send the changes between again: a gap, S7); `precondition_failed` if the
/// replication slot is in use or has another plug-in, or if a publication does not exist.
result<std::unique_ptr<change_stream>> open_change_stream(connect_options const&,
                                                          change_stream_options const&);

}  // namespace v0
}  // namespace shardway
