// Progress of a stream and the token of the controller: the first and last statements of each transaction of
// the engine. Keeps I5.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shardway/protocol/stream_position.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// First statement of every transaction of the engine: raises the node's controller token to the given one or
/// fails with SW006 (`not_leader`), marks the transaction so that the stream of this node skips it, and sets
/// `shardway.writer`. On a shard the mark is a transactional logical message; on the source it is the
/// progress row itself, so there `advance_statement` comes next.
statement engine_statement(std::int64_t token, std::string_view writer);

/// The same without the mark, for a transaction that the stream of this node must read: a flip of the fence,
/// a marker.
statement engine_check_statement(std::int64_t token, std::string_view writer);

/// Appends the position of a stream. On the source this is the mark of a mirror's transaction: it precedes
/// the changes.
statement advance_statement(std::string_view stream, stream_position const&);
/// Deletes all but the newest rows of a stream. Run it now and then, outside the stream's transactions.
statement trim_progress_statement(std::string_view stream);
/// The newest position: applied_lsn, marker, then the totals.
statement read_progress_statement(std::string_view stream);
result<stream_position> parse_progress(rows const&);

/// Writes a marker row and returns its id in column 0.
statement marker_statement(std::string_view wave);

}  // namespace v0
}  // namespace shardway
