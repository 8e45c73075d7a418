// The rows of a batch, grouped by the node that has authority for them.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "lib/authority/call_target.hpp"

namespace shardway {
inline namespace v0 {

using position_list = std::vector<std::size_t>;

/// The positions grouped by node, nodes in the order of their first row. `targets[i]` belongs to `rows[i]`.
/// Pure.
std::vector<position_list> rows_by_node(std::span<std::size_t const> rows,
                                        std::span<call_target const> targets);

/// The error for one transaction over several nodes. It names the table and the nodes, never a key (W19).
/// Pure.
error crossing(std::string_view table, std::span<call_target const> targets);

}  // namespace v0
}  // namespace shardway
