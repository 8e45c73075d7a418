// Reads move first: shards serve a share of the slots while the source has authority. Keeps I8, whatever the
// stream does.
#include "read_ahead_fixture.hpp"

namespace {

using namespace shardway_test;

using read_shards = read_ahead;
read_options const patient{.wait_budget = 20000ms};

TEST_F(read_shards, own_writes_are_seen_on_the_shards) {  // I8, R7
  auto app = open_serving();
  auto session = app.session();
  for (int i = 0; i < 40; ++i) {
    auto const key = fresh_key();
    insert(session, key, "mine");
    auto const seen = note_of(session, key, {.wait_budget = 2000ms});
    EXPECT_EQ(shown(seen), "mine");
    require(session.execute("shop.orders", key, "DELETE FROM shop.orders WHERE order_id = $1", {text(key)}));
    EXPECT_EQ(shown(note_of(session, key, {.wait_budget = 2000ms})), "absent");
  }
  EXPECT_GT(app.totals().reads_shard, 40U);
}

TEST_F(read_shards, a_shard_names_itself_and_its_position) {
  auto app = open_serving();
  auto session = app.session();
  auto const key = fresh_key_on(1);
  auto const written = insert(session, key);
  auto const seen = served(session, key, patient);
  EXPECT_FALSE(seen.from_replica);
  EXPECT_EQ(seen.node, fleet().servers().shard(1).name());
  EXPECT_GE(seen.position, written.position);
}

TEST_F(read_shards, own_writes_are_seen_under_load_while_streams_stall) {  // I8
  auto app = open_serving();
  std::atomic<int> missed{0}, seen{0};
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    std::int64_t const base = 5000000 + thread * 100000;
    threads.emplace_back([&, base](std::stop_token stop) {
      auto session = app.session();
      for (auto key = base; !stop.stop_requested(); ++key) {
        auto const wrote =
            session.execute("shop.orders", key,
                            "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)", {text(key)});
        auto const read =
            session.read("shop.orders", key, "SELECT 1 FROM shop.orders WHERE order_id = $1", {text(key)});
        if (wrote && read) ++(read.value().returned.empty() ? missed : seen);
      }
    });
  }
  for (int round = 0; round < 6; ++round) {
    std::this_thread::sleep_for(100ms);
    stalled_shard const held{static_cast<std::size_t>(round % 2)};
    std::this_thread::sleep_for(250ms);
  }
  auto const before = app.totals().reads_shard;
  soon("shards took part, and the source where the stream stood",
       [&] { return seen > 50 && app.totals().reads_shard > before + 10 && app.totals().reads_primary > 0; });
  threads.clear();
  EXPECT_EQ(missed, 0);
}

TEST_F(read_shards, without_the_streams_proof_the_own_write_is_missing) {  // I8
  auto app = open_serving();
  auto session = app.session();
  auto const key = fresh_key_on(0);
  stalled_shard const held{0};
  insert(session, key, "mine");
  EXPECT_EQ(shown(note_of(session, key)), "mine");
  setenv("SHARDWAY_GUARD_OFF", "stream_proof", 1);
  EXPECT_EQ(shown(note_of(session, key)), "absent") << "if this fails, the guard proves nothing any more";
}

TEST_F(read_shards, a_stalled_stream_sends_its_writers_to_the_source_and_others_not) {  // R7
  auto app = open_serving();
  auto writer = app.session(), other = app.session();
  auto const key = fresh_key_on(1);
  {
    stalled_shard const held{1};
    insert(writer, key, "mine");
    auto const own = note_of(writer, key);
    EXPECT_EQ(own.node, "source");
    EXPECT_EQ(shown(served(other, key)), "absent");
  }
  EXPECT_EQ(shown(served(writer, key, patient)), "mine") << "the stream goes on";
}

TEST_F(read_shards, an_idle_shard_passes_the_token_of_writes_elsewhere) {  // R11
  auto app = open_serving();
  auto session = app.session();
  insert(session, fresh_key_on(0));
  (void)served(session, fresh_key_on(1), patient);
}

TEST_F(read_shards, only_slots_of_the_share_are_read_on_shards) {
  serve(100);
  auto app = open_serving();
  serve(40);
  require(app.refresh());
  auto session = app.session();
  std::size_t slots_in = 0;
  for (std::int64_t key = 1; key <= 60; ++key) {
    auto const expected = served_by_shard(slot_of(key), 40);
    slots_in += expected;
    if (expected)
      (void)served(session, key, patient);
    else
      EXPECT_FALSE(note_of(session, key, patient).from_shard) << key;
  }
  EXPECT_GT(slots_in, 5U);
  EXPECT_LT(slots_in, 55U);
}

