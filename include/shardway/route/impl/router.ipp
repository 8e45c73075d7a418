// Bodies of router.hpp.
#pragma once

#include <algorithm>
#include <cstring>
#include <utility>

#include "shardway/base/ensure.hpp"
#include "shardway/route/router.hpp"

namespace shardway {
inline namespace v0 {
namespace routing {

inline std::uint64_t eight_bytes(char const* bytes) noexcept {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

/// The hash of a table's name. It serves the index of one snapshot only; nothing stored depends on it. It
/// reads two words per step; the last words overlap.
inline std::uint64_t hash_of_name(std::string_view name) noexcept {
  constexpr std::uint64_t one = 0x9E3779B97F4A7C15ULL, other = 0xC2B2AE3D27D4EB4FULL;
  auto const mixed = [](std::uint64_t word) { return word ^ (word >> 31); };
  auto const* rest = name.data();
  auto left = name.size();
  std::uint64_t sum = left * one;
  for (; left > 16; rest += 16, left -= 16)
    sum = mixed((sum ^ eight_bytes(rest)) * one + eight_bytes(rest + 8) * other);
  if (left >= 8) {
    sum += mixed(eight_bytes(rest) * one) + eight_bytes(rest + left - 8) * other;
  } else {
    std::uint64_t word = 0;
    for (; left > 0; --left) word = word << 8 | static_cast<unsigned char>(rest[left - 1]);
    sum += mixed(word * one);
  }
  sum = mixed(sum) * one;
  return sum ^ (sum >> 32);
}

inline bool same_name(char const* a, char const* b, std::size_t size) noexcept {
  if (size < 8) return std::memcmp(a, b, size) == 0;
  for (std::size_t offset = 0; offset + 8 < size; offset += 8)
    if (eight_bytes(a + offset) != eight_bytes(b + offset)) return false;
  return eight_bytes(a + size - 8) == eight_bytes(b + size - 8);
}

inline error no_table(std::string_view table) {
  return error{error_code::unknown_table,
               "no manifest of the current generation names the table " + std::string{table},
               "write a manifest for it, or name it as \"schema.table\""};
}

/// The error for a value that the column cannot hold as it is (AP19). The value is not in the message.
inline error beyond_limits(table_routes const& table, shard_key const& key) {
  std::size_t column = 0;
  for (std::vector<key_limits> first; column + 1 < table.limits.size(); ++column) {
    first.push_back(table.limits[column]);
    if (!key.is_within(first)) break;
  }
  auto const name = column < table.columns.size() ? "column \"" + table.columns[column] + "\"" : "its column";
  auto const characters = table.limits[column].characters_max;
  return error{error_code::invalid_argument,
               "the shard key given for " + table.table + " is no value of " + name + ": " +
                   (characters != 0 ? "it has more than " + std::to_string(characters) + " characters"
                                    : "the number is outside the range of the column's type"),
               "give the value as the column holds it: PostgreSQL would cut a longer one in a cast, and the "
               "call would go to the node of another key"};
}

/// The error that says why the key does not fit this table.
inline error misfit(table_routes const& table, shard_key const& key) {
  if (table.reference)
    return error{error_code::shard_key_missing, table.table + " is a reference table: it has no shard key",
                 "give the key {}"};
  std::string columns;
  for (auto const& column : table.columns) columns.append(columns.empty() ? "" : ", ").append(column);
  if (key.empty())
    return error{error_code::shard_key_missing,
                 "no shard key was given for " + table.table +
                     (columns.empty() ? "" : ", which is routed by (" + columns + ")"),
                 "give its value. `read_by` and `execute_by` find the key through a lookup's column. "
                 "`read_all` asks every node, where the manifest's `reads.scatter` allows it"};
  bool same = key.columns() == table.shard_key.size();
  for (std::size_t i = 0; same && i < key.columns(); ++i) same = key.type_of(i) == table.shard_key[i];
  if (same) {
    auto const sound = key.check();
    return sound ? beyond_limits(table, key) : sound.error();
  }
  std::string wanted;
  for (auto const type : table.shard_key) wanted.append(wanted.empty() ? "" : ", ").append(name(type));
  return error{error_code::invalid_argument,
               "the shard key given for " + table.table + " has other columns or types than the table's",
               "give (" + wanted + ")" + (columns.empty() ? "" : " for (" + columns + ")")};
}

inline std::vector<node_index> nodes_of(routing_table const& owners) {
  std::vector<node_index> nodes;
  for (std::uint16_t slot = 0; slot < limits::slot_count; ++slot)
    if (auto const node = owners.owner_of(slot_id{slot}).node; nodes.empty() || nodes.back() != node)
      nodes.push_back(node);
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  return nodes;
}

}  // namespace routing

inline routing_snapshot::routing_snapshot(routing_data data) : data_(std::move(data)) {
  data_.groups.shrink_to_fit();
  for (auto const& group : data_.groups) nodes_of_group_.push_back(routing::nodes_of(group.owners));
  index_tables();
}

inline void routing_snapshot::index_tables() {
  std::size_t places = 4;
  while (places < 2 * data_.tables.size()) places *= 2;
  known_.resize(places);
  for (std::uint32_t index = 0; index < data_.tables.size(); ++index) {
    auto const& table = data_.tables[index];
    auto const hash = routing::hash_of_name(table.table);
    auto place = static_cast<std::size_t>(hash) & (places - 1);
    while (known_[place].name != nullptr) place = (place + 1) & (places - 1);
    auto& made = known_[place];
    made = {static_cast<std::uint32_t>(hash >> 32),
            static_cast<std::uint32_t>(table.table.size()),
            table.table.data(),
            index,
            table.group,
            0,
            false,
            {}};
    if (table.reference) continue;
    made.is_limited = std::any_of(table.limits.begin(), table.limits.end(),
                                  [](key_limits const& limits) { return limits != key_limits{}; });
    made.columns = static_cast<std::uint8_t>(table.shard_key.size());
    std::copy(table.shard_key.begin(), table.shard_key.end(), made.types.begin());
  }
}

inline routing_snapshot::known_table const* routing_snapshot::known(std::string_view table) const noexcept {
  auto const hash = routing::hash_of_name(table);
  auto const tag = static_cast<std::uint32_t>(hash >> 32);
  auto const mask = known_.size() - 1;
  for (auto place = static_cast<std::size_t>(hash) & mask;; place = (place + 1) & mask) {
    auto const& one = known_[place];
    if (one.name == nullptr) return nullptr;
    if (one.tag == tag && one.name_size == table.size() &&
        routing::same_name(one.name, table.data(), table.size()))
      return &one;
  }
}

inline result<std::shared_ptr<routing_snapshot const>> routing_snapshot::make(routing_data data) {
  auto const before = [](table_routes const& a, table_routes const& b) { return a.table < b.table; };
  std::sort(data.tables.begin(), data.tables.end(), before);
  auto const same = [](table_routes const& a, table_routes const& b) { return a.table == b.table; };
  auto const twice = std::adjacent_find(data.tables.begin(), data.tables.end(), same);
  if (twice != data.tables.end())
    return error{error_code::corrupt_data, "the routes name the table " + twice->table + " twice"};
  for (auto const& table : data.tables)
    if (table.group >= data.groups.size() || table.shard_key.size() > limits::shard_key_columns_max)
      return error{error_code::corrupt_data,
                   "the routes place the table " + table.table + " in a group that is not there"};
  return std::shared_ptr<routing_snapshot const>{new routing_snapshot{std::move(data)}};
}

inline table_routes const* routing_snapshot::find(std::string_view table) const noexcept {
  auto const* const found = known(table);
  return found != nullptr ? &data_.tables[found->index] : nullptr;
}

inline route routing_snapshot::of_group(std::uint16_t index, slot_id slot) const noexcept {
  auto const& group = data_.groups[index];
  auto const owner = group.owners.owner_of(slot);
  return {slot,
          owner.node,
          owner.epoch,
          data_.placed.shard_of(slot),
          group.dual_written && owner.node.is_source(),
          index};
}

inline route routing_snapshot::of_slot(table_routes const& table, slot_id slot) const noexcept {
  return of_group(table.group, slot);
}

// Out of line, so that the path of every call needs no stack for it.
[[gnu::cold, gnu::noinline]] inline error routing_snapshot::refusal(std::string_view table,
                                                                    shard_key const& key) const {
  auto const* const found = find(table);
  return found == nullptr ? routing::no_table(table) : routing::misfit(*found, key);
}

[[gnu::noinline]] inline bool routing_snapshot::is_beyond(known_table const& found,
                                                          shard_key const& key) const noexcept {
  return !key.is_within(data_.tables[found.index].limits);
}

inline result<route> routing_snapshot::by_key(std::string_view table, shard_key const& key) const {
  auto const* const found = known(table);
  if (found == nullptr || !key.fits({found->types.data(), found->columns})) [[unlikely]]
    return refusal(table, key);
  if (found->is_limited && is_beyond(*found, key)) [[unlikely]]
    return refusal(table, key);
  return of_group(found->group, slot_of(key));
}

inline result<std::span<node_index const>> routing_snapshot::scatter(std::string_view table) const {
  auto const* found = find(table);
  if (found == nullptr) return routing::no_table(table);
  return std::span<node_index const>{nodes_of_group_[found->group]};
}

inline router::router(std::shared_ptr<routing_snapshot const> first) : current_(std::move(first)) {
  ensure(current_.get() != nullptr, "a router starts with a snapshot");
}

inline bool router::publish(std::shared_ptr<routing_snapshot const> next) {
  ensure(next != nullptr, "a router is given a snapshot");
  return current_.publish(std::move(next), [](auto const& now, auto const& fresh) {
    return fresh->generation() >= now->generation();
  });
}

inline std::shared_ptr<routing_snapshot const> router::snapshot() const { return current_.get(); }

}  // namespace v0
}  // namespace shardway
