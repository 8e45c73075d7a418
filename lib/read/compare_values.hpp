// Values in PostgreSQL's order.
#pragma once

#include <cstdint>
#include <string_view>

namespace shardway {
inline namespace v0 {

/// Compares two values by their texts, in the order of their type: below 0, 0 or above 0, as PostgreSQL
/// would. Preconditions: the type is one that `merge_place_of` compares here.
int compare_values(std::uint32_t type_oid, std::string_view a, std::string_view b) noexcept;

}  // namespace v0
}  // namespace shardway