TEST_F(read_shards, primary_and_locking_reads_stay_on_the_authority) {
  auto app = open_serving();
  auto session = app.session();
  EXPECT_EQ(note_of(session, 1, {.fresh = consistency::primary}).node, "source");
  EXPECT_EQ(
      value_of(session.read("shop.orders", 1, "SELECT 1 FROM shop.orders WHERE order_id = 0 FOR UPDATE"))
          .node,
      "source");
}

TEST_F(read_shards, no_token_is_satisfied_while_a_key_is_parked) {  // R11
  auto app = open_serving();
  auto session = app.session();
  auto const key = fresh_key_on(0);
  insert(session, key);
  (void)served(session, key, patient);
  auto& shard = fleet().servers().shard(0);
  fleet().on(shard,
             "INSERT INTO shardway.parked (stream, relation, key_digest, reason, commit_lsn) VALUES "
             "('source', 'shop.orders', 'd', 'r', 'FFFF/0')");
  EXPECT_EQ(note_of(session, key).node, "source");
  (void)served(session, fresh_key_on(1), patient);  // the other shard has nothing parked
  fleet().on(shard, "DELETE FROM shardway.parked");
  soon("the shard serves again", [&] { return note_of(session, key).from_shard; });
}

TEST_F(read_shards, a_shard_that_knows_a_newer_generation_is_not_asked) {
  auto app = open_serving();
  auto session = app.session();
  auto const key = on_shard(0);
  auto& shard = fleet().servers().shard(0);
  fleet().on(shard,
             "INSERT INTO shardway.generation (generation, document, sha256) VALUES (1000000, '', '')");
  EXPECT_EQ(note_of(session, key).node, "source") << "its tables may be about to be copied again";
  fleet().on(shard, "DELETE FROM shardway.generation WHERE generation = 1000000");
  (void)served(session, key, patient);
}

TEST_F(read_shards, a_shard_of_another_epoch_follows_another_history) {
  auto app = open_serving();
  auto session = app.session();
  auto const key = fresh_key_on(0);
  fleet().flip(fleet().servers().shard(0), slot_of(key), 7, false);
  EXPECT_EQ(note_of(session, key).node, "source");
}

TEST_F(read_shards, tokens_of_other_systems_and_incarnations_satisfy_nothing_and_block_nothing) {  // R1
  auto app = open_serving();
  auto const key = on_shard(0);
  auto writer = app.session();
  insert(writer, fresh_key());
  auto const own = *session_token::parse(writer.token())->at("source");
  for (auto const& at :
       {token_position{1, 1, lsn{1}}, token_position{own.system_identifier, own.incarnation + 1, lsn{1}},
        token_position{own.system_identifier, own.incarnation, unknown_position}}) {
    session_token foreign;
    foreign.saw("source", at);
    auto session = app.session();
    session.adopt(foreign.to_string());
    EXPECT_EQ(note_of(session, key).node, "source") << foreign.to_string();
  }
  auto session = app.session();
  session.adopt("junk");
  (void)served(session, key);
}

TEST_F(read_shards, only_statements_whose_tables_follow_go_to_a_shard) {
  auto app = open_serving();
  auto session = app.session();
  auto const key = on_shard(0);
  for (auto* node : fleet().servers().all()) fleet().on(*node, "CREATE VIEW shop.some AS SELECT 1 AS one");
  auto const from_shard = [&](std::string_view sql) {
    (void)served(session, key);
    return value_of(session.read("shop.orders", key, sql)).from_shard;
  };
  EXPECT_TRUE(from_shard("SELECT o.note, c.name FROM shop.orders o, shop.currencies c"));
  EXPECT_TRUE(from_shard("SELECT 1 FROM shop.orders o JOIN shop.items i USING (order_id)"));
  EXPECT_FALSE(from_shard("SELECT one FROM shop.some"));
  fleet().current().find_group("lists") == &fleet().current().groups[1]
      ? void(fleet().current().groups[1].stage = stage::copying)
      : void();
  fleet().publish();
  require(app.refresh());
  EXPECT_FALSE(from_shard("SELECT o.note, c.name FROM shop.orders o, shop.currencies c"))
      << "half of them are there";
}

