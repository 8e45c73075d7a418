#include "lib/write/rows_by_node.hpp"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

namespace shardway {
inline namespace v0 {

std::vector<position_list> rows_by_node(std::span<std::size_t const> rows,
                                        std::span<call_target const> targets) {
  std::vector<position_list> parts;
  std::vector<node_index> nodes;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto const found = std::find(nodes.begin(), nodes.end(), targets[i].node);
    auto const part = static_cast<std::size_t>(found - nodes.begin());
    if (found == nodes.end()) {
      nodes.push_back(targets[i].node);
      parts.emplace_back();
    }
    parts[part].push_back(rows[i]);
  }
  return parts;
}

error crossing(std::string_view table, std::span<call_target const> targets) {
  std::vector<std::string> nodes;
  for (auto const& one : targets)
    if (std::find(nodes.begin(), nodes.end(), one.node_name) == nodes.end()) nodes.push_back(one.node_name);
  return error{
      error_code::cross_shard,
      absl::StrCat("one transaction on table ", std::string(table), " would change rows of several nodes (",
                   absl::StrJoin(nodes, ", "), "); nothing was written"),
      "write each node's rows in a transaction of their own, each with an operation id"};
}

}  // namespace v0
}  // namespace shardway
