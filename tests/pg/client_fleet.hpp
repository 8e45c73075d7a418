// A source and shards with the schema installed and generations published by hand: what the request path's
// tests run on.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lib/protocol/schema.hpp"
#include "shardway/client/client.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/testing/cluster.hpp"
#include "support/value_of.hpp"

namespace shardway_test {

using namespace shardway;
using namespace std::chrono_literals;

inline table_state table_of(std::string name, std::string group, std::vector<std::string> key,
                            std::vector<column_state> columns, table_kind kind = table_kind::sharded) {
  table_state table;
  table.manifest.table = std::move(name);
  table.manifest.group = std::move(group);
  table.manifest.kind = kind;
  table.manifest.key = std::move(key);
  if (kind == table_kind::sharded) table.manifest.shard_key = {"customer_id"};
  table.columns = std::move(columns);
  return table;
}

inline column_state column(std::string name, std::string type, bool generated = false) {
  return {.name = std::move(name), .type = std::move(type), .generated = generated};
}

class client_fleet {
 public:
  explicit client_fleet(shardway::testing::cluster_options options = {.shards = 2, .fast = true})
      : servers_(value_of(shardway::testing::cluster::start(std::move(options)))) {
    describe();
    install();
    publish(stage::observing);
  }

  shardway::testing::cluster& servers() { return *servers_; }
  generation& current() { return current_; }

  /// Publishes the next generation with both groups at this stage; authority is what `current` says.
  void publish(stage at) {
    for (auto& group : current_.groups) group.stage = at;
    publish();
  }
  void publish() {
    ++current_.number;
    for (std::size_t i = 0; i < servers_->shard_count(); ++i) put(servers_->shard(i));
    put(servers_->source());
  }
  void set_mode(dual_write_mode mode, std::chrono::milliseconds budget = 1000ms) {
    for (auto& table : current_.tables) {
      table.manifest.mode = mode;
      table.manifest.budget = budget;
    }
  }

  client_options options() {
    client_options made;
    made.source = {.node = "source", .conninfo = servers_->conninfo(servers_->source())};
    made.application = "test";
    return made;
  }
  client open() { return value_of(client::open(options())); }

  /// Sets the fence of one slot on a node, as a wave would.
  void flip(shardway::testing::server& node, slot_id slot, int epoch, bool open, std::string const& wave = "",
            std::string const& deadline_ms = "NULL") {
    auto const at = std::to_string(slot.value());
    require(
        node.query("BEGIN; LOCK TABLE shardway.\"fence_lock_shop\" IN EXCLUSIVE MODE; SELECT "
                   "shardway.fence_set('shop', " +
                   at + ", " + at + ", " + std::to_string(epoch) + ", " + (open ? "true" : "false") + ", '" +
                   wave + "', " + deadline_ms + "); COMMIT"));
  }
  /// Changes who has authority for one slot in `current`; published with the next generation.
  void assign(slot_id slot, std::optional<shard_id> shard, int at, lsn opened = {}) {
    auto& ranges = current_.find_group("shop") == &current_.groups[0] ? current_.groups[0].authority
                                                                      : current_.groups[1].authority;
    std::vector<authority_range> fresh;
    for (auto const& range : ranges) {
      if (!range.slots.contains(slot)) {
        fresh.push_back(range);
        continue;
      }
      auto const number = slot.value();
      auto before = range, after = range, one = range;
      before.slots.last = slot_id{static_cast<std::uint16_t>(number - 1)};
      after.slots.first = slot_id{static_cast<std::uint16_t>(number + 1)};
      one.slots = {slot, slot};
      one.shard = shard;
      one.epoch = epoch{static_cast<std::uint16_t>(at)};
      one.opened = opened;
      if (range.slots.first < slot) fresh.push_back(before);
      fresh.push_back(one);
      if (slot < range.slots.last) fresh.push_back(after);
    }
    ranges = fresh;
  }
  shardway::testing::server& shard_of(slot_id slot) {
    return servers_->shard(current_.shard_of(slot).value());
  }

