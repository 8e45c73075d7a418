// The slot of a key, computed by the server: the SQL twin of route/slot.hpp, on every node.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace shardway {
inline namespace v0 {

/// Creates, in the existing schema `shardway`:
/// - `slot_of(value)` for smallint, integer, bigint, text, varchar, uuid, bytea (canonical bytes as they
/// are): integer, 0 to 4,095;
/// - `slot_of_parts(VARIADIC bytea[])` over `key_part(value)` of each column of a composite key;
/// - `key_bytes(value)`, the canonical bytes; `xxh32(bytea)`, the hash as a bigint.
/// The slot of NULL is NULL. `character(n)` is refused with an error. Functions are IMMUTABLE STRICT PARALLEL
/// SAFE, name everything they call with its schema, and may be used in index expressions. Idempotent.
/// Lifetime: the program's.
std::string_view slot_of_sql();

/// The call for a table's shard key: `shardway.slot_of("a")`, or `slot_of_parts(key_part(...), ...)` for
/// several columns. Preconditions: 1 to 4 columns, which the caller has quoted and qualified as needed.
std::string slot_of_call(std::span<std::string const> columns);

}  // namespace v0
}  // namespace shardway