TEST_F(read_shards, nothing_is_written_on_a_shard) {
  for (auto* node : fleet().servers().all())
    fleet().on(*node, "CREATE SCHEMA IF NOT EXISTS other; CREATE SEQUENCE other.numbers");
  auto app = open_serving();
  auto session = app.session();
  auto const drawn = value_of(session.read("shop.orders", on_shard(0), "SELECT nextval('other.numbers')"));
  EXPECT_EQ(drawn.node, "source");
  EXPECT_EQ(fleet().on(fleet().servers().shard(0), "SELECT is_called FROM other.numbers"), "f");
  EXPECT_EQ(session.read("shop.orders", on_shard(0), "SELECT nothing").error().sqlstate(), "42703");
}

TEST_F(read_shards, the_version_column_is_not_in_the_answer) {
  auto app = open_serving();
  auto session = app.session();
  auto const key = fresh_key_on(0);
  insert(session, key);
  (void)served(session, key, patient);
  auto const seen = value_of(session.read("shop.orders", key, "SELECT * FROM shop.orders WHERE order_id = $1",
                                          {text(key)}, patient));
  ASSERT_TRUE(seen.from_shard);
  EXPECT_EQ(seen.returned.columns().size(), 5U);
  EXPECT_EQ(seen.returned.text(0, 0), text(key));
}

TEST_F(read_shards, bounded_staleness_is_kept_by_a_shard_too) {
  auto app = open_serving();
  auto session = app.session();
  auto writer = app.session();
  read_options const bounded{.fresh = consistency::bounded_staleness, .staleness_max = 300ms};
  soon("a shard is fresh enough", [&] { return note_of(session, on_shard(1), bounded).from_shard; });
  stalled_shard const held{1};
  insert(writer, fresh_key_on(1));
  std::this_thread::sleep_for(600ms);
  EXPECT_FALSE(note_of(session, on_shard(1), bounded).from_shard);
  (void)served(session, on_shard(1), {.fresh = consistency::any_replica});
}

TEST_F(read_shards, reads_are_answered_in_every_stage) {
  auto const key = fresh_key_on(0);
  {
    auto app = fleet().open();
    auto session = app.session();
    insert(session, key, "there");
    soon("the shard has it", [&] { return note_of(session, key).from_shard; });
  }
  for (auto const at :
       {stage::observing, stage::copying, stage::replicating, stage::dual_writing, stage::sharded}) {
    serve(at == stage::dual_writing ? 100 : 0, 0, at);
    auto app = fleet().open();
    auto session = app.session();
    for (auto const fresh : {consistency::primary, consistency::read_your_writes,
                             consistency::bounded_staleness, consistency::any_replica})
      EXPECT_EQ(shown(note_of(session, key, {.fresh = fresh})), "there") << name(at);
    EXPECT_EQ(session.read("shop.orders", key, "SELECT 1", {}, {.deadline = 0ms}).error().code(),
              error_code::invalid_argument);
  }
}

TEST_F(read_shards, zz_a_slot_that_moved_is_read_under_its_authority) {
  auto app = open_serving();
  auto session = app.session();
  auto const key = fresh_key_on(0);
  insert(session, key, "mine");
  soon("the shard has it", [&] { return note_of(session, key).from_shard; });
  auto const slot = slot_of(key);
  fleet().flip(fleet().servers().source(), slot, 2, false, "w");
  soon("the shard has followed", [&] {  // as a wave waits for its marker
    auto const at = std::to_string(slot.value());
    return fleet().on(fleet().servers().shard(0),
                      "SELECT epoch FROM shardway.fence_shop WHERE slot_from <= " + at +
                          " AND slot_to >= " + at) == "2";
  });
  fleet().flip(fleet().servers().shard(0), slot, 3, true);
  fleet().assign(slot, shard_id{0}, 3, lsn{1});
  serve(100, 0, stage::sharded);
  require(app.refresh());
  auto const seen = note_of(session, key);
  EXPECT_EQ(seen.node, fleet().servers().shard(0).name());
  EXPECT_FALSE(seen.from_shard) << "it has authority now";
  EXPECT_EQ(shown(seen), "mine");
}

TEST_F(read_shards, zzz_a_shard_that_is_down_costs_nothing_but_the_try) {
  auto app = open_serving();
  auto session = app.session();
  require(fleet().servers().shard(1).stop());
  EXPECT_EQ(note_of(session, on_shard(1)).node, "source");
  require(fleet().servers().shard(1).start());
  soon("the shard serves again",
       [&] { return note_of(session, on_shard(1), {.fresh = consistency::any_replica}).from_shard; });
}

}  // namespace