  std::string on(shardway::testing::server& node, std::string const& sql) {
    return value_of(node.query(sql));
  }

 private:
  void describe() {
    current_.migration = {.name = "shop",
                          .source = {"source", servers_->conninfo(servers_->source()), {}},
                          .shards = {},
                          .application_role = "postgres",
                          .engine_role = "postgres",
                          .mirror_role = "postgres"};
    for (auto* node : servers_->all()) {
      node_definition made{node->name(), servers_->conninfo(*node), {}};
      if (node->name().starts_with("shard") && node->name().find("replica") == std::string::npos)
        current_.migration.shards.push_back(made);
      if (node->name().starts_with("replica")) current_.migration.source.replicas.push_back(made);
    }
    for (auto* node : servers_->all())
      if (auto const at = node->name().find("_replica"); at != std::string::npos)
        for (auto& shard : current_.migration.shards)
          if (shard.name == node->name().substr(0, at))
            shard.replicas.push_back({node->name(), servers_->conninfo(*node), {}});
    current_.placement = even_placement(static_cast<std::uint16_t>(servers_->shard_count()));
    for (auto const* name : {"shop", "lists"})
      current_.groups.push_back({name, stage::observing, {{all_slots, std::nullopt, epoch{1}, {}}}});
    current_.tables = {
        table_of(
            "shop.orders", "shop", {"order_id"},
            {column("order_id", "bigint"), column("customer_id", "bigint"), column("total", "numeric(12,2)"),
             column("note", "text"), column("doubled", "numeric", true)}),
        table_of("shop.items", "shop", {"order_id", "line"},
                 {column("order_id", "bigint"), column("line", "integer"), column("customer_id", "bigint")}),
        table_of("shop.currencies", "lists", {"code"}, {column("code", "text"), column("name", "text")},
                 table_kind::reference)};
  }

  static constexpr char user_schema[] =
      "CREATE SCHEMA shop; CREATE TABLE shop.orders (order_id bigint PRIMARY KEY, customer_id bigint NOT "
      "NULL, total numeric(12,2) NOT NULL DEFAULT 0, "
      "note text DEFAULT 'new', doubled numeric GENERATED ALWAYS AS (total * 2) STORED);"
      "CREATE TABLE shop.items (order_id bigint, line int, customer_id bigint NOT NULL, PRIMARY KEY "
      "(order_id, line));"
      "CREATE TABLE shop.currencies (code text PRIMARY KEY, name text);";

  void install() {
    auto const node = [&](shardway::testing::server& on_node, node_role role) {
      require(on_node.query(std::string(user_schema) +
                            node_schema_sql(role, on_node.name(), current_.migration)));
      for (auto const& group : current_.groups)
        require(on_node.query(group_sql(role, group.name, epoch{1}, "postgres")));
      if (role == node_role::source) return;
      for (auto const& table : current_.tables) require(on_node.query(shard_table_sql(table, "postgres")));
    };
    node(servers_->source(), node_role::source);
    for (std::size_t i = 0; i < servers_->shard_count(); ++i) node(servers_->shard(i), node_role::shard);
  }

  void put(shardway::testing::server& node) {
    auto const document = encode(current_);
    require(node.query("INSERT INTO shardway.generation (generation, document, sha256) VALUES (" +
                       std::to_string(current_.number) + ", $shardway$" + document +
                       "$shardway$, encode(sha256(convert_to($shardway$" + document +
                       "$shardway$, 'UTF8')), 'hex'))"));
  }

  std::unique_ptr<shardway::testing::cluster> servers_;
  generation current_;
};

/// A key whose slot no other test of the program uses.
inline std::int64_t fresh_key() {
  static std::int64_t next = 1000;
  static std::vector<bool> used(4096);
  while (used[slot_of(shard_key{next}).value()]) ++next;
  used[slot_of(shard_key{next}).value()] = true;
  return next++;
}
inline std::string text(std::int64_t value) { return std::to_string(value); }

}  // namespace shardway_test
