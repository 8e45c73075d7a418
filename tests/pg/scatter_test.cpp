// Reads of all nodes return each row once, even while authority moves, with the order, limits and sums of one
// PostgreSQL.
#include <atomic>
#include <set>
#include <thread>

#include <gmock/gmock.h>

#include "split_fleet.hpp"
#include "support/parallel_work.hpp"

namespace {

using namespace shardway_test;

constexpr char all_orders[] =
    "SELECT o.order_id, o.customer_id, o.total, o.note FROM shop.orders o WHERE {slots:o.customer_id}";
constexpr std::size_t order_count = 3 * split_fleet::customers;

class scatter : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { fleet_ = std::make_unique<split_fleet>(); }
  static void TearDownTestSuite() { fleet_.reset(); }
  static split_fleet& fleet() { return *fleet_; }

  static std::multiset<std::string> ids(rows const& of) {
    std::multiset<std::string> all;
    for (std::size_t i = 0; i < of.size(); ++i) all.emplace(of.text(i, 0));
    return all;
  }
  /// Each order occurs once, and there is no other.
  static bool is_exact(rows const& of) {
    auto const found = ids(of);
    return found.size() == order_count &&
           std::set<std::string>(found.begin(), found.end()).size() == order_count;
  }

  inline static std::unique_ptr<split_fleet> fleet_;
};

// The order of these tests is that of a migration: each moves authority a little further.
TEST_F(scatter, before_the_first_wave_the_source_answers_alone) {
  auto app = fleet().fleet().open();
  auto const all = value_of(app.session().read_all("shop.orders", all_orders));
  EXPECT_TRUE(is_exact(all.returned));
  ASSERT_EQ(all.parts.size(), 1U);
  EXPECT_EQ(all.parts[0].node, "source");
  EXPECT_FALSE(all.filtered);
}

TEST_F(scatter, rows_on_both_sides_of_a_wave_are_read_once) {
  for (std::size_t i = 0; i < 4; ++i) fleet().move(i, fleet().part_of_shard(i, 20));
  fleet().publish();
  auto app = fleet().fleet().open();
  auto const all = value_of(app.session().read_all("shop.orders", all_orders));
  EXPECT_TRUE(is_exact(all.returned));
  EXPECT_EQ(all.parts.size(), 5U);
  EXPECT_TRUE(all.filtered);
  without_guard const off("slot_filter");
  EXPECT_FALSE(is_exact(value_of(app.session().read_all("shop.orders", all_orders)).returned))
      << "dual-written rows were to be seen twice";
}

// I1, I8. The client has an older generation: it still asks the source for rows that have moved.
TEST_F(scatter, authority_that_moved_unseen_makes_the_read_begin_anew) {
  auto app = fleet().open_slow();
  auto session = app.session();
  ASSERT_TRUE(is_exact(value_of(session.read_all("shop.orders", all_orders)).returned));
  auto const slots = fleet().fleet().current().placement[1].slots;
  slot_range const rest{slot_id{static_cast<std::uint16_t>(fleet().part_of_shard(1, 20).last.value() + 1)},
                        slots.last};
  fleet().move(1, rest);
  {
    without_guard const off("read_fence");
    EXPECT_FALSE(is_exact(value_of(session.read_all("shop.orders", all_orders)).returned))
        << "moved rows were to be missing";
  }
  fleet().publish();
  auto const all = value_of(session.read_all("shop.orders", all_orders));
  EXPECT_TRUE(is_exact(all.returned));
  EXPECT_GE(all.repeats, 1U);
  EXPECT_EQ(all.generation, fleet().fleet().current().number);
}

TEST_F(scatter, counts_are_exact_while_waves_go_forth_and_back) {
  auto app = fleet().fleet().open();
  std::atomic<bool> stop{false};
  std::atomic<int> exact{0}, off{0}, repeats{0};
  parallel_work reader(
      [&] {
        auto session = app.session();
        while (!stop) {
          auto const all =
              value_of(session.read_all("shop.orders", all_orders, {}, {.read = {.deadline = 20s}}));
          ++(is_exact(all.returned) ? exact : off);
          repeats += static_cast<int>(all.repeats);
        }
      },
      [&] { stop = true; });
  for (int round = 0; round < 6; ++round) {
    auto const slots = fleet().part_of_shard(2, 20);
    fleet().move_back(2, slots);
    fleet().publish();
    fleet().move(2, slots);
    fleet().publish();
  }
  auto const seen = exact.load();
  while (exact.load() < seen + 2 && off == 0 && !reader.has_ended()) std::this_thread::sleep_for(1ms);
  reader.finish();
  EXPECT_EQ(off.load(), 0);
  EXPECT_GT(repeats.load(), 0);
}

