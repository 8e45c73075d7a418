// Four shards and a source with the same orders on both sides, and waves by hand over any slot range: for
// reads that several nodes answer.
#pragma once

#include <array>
#include <cstdlib>

#include "client_fleet.hpp"

namespace shardway_test {

/// Every order is on the source and on the shard of its slot, as after a copy.
class split_fleet {
 public:
  static constexpr int customers = 400;

  explicit split_fleet(std::size_t shards = 4) : fleet_({.shards = shards, .fast = true}) {
    for (auto& table : fleet_.current().tables)
      if (table.manifest.kind == table_kind::sharded)
        table.manifest.reads.scatter = true, table.manifest.reads.scatter_budget = 20s;
    owner_.fill({});
    for (auto* node : fleet_.servers().all()) insert_orders(*node);
    fleet_.publish(stage::dual_writing);
  }

  client_fleet& fleet() { return fleet_; }
  shardway::testing::server& source() { return fleet_.servers().source(); }
  shardway::testing::server& shard(std::size_t i) { return fleet_.servers().shard(i); }

  /// The slots of shard `i` that a wave of so many percent moves.
  slot_range part_of_shard(std::size_t i, int percent) {
    auto const slots = fleet_.current().placement[i].slots;
    return {slots.first,
            slot_id{static_cast<std::uint16_t>(
                slots.first.value() + slots.count() * static_cast<std::uint32_t>(percent) / 100 - 1)}};
  }

  /// A wave: the source closes and no longer has the rows, as if its mirror lagged; then the shard opens. Not
  /// published yet.
  void move(std::size_t i, slot_range slots) {
    flip(source(), slots, epoch_of(slots), false);
    fleet_.on(source(),
              "DELETE FROM shop.orders WHERE shardway.slot_of(customer_id) BETWEEN " + within(slots));
    open(shard(i), slots, shard_id{static_cast<std::uint16_t>(i)});
  }
  /// Back: the shard keeps the rows, as dual writing does.
  void move_back(std::size_t i, slot_range slots) {
    flip(shard(i), slots, epoch_of(slots), false);
    insert_orders(source());
    open(source(), slots, std::nullopt);
  }
  void publish(stage at = stage::sharded) {
    std::vector<authority_range> ranges;
    for (std::uint16_t slot = 0; slot < limits::slot_count; ++slot) {
      auto const& [shard, at_epoch] = owner_[slot];
      if (!ranges.empty() && ranges.back().shard == shard && ranges.back().epoch.value() == at_epoch)
        ranges.back().slots.last = slot_id{slot};
      else
        ranges.push_back({{slot_id{slot}, slot_id{slot}}, shard, epoch{at_epoch}, {}});
    }
    fleet_.current().groups[0].authority = ranges;
    fleet_.publish(at);
  }

  /// A client that learns of a generation only by being refused.
  client open_slow() {
    auto options = fleet_.options();
    options.generation_interval = 60s;
    return value_of(client::open(options));
  }

 private:
  struct owner {
    std::optional<shard_id> shard{};
    std::uint16_t at{1};
  };
  static std::string within(slot_range slots) {
    return std::to_string(slots.first.value()) + " AND " + std::to_string(slots.last.value());
  }
  int epoch_of(slot_range slots) { return owner_[slots.first.value()].at; }

  void flip(shardway::testing::server& node, slot_range slots, int at, bool open) {
    require(
        node.query("BEGIN; LOCK TABLE shardway.\"fence_lock_shop\" IN EXCLUSIVE MODE; SELECT "
                   "shardway.fence_set('shop', " +
                   std::to_string(slots.first.value()) + ", " + std::to_string(slots.last.value()) + ", " +
                   std::to_string(at) + ", " + (open ? "true" : "false") + ", '', NULL); COMMIT"));
  }
  void open(shardway::testing::server& node, slot_range slots, std::optional<shard_id> to) {
    auto const at = static_cast<std::uint16_t>(epoch_of(slots) + 1);
    flip(node, slots, at, true);
    for (auto slot = slots.first.value(); slot <= slots.last.value(); ++slot) owner_[slot] = {to, at};
  }
  void insert_orders(shardway::testing::server& node) {
    std::string where = "true";
    for (std::size_t i = 0; i < fleet_.servers().shard_count(); ++i)
      if (&node == &shard(i))
        where = "shardway.slot_of(c) BETWEEN " + within(fleet_.current().placement[i].slots);
    require(
        node.query("INSERT INTO shop.orders (order_id, customer_id, total, note) SELECT c * 10 + n, c, c + n "
                   "/ 100.0, 'note ' || c % 7 "
                   "FROM generate_series(1::bigint, " +
                   std::to_string(customers) + ") c, generate_series(1, 3) n WHERE " + where +
                   " ON CONFLICT DO NOTHING"));
  }

  client_fleet fleet_;
  std::array<owner, limits::slot_count> owner_{};
};

/// Takes one guard away for the length of a scope.
class without_guard {
 public:
  explicit without_guard(char const* name) { setenv("SHARDWAY_GUARD_OFF", name, 1); }
  ~without_guard() { unsetenv("SHARDWAY_GUARD_OFF"); }
  without_guard(without_guard const&) = delete;
  without_guard& operator=(without_guard const&) = delete;
};

}  // namespace shardway_test
