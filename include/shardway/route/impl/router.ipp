// Bodies of router.hpp.
#pragma once

#include <algorithm>
#include <utility>

#include "shardway/base/ensure.hpp"
#include "shardway/route/router.hpp"

namespace shardway {
inline namespace v0 {
namespace routing {

inline error no_table(std::string_view table) {
  return error{error_code::unknown_table, "no manifest of the current generation names the table " + std::string{table},
               "write a manifest for it, or name it as \"schema.table\""};
}

inline result<void> fits(table_routes const& table, shard_key const& key) {
  if (table.reference || key.empty())
    return error{error_code::shard_key_missing,
                 table.reference ? table.table + " is a reference table: it has no shard key" : "no shard key was given for " + table.table};
  bool same = key.columns() == table.shard_key.size();
  for (std::size_t i = 0; same && i < key.columns(); ++i) same = key.type_of(i) == table.shard_key[i];
  if (!same) {
    std::string wanted;
    for (auto const type : table.shard_key) wanted.append(wanted.empty() ? "" : ", ").append(name(type));
    return error{error_code::invalid_argument, "the shard key given for " + table.table + " has other columns or types than the table's",
                 "give (" + wanted + ")"};
  }
  return key.check();
}

inline std::vector<node_index> nodes_of(routing_table const& owners) {
  std::vector<node_index> nodes;
  for (std::uint16_t slot = 0; slot < limits::slot_count; ++slot)
    if (auto const node = owners.owner_of(slot_id{slot}).node; nodes.empty() || nodes.back() != node) nodes.push_back(node);
  std::ranges::sort(nodes);
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  return nodes;
}

}  // namespace routing

inline routing_snapshot::routing_snapshot(routing_data data) : data_(std::move(data)) {
  for (auto const& group : data_.groups) nodes_of_group_.push_back(routing::nodes_of(group.owners));
}

inline result<std::shared_ptr<routing_snapshot const>> routing_snapshot::make(routing_data data) {
  std::ranges::sort(data.tables, {}, &table_routes::table);
  auto const twice = std::ranges::adjacent_find(data.tables, {}, &table_routes::table);
  if (twice != data.tables.end()) return error{error_code::corrupt_data, "the routes name the table " + twice->table + " twice"};
  for (auto const& table : data.tables)
    if (table.group >= data.groups.size())
      return error{error_code::corrupt_data, "the routes place the table " + table.table + " in a group that is not there"};
  return std::shared_ptr<routing_snapshot const>{new routing_snapshot{std::move(data)}};
}

inline table_routes const* routing_snapshot::find(std::string_view table) const noexcept {
  auto const less = [](table_routes const& a, std::string_view b) { return a.table < b; };
  auto const at = std::lower_bound(data_.tables.begin(), data_.tables.end(), table, less);
  return at != data_.tables.end() && at->table == table ? &*at : nullptr;
}

inline route routing_snapshot::of_slot(table_routes const& table, slot_id slot) const noexcept {
  auto const& group = data_.groups[table.group];
  auto const owner = group.owners.owner_of(slot);
  return {slot, owner.node, owner.at, data_.placed.shard_of(slot), group.dual_written && owner.node.is_source(), table.group};
}

inline result<route> routing_snapshot::by_key(std::string_view table, shard_key const& key) const {
  auto const* found = find(table);
  if (found == nullptr) return routing::no_table(table);
  BOOST_OUTCOME_TRYV(routing::fits(*found, key));
  return of_slot(*found, slot_of(key));
}

inline result<std::span<node_index const>> routing_snapshot::scatter(std::string_view table) const {
  auto const* found = find(table);
  if (found == nullptr) return routing::no_table(table);
  return std::span<node_index const>{nodes_of_group_[found->group]};
}

inline router::router(std::shared_ptr<routing_snapshot const> first) : current_(std::move(first)) {
  ensure(current_ != nullptr, "a router starts with a snapshot");
}

inline bool router::publish(std::shared_ptr<routing_snapshot const> next) {
  ensure(next != nullptr, "a router is given a snapshot");
  std::lock_guard const lock{mutex_};
  if (next->generation() < current_->generation()) return false;
  current_.swap(next);
  published_.fetch_add(1, std::memory_order_release);
  return true;
}

inline std::shared_ptr<routing_snapshot const> router::snapshot() const {
  std::lock_guard const lock{mutex_};
  return current_;
}

inline routing_snapshot const& router::reader::current() {
  auto const published = router_->published_.load(std::memory_order_acquire);
  if (published != seen_) {
    cached_ = router_->snapshot();
    seen_ = published;  // read before the pointer: at worst the next call fetches the same one again
  }
  return *cached_;
}

}  // namespace v0
}  // namespace shardway
