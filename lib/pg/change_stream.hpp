// Logical decoding of one node.
#pragma once

#include <memory>

#include "lib/store/change_stream.hpp"
#include "shardway/base/result.hpp"
#include "shardway/pg/connect.hpp"

namespace shardway {
inline namespace v0 {

/// Connects with `replication=database` and starts logical decoding with pgoutput, protocol 1.
/// Errors: as `connect`; `stream_broken` if the replication slot is absent, lost, or already past `start`
/// (the changes between are not sent again: a gap, S7); `precondition_failed` if it is in use, of another
/// plug-in, or a publication is absent.
result<std::unique_ptr<change_stream>> open_change_stream(connect_options const&,
                                                          change_stream_options const&);

}  // namespace v0
}  // namespace shardway
