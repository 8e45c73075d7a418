// The rows of a batch by node, and one transaction a node.
#pragma once

#include <span>

#include "lib/authority/host.hpp"
#include "lib/write/dual_write.hpp"
#include "shardway/write/batch.hpp"

namespace shardway {
inline namespace v0 {

/// Positions of rows that go to one node, in the order of first mention. Pure.
std::vector<std::vector<std::size_t>> rows_by_node(std::span<std::size_t const> rows,
                                                   std::span<write_target const> targets);

/// The refusal of a transaction over several nodes: names table and nodes, no key. Pure.
error crossing(std::string_view table, std::span<write_target const> targets);

}  // namespace v0
}  // namespace shardway
