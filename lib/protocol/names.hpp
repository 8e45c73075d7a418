// The names of all objects that shardway installs in each database. Defined once, for the request path and
// the engine.
#pragma once

#include <string>
#include <string_view>

#include "shardway/base/ids.hpp"

namespace shardway {
inline namespace v0 {
namespace names {

/// Schema of every object that shardway installs.
inline constexpr std::string_view schema = "shardway";
/// The setting that tells the write guard that the session belongs to the library. It is always
/// transaction-local. Values: client/GROUP, dual_write, stream, mirror, copy, repair.
inline constexpr std::string_view writer_setting = "shardway.writer";
/// The column that holds the row version on shards.
inline constexpr std::string_view version_column = "_shardway_version";
/// The stream name of the source in `stream_progress` on shards. The streams of shards are named by the
/// shard's node name, on the source.
inline constexpr std::string_view source_stream = "source";

/// A quoted identifier: doubled quotes, in quotes. Preconditions: valid UTF-8 without NUL (the manifest's
/// rules see to it).
std::string quoted(std::string_view identifier);
/// "schema.name" of a manifest as a quoted, qualified name.
std::string quoted_table(std::string_view schema_and_name);
/// A string literal that means the same whatever standard_conforming_strings is.
std::string literal(std::string_view text);

std::string fence(std::string_view group);       ///< shardway.fence_<group>, ready for SQL
std::string fence_lock(std::string_view group);  ///< shardway.fence_lock_<group>, ready for SQL
std::string apply_function(
    std::string_view schema_and_name);  ///< shardway."apply_<schema.name>", ready for SQL; a long name is cut
                                        ///< and ends in its digest
std::string key_change_function(
    std::string_view schema_and_name);  ///< shardway."key_change_<schema.name>", likewise
std::string lookup_table(std::string_view schema_and_name,
                         std::string_view lookup);  ///< shardway."lookup_<schema.name>.<lookup>", likewise
std::string capture_function(
    std::string_view schema_and_name);                ///< shardway."capture_<schema.name>", likewise
std::string publication(std::string_view migration);  ///< on each node: shardway_<migration>
std::string forward_replication_slot(
    std::string_view migration);  ///< on the source: shardway_<migration>_source
std::string reverse_replication_slot(
    std::string_view migration, std::string_view shard_node);  ///< on a shard: shardway_<migration>_<shard>

}  // namespace names
}  // namespace v0
}  // namespace shardway
