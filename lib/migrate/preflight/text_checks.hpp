// What is carried as text: encodings, the types of keys, and values that only the newer node can hold.
#pragma once

#include "lib/migrate/preflight/checks.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

/// The encoding of the node's database (finding `encoding`).
void check_encoding(context const&);

/// All tables of the source, in two queries: primary keys whose type has several texts (finding `key_type`)
/// or whose collation calls different texts equal (`key_collation`), and columns in which a shard of a newer
/// version could hold what the source cannot (`newer_values`).
void check_text(context const& source, int newest_shard_version);

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
