// Every limit of the library, with its reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shardway {
inline namespace v0 {
namespace limits {

inline constexpr std::uint32_t slot_count = 4096;  ///< frozen: 12 bits of the key's hash
inline constexpr std::uint16_t epoch_max =
    1023;  ///< 10 bits of a row version, which is a signed 64-bit number
inline constexpr std::size_t identifier_bytes_max =
    63;  ///< PostgreSQL cuts longer names, and two could become one
inline constexpr std::size_t shard_key_columns_max = 4;   ///< of a composite shard key
inline constexpr std::size_t shard_key_bytes_max = 8192;  ///< of one text or bytea key
inline constexpr std::uint32_t key_lock_count =
    1024;  ///< advisory locks per table: one per key would exhaust the lock table
inline constexpr std::size_t group_name_bytes_max = 40;  ///< so that `fence_lock_<group>` fits an identifier

}  // namespace limits
}  // namespace v0
}  // namespace shardway
