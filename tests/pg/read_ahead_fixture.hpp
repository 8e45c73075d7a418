// A fleet that dual writes with a running stream, so that shards can serve reads before writes move; and ways
// to hold the stream up.
#pragma once

#include <cstdlib>
#include <thread>

#include <gmock/gmock.h>

#include "client_fleet.hpp"
#include "lib/pg/replication_slot.hpp"
#include "lib/protocol/names.hpp"
#include "lib/read/shard_read.hpp"
#include "shardway/migrate/controller/engine.hpp"
#include "shardway/pg/connect.hpp"

namespace shardway_test {

class read_ahead : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ = std::make_unique<client_fleet>();
    for (auto* node : fleet_->servers().all()) require(node->query("SELECT shardway.raise_token(1, 'test')"));
    auto const source = open_on(fleet_->servers().source());
    std::string list =
        "shardway.fence_shop, shardway.fence_lists, shardway.outbox, shardway.marker, "
        "shardway.stream_progress";
    for (auto const& table : fleet_->current().tables) list += ", " + table.manifest.table;
    require(source->simple("CREATE PUBLICATION shardway_shop FOR TABLE " + list +
                           " WITH (publish_via_partition_root = true)"));
    require(create_logical_replication_slot(*source, "shardway_shop_source", 10s));
    fleet_->set_mode(dual_write_mode::async);
    fleet_->publish(stage::copying);
    engine_nodes nodes{.source = where(fleet_->servers().source()),
                       .source_mirror = where(fleet_->servers().source()),
                       .shards = {}};
    for (std::size_t i = 0; i < 2; ++i) nodes.shards.push_back(where(fleet_->servers().shard(i)));
    engine_ = value_of(engine::start({.nodes = std::move(nodes),
                                      .routing = routing(),
                                      .token = 1,
                                      .limits = {.batch_wait = 1ms, .idle_progress = 20ms}}));
    for (auto const* group : {"shop", "lists"}) {
      require(engine_->start_copy(group));
      soon("the copy is complete", [&] { return engine_->copy_state(group).is_complete; });
    }
  }
  static void TearDownTestSuite() {
    engine_.reset();
    fleet_.reset();
  }
  void SetUp() override { serve(100); }
  void TearDown() override { unsetenv("SHARDWAY_GUARD_OFF"); }

  static client_fleet& fleet() { return *fleet_; }
  static connect_options where(shardway::testing::server& node) {
    return {.node = node.name(), .conninfo = fleet_->servers().conninfo(node)};
  }
  static std::unique_ptr<session> open_on(shardway::testing::server& node) {
    return value_of(connect(where(node)));
  }
  static std::shared_ptr<generation const> routing() {
    return std::make_shared<generation>(fleet_->current());
  }

  /// Publishes a generation in which shards serve so many percent of the slots, and so many percent of reads
  /// are shadowed.
  static void serve(std::uint32_t percent, std::uint32_t shadow = 0, stage at = stage::dual_writing) {
    for (auto& table : fleet_->current().tables) {
      table.manifest.reads.from_shards_percent = percent;
      table.manifest.reads.shadow_percent = shadow;
    }
    fleet_->publish(at);
    engine_->update_generation(routing());
  }

  template <class Condition>
  static void soon(char const* what, Condition condition, std::chrono::seconds limit = 30s) {
    auto const end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      for (std::uint16_t i = 0; i < 2; ++i)
        if (auto const state = engine_->stream(shard_id{i}); state.failure)
          throw std::runtime_error(state.failure->to_string() + " " + state.failure->server_detail());
      if (std::chrono::steady_clock::now() > end)
        throw std::runtime_error(std::string("not in time: ") + what);
      std::this_thread::sleep_for(5ms);
    }
  }

  /// A client that knows the shards' stream positions.
  static client open_serving() {
    auto app = fleet_->open();
    auto session = app.session();
    for (auto const key : {on_shard(0), on_shard(1)})
      soon("a shard serves reads", [&] {
        return value_of(session.read("shop.orders", key, "SELECT 1", {}, {.fresh = consistency::any_replica}))
            .from_shard;
      });
    return app;
  }
  /// Some key placed on that shard.
  static std::int64_t on_shard(std::size_t shard) {
    std::int64_t key = 1;
    while (fleet_->current().shard_of(slot_of(key)).value() != shard) ++key;
    return key;
  }
  /// As `fresh_key`, placed on that shard.
  static std::int64_t fresh_key_on(std::size_t shard) {
    for (;;)
      if (auto const key = fresh_key(); fleet_->current().shard_of(slot_of(key)).value() == shard) return key;
  }

  static write_receipt insert(client_session& in, std::int64_t key, std::string note = "new") {
    return value_of(in.execute("shop.orders", key,
                               "INSERT INTO shop.orders (order_id, customer_id, note) VALUES ($1, $1, $2)",
                               {text(key), std::move(note)}));
  }
  static read_answer note_of(client_session& in, std::int64_t key, read_options const& options = {}) {
    return value_of(in.read("shop.orders", key, "SELECT note FROM shop.orders WHERE order_id = $1",
                            {text(key)}, options));
  }
  /// The same, read again until a shard has served it: on a busy machine a shard's position may be unknown
  /// for a moment.
  static read_answer served(client_session& in, std::int64_t key, read_options const& options = {}) {
    read_answer answer;
    soon("a shard serves the read", [&] {
      answer = note_of(in, key, options);
      return answer.from_shard;
    });
    return answer;
  }
  static std::string shown(read_answer const& answer) {
    return answer.returned.empty() ? "absent" : std::string(answer.returned.text(0, 0));
  }

  /// Blocks the stream and the dual writes of a shard while it lives. Reads go on.
  class stalled_shard {
   public:
    explicit stalled_shard(std::size_t shard) : on_(open_on(fleet_->servers().shard(shard))) {
      require(on_->simple("BEGIN; LOCK TABLE shop.orders IN SHARE ROW EXCLUSIVE MODE"));
    }
    ~stalled_shard() { (void)on_->simple("ROLLBACK"); }

   private:
    std::unique_ptr<session> on_;
  };

  inline static std::unique_ptr<client_fleet> fleet_;
  inline static std::unique_ptr<engine> engine_;
};

}  // namespace shardway_test
