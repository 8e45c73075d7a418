// The frozen hash of canonical key bytes: XXH32 with seed 0, which plain SQL can compute too. No other header
// includes xxHash.
#pragma once

#include <cstdint>
#include <span>

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

namespace shardway {
inline namespace v0 {

inline std::uint32_t hash_of(std::span<std::byte const> bytes) noexcept {
  return XXH32(bytes.data(), bytes.size(), 0);
}

}  // namespace v0
}  // namespace shardway
