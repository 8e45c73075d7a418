// The mirror: what shards with authority write reaches the source once, and no change echoes back.
#include "shardway/testing/stop_points.hpp"
#include "stream_fixture.hpp"

namespace shardway_test {
namespace {

constexpr slot_range first_half{slot_id{0}, slot_id{2047}};

class mirror_test : public stream_fixture {
 protected:
  /// Everything is copied; then slots of the first shard move there, as a wave does it.
  void SetUp() override {
    install(
        "CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, note text, total "
        "numeric(12,2))",
        {table_of("shop.orders", {"id"}, {"customer_id"},
                  {{"id", "bigint", false, true},
                   {"customer_id", "bigint", false, true},
                   {"note", "text", false, false},
                   {"total", "numeric(12,2)", false, false}})},
        "INSERT INTO shop.orders SELECT n, n, (SELECT string_agg(md5((n * i)::text), '') FROM "
        "generate_series(1, 200) AS i), n FROM generate_series(1, 400) AS n");
    start();
    copy();
    shard_ = open(fleet_->shard(0));
    require(engine_->start_mirror(shard_id{0}));
    move_to_shard(epoch{2}, epoch{3});
  }
  void TearDown() override {
    stream_fixture::TearDown();
    ::unsetenv("SHARDWAY_GUARD_OFF");
  }

  void move_to_shard(epoch closed, epoch opened) {
    flip(*source_, first_half, closed, false);
    catch_up();
    flip(*shard_, first_half, opened, true);
  }

  /// Customers that live on the first shard.
  static constexpr char mine[] = " WHERE shardway.slot_of(customer_id) < 2048";
  std::string on_source() { return digest("shop.orders", "id, customer_id, note, total", mine); }
  std::string on_shard() {
    return one(*shard_,
               "SELECT count(*) || ':' || coalesce(sum(hashtextextended(r::text, 0)::numeric), 0) FROM "
               "(SELECT id, customer_id, note, total FROM shop.orders) AS r");
  }

  void write_shard(std::string const& sql) {
    run(*shard_, "BEGIN; SET LOCAL shardway.writer = 'client'; " + sql + "; COMMIT");
  }

  void mirrored() {
    auto const end = *lsn::parse(one(*shard_, "SELECT pg_current_wal_flush_lsn()"));
    expect_soon("the mirror has caught up", [&] {
      auto const state = engine_->mirror(shard_id{0});
      if (state.failure)
        throw std::runtime_error(state.failure->to_string() + " " + state.failure->server_detail());
      return state.position.applied >= end;
    });
  }

