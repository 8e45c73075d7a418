// Every limit of the library, with its reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shardway {
inline namespace v0 {
namespace limits {

/// Slots of a group. Frozen: 12 bits of the key's hash.
inline constexpr std::uint32_t slot_count = 4096;

/// The largest epoch: 10 bits of a row version, which is a signed 64-bit number.
inline constexpr std::uint16_t epoch_max = 1023;

/// Bytes of an identifier. PostgreSQL cuts longer names, and two names could become the same.
inline constexpr std::size_t identifier_bytes_max = 63;

/// Columns of a composite shard key.
inline constexpr std::size_t shard_key_columns_max = 4;

/// Bytes of one text or bytea key.
inline constexpr std::size_t shard_key_bytes_max = 8192;

/// Advisory locks per table. One lock per key would exhaust the server's lock table.
inline constexpr std::uint32_t key_lock_count = 1024;

/// Bytes of a group's name, so that `fence_lock_<group>` fits an identifier.
inline constexpr std::size_t group_name_bytes_max = 40;

}  // namespace limits
}  // namespace v0
}  // namespace shardway
