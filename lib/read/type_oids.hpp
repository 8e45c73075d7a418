// The OIDs of built-in types: the same on every server.
#pragma once

#include <cstdint>

namespace shardway {
inline namespace v0 {
namespace oids {

inline constexpr std::uint32_t boolean = 16, bytea = 17, name = 19, int8 = 20, int2 = 21, int4 = 23,
                               text = 25, float4 = 700, float8 = 701, bpchar = 1042, varchar = 1043,
                               date = 1082, timestamp = 1114, timestamptz = 1184, interval = 1186,
                               numeric = 1700, uuid = 2950;

/// Types that users create have OIDs from here on, which differ from server to server.
inline constexpr std::uint32_t first_of_users = 16384;

constexpr bool is_text(std::uint32_t type) noexcept {
  return type == text || type == varchar || type == bpchar || type == name;
}
constexpr bool is_exact_number(std::uint32_t type) noexcept {
  return type == int2 || type == int4 || type == int8 || type == numeric;
}
constexpr bool is_compared_here(std::uint32_t type) noexcept {
  return is_exact_number(type) || type == float4 || type == float8 || type == boolean || type == uuid ||
         type == bytea || type == date || type == timestamp || type == timestamptz;
}

}  // namespace oids
}  // namespace v0
}  // namespace shardway