  std::unique_ptr<session> shard_;
};

constexpr char every_kind[] =
    "INSERT INTO shop.orders SELECT n + 10000, customer_id, 'from the shard', n FROM shop.orders, "
    "generate_series(1, 3) AS n WHERE id % 20 = 0 ON CONFLICT DO NOTHING;"
    "UPDATE shop.orders SET total = -total WHERE id % 3 = 0; DELETE FROM shop.orders WHERE id % 11 = 0; "
    "UPDATE shop.orders SET id = id + 5000 WHERE id % 7 = 0 AND id < 400";

TEST_F(mirror_test, source_gets_what_the_shard_writes_and_nothing_echoes) {  // S13
  write_shard(every_kind);
  run(*shard_, "INSERT INTO shardway.marker (wave) VALUES ('back')");
  mirrored();
  EXPECT_EQ(on_source(), on_shard());
  EXPECT_NE(one(*source_, "SELECT count(*) FROM shop.orders WHERE note = 'from the shard'"), "0");
  EXPECT_EQ(engine_->mirror(shard_id{0}).position.marker, 1);
  auto const before = on_shard();
  catch_up();
  EXPECT_EQ(on_shard(), before) << "the mirror's own writes came back through the stream";
  EXPECT_EQ(engine_->stream(shard_id{0}).position.totals.foreign, 0);
}

TEST_F(mirror_test, without_the_mark_its_writes_are_taken_for_foreign) {  // S13, S16
  ::setenv("SHARDWAY_GUARD_OFF", "mirror_mark", 1);
  write_shard("UPDATE shop.orders SET total = 7");
  expect_soon("the stream stops", [&] { return engine_->dispatcher_failure().has_value(); });
  EXPECT_EQ(engine_->dispatcher_failure()->code(), error_code::stream_broken);
}

TEST_F(mirror_test, nothing_is_applied_twice_or_lost_over_errors_and_restarts) {  // S1
  {
    shardway::testing::selected_stop_points const stops(
        "before_mirror_commit:error:2,after_mirror_commit:error:3,after_mirror_commit:error:5");
    for (int i = 0; i < 8; ++i) write_shard("UPDATE shop.orders SET total = total + 1");
    mirrored();
  }
  EXPECT_EQ(on_source(), on_shard());
  auto const changes = engine_->mirror(shard_id{0}).position.totals.changes;
  EXPECT_EQ(std::to_string(changes), one(*shard_, "SELECT 8 * count(*) FROM shop.orders"));
  engine_->stop_mirror(shard_id{0});
  write_shard(every_kind);
  require(engine_->start_mirror(shard_id{0}));
  mirrored();
  EXPECT_EQ(on_source(), on_shard());
}

TEST_F(mirror_test, authority_goes_back_and_the_stream_goes_on) {  // X11
  write_shard("UPDATE shop.orders SET note = 'shard'");
  flip(*shard_, first_half, epoch{4}, false);
  run(*shard_, "INSERT INTO shardway.marker (wave) VALUES ('back')");
  mirrored();
  flip(*source_, first_half, epoch{5}, true);
  run(*source_, "UPDATE shop.orders SET note = note || ' and source'");
  catch_up();
  EXPECT_EQ(on_source(), on_shard());
  EXPECT_EQ(one(*shard_, "SELECT count(*) FROM shop.orders WHERE note <> 'shard and source'"), "0");
}

// Finalizing the last group drops the replication slot. A later group creates a new one, far past what was
// mirrored.
TEST_F(mirror_test, finalized_group_is_not_in_the_way_of_a_new_replication_slot) {
  write_shard("UPDATE shop.orders SET total = 1");
  mirrored();
  std::this_thread::sleep_for(500ms);  // its windows are saved
  engine_->stop_mirror(shard_id{0});
  auto const name = names::reverse_replication_slot("shop", fleet_->shard(0).name());
  require(drop_replication_slot(*shard_, name));
  write_shard("UPDATE shop.orders SET total = 2");
  require(create_logical_replication_slot(*shard_, name, 10s));
  engine_->update_generation(generation_at(stage::finalized));
  require(engine_->start_mirror(shard_id{0}));
  write_shard("UPDATE shop.orders SET total = -3");
  mirrored();
  EXPECT_EQ(one(*source_, "SELECT count(*) FROM shop.orders WHERE total = -3"), "0")
      << "a finalized group is not mirrored";
}

TEST_F(mirror_test, truncate_on_a_shard_stops_it) {  // S11
  write_shard("TRUNCATE shop.orders");
  expect_soon("the mirror stops", [&] { return engine_->mirror(shard_id{0}).failure.has_value(); });
  EXPECT_EQ(engine_->mirror(shard_id{0}).failure->code(), error_code::stream_broken);
  EXPECT_EQ(one(*source_, "SELECT count(*) FROM shop.orders"), "400");
}

TEST_F(mirror_test, write_outside_the_window_of_the_shard_stops_it) {  // S16
  flip(*shard_, first_half, epoch{4}, false);
  write_shard("UPDATE shop.orders SET total = 0");
  expect_soon("the mirror stops", [&] { return engine_->mirror(shard_id{0}).failure.has_value(); });
  EXPECT_NE(engine_->mirror(shard_id{0}).failure->message().find("I1"), std::string::npos);
}

}  // namespace
}  // namespace shardway_test