TEST_F(scatter, fully_sharded_shards_answer_without_a_check_of_slots) {
  for (std::size_t i : {0, 2, 3}) {
    auto const last = fleet().fleet().current().placement[i].slots.last;
    fleet().move(i,
                 {slot_id{static_cast<std::uint16_t>(fleet().part_of_shard(i, 20).last.value() + 1)}, last});
  }
  fleet().publish();
  auto app = fleet().fleet().open();
  auto const all = value_of(app.session().read_all("shop.orders", all_orders));
  EXPECT_TRUE(is_exact(all.returned));
  EXPECT_EQ(all.parts.size(), 4U);
  EXPECT_FALSE(all.filtered);
}

TEST_F(scatter, a_newer_generation_on_a_shard_brings_the_check_of_slots_back) {
  auto app = fleet().open_slow();
  auto session = app.session();
  ASSERT_FALSE(value_of(session.read_all("shop.orders", all_orders)).filtered);
  auto const number = std::to_string(fleet().fleet().current().number + 1);
  auto& shard = fleet().shard(0);
  fleet().fleet().on(shard,
                     "INSERT INTO shardway.generation (generation, document, sha256) SELECT " + number +
                         ", document, sha256 FROM shardway.generation ORDER BY generation DESC LIMIT 1");
  auto const all = value_of(session.read_all("shop.orders", all_orders));
  EXPECT_TRUE(all.filtered);
  EXPECT_TRUE(is_exact(all.returned));
  fleet().fleet().on(shard, "DELETE FROM shardway.generation WHERE generation = " + number);
}

// I8 of a read of several nodes: a replica answers only when it has what the session wrote.
class scatter_replica : public ::testing::Test {
 protected:
  scatter_replica() : fleet_({.shards = 1, .replicas = 1, .fast = true}) {
    fleet_.current().tables[0].manifest.reads = {.scatter = true, .scatter_budget = 20s};
    fleet_.publish(stage::dual_writing);
  }
  static std::size_t count(merged_answer const& of) { return of.returned.size(); }
  merged_answer read(client_session& in) { return value_of(in.read_all("shop.orders", all_orders)); }
  static result<write_receipt> insert(client_session& in, std::int64_t key) {
    return in.execute("shop.orders", key, "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)",
                      {text(key)});
  }
  client_fleet fleet_;
};

TEST_F(scatter_replica, a_session_sees_its_writes_wherever_it_is_answered) {
  auto app = fleet_.open();
  auto session = app.session();
  require(insert(session, 1));
  while (!read(session).parts[0].from_replica) std::this_thread::sleep_for(1ms);
  fleet_.on(fleet_.servers().replica(0), "SELECT pg_wal_replay_pause()");
  require(insert(session, 2));
  auto const own = read(session);
  EXPECT_EQ(count(own), 2U);
  EXPECT_FALSE(own.parts[0].from_replica);
  EXPECT_EQ(count(value_of(app.session().read_all("shop.orders", all_orders))), 1U)
      << "without a token the replica will do";
  fleet_.on(fleet_.servers().replica(0), "SELECT pg_wal_replay_resume()");
  while (!read(session).parts[0].from_replica) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(count(read(session)), 2U);
}

// A replica that has not replayed a flip would answer for a slot that has moved (R9).
TEST_F(scatter_replica, a_replica_that_has_not_replayed_a_flip_does_not_answer) {
  auto app = fleet_.open();
  auto session = app.session();
  while (!read(session).parts[0].from_replica) std::this_thread::sleep_for(1ms);
  fleet_.on(fleet_.servers().replica(0), "SELECT pg_wal_replay_pause()");
  require(
      fleet_.servers().source().query("SELECT shardway.fence_set('shop', 0, 4095, 1, false, '', NULL); "
                                      "SELECT shardway.fence_set('shop', 0, 4095, 2, true, '', NULL); "
                                      "INSERT INTO shop.orders (order_id, customer_id) VALUES (3, 3)"));
  fleet_.current().groups[0].authority = {{all_slots, std::nullopt, epoch{2}, {}}};
  fleet_.publish();
  require(app.refresh());
  auto const all = read(session);
  EXPECT_FALSE(all.parts[0].from_replica);
  EXPECT_EQ(count(all), 1U);
  fleet_.on(fleet_.servers().replica(0), "SELECT pg_wal_replay_resume()");
}

}  // namespace
