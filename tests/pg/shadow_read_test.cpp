// Shadow reads: what they find, and that callers do not notice them.
#include <mutex>
#include <set>

#include "read_ahead_fixture.hpp"

namespace {

using namespace shardway_test;

class seen_shadows final : public events {
 public:
  void on_shadow_read(shadow_event const& one) noexcept override {
    std::lock_guard const lock{mutex_};
    found_.push_back(std::string(one.found));
    fingerprints_.insert(one.fingerprint);
    slots_.insert(one.slot);
    tables_.insert(std::string(one.table));
  }
  std::vector<std::string> found() const {
    std::lock_guard const lock{mutex_};
    return found_;
  }
  std::set<std::uint64_t> fingerprints_;
  std::set<slot_id> slots_;
  std::set<std::string> tables_;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> found_;
};

class shadow_reads : public read_ahead {
 protected:
  void SetUp() override { serve(0, 100); }
  client open() {
    auto options = fleet().options();
    options.listener = seen_;
    return value_of(client::open(options));
  }
  /// The class of the one shadow read that these calls have caused.
  std::string found() {
    soon("the shadow read is judged", [&] { return !seen_->found().empty(); });
    EXPECT_EQ(seen_->found().size(), 1U);
    return seen_->found().front();
  }
  static std::int64_t stored(client_session& session) {
    auto const key = fresh_key_on(0);
    auto const written = insert(session, key, "mine");
    soon("the shard has it",
         [&] { return engine_->stream(shard_id{0}).position.applied >= written.position; });
    return key;
  }
  std::shared_ptr<seen_shadows> seen_ = std::make_shared<seen_shadows>();
};

TEST_F(shadow_reads, the_same_rows_are_equal_and_the_event_tells_no_value) {
  auto app = open();
  auto session = app.session();
  auto const key = stored(session);
  EXPECT_EQ(note_of(session, key).node, "source");
  EXPECT_EQ(found(), "equal");
  EXPECT_EQ(seen_->tables_, std::set<std::string>{"shop.orders"});
  EXPECT_EQ(seen_->slots_, std::set<slot_id>{slot_of(key)});
  EXPECT_EQ(app.shadow_totals().at("shop.orders").equal, 1U);
}

TEST_F(shadow_reads, all_columns_are_compared_without_the_version) {
  auto app = open();
  auto session = app.session();
  auto const key = stored(session);
  (void)value_of(
      session.read("shop.orders", key, "SELECT * FROM shop.orders WHERE order_id = $1", {text(key)}));
  EXPECT_EQ(found(), "equal");
}

TEST_F(shadow_reads, a_shard_that_is_late_is_stale) {
  auto app = open();
  auto session = app.session();
  auto const key = fresh_key_on(0);
  {
    stalled_shard const held{0};
    insert(session, key, "mine");
    EXPECT_EQ(shown(note_of(session, key)), "mine");
    std::this_thread::sleep_for(300ms);
    EXPECT_TRUE(seen_->found().empty()) << "it waits for the stream";
  }
  EXPECT_EQ(found(), "stale");
}

TEST_F(shadow_reads, a_row_that_is_wrong_is_different_and_told_by_statement) {
  auto app = open();
  auto session = app.session();
  auto const key = stored(session);
  fleet().on(
      fleet().servers().shard(0),
      "SET session_replication_role = replica; UPDATE shop.orders SET note = 'wrong' WHERE order_id = " +
          text(key));
  EXPECT_EQ(shown(note_of(session, key)), "mine") << "the caller has the source's answer";
  EXPECT_EQ(found(), "different");
  EXPECT_EQ(seen_->fingerprints_.size(), 1U);
  EXPECT_EQ(app.shadow_totals().at("shop.orders").different, 1U);
}

TEST_F(shadow_reads, a_statement_that_reads_other_keys_too_is_different) {
  auto app = open();
  auto session = app.session();
  auto const key = stored(session);
  insert(session, fresh_key_on(1));
  (void)value_of(session.read("shop.orders", key, "SELECT count(*) FROM shop.orders"));
  EXPECT_EQ(found(), "different") << "it would change its meaning on the shard";
}

TEST_F(shadow_reads, results_that_depend_on_time_chance_or_node_cannot_be_compared) {
  fleet().on(fleet().servers().source(),
             "CREATE SCHEMA IF NOT EXISTS here; CREATE TABLE IF NOT EXISTS here.only (one int)");
  auto app = open();
  auto session = app.session();
  for (auto const* sql :
       {"SELECT now()", "SELECT note FROM shop.orders LIMIT 1", "SELECT one FROM here.only"})
    (void)value_of(session.read("shop.orders", 1, sql));
  soon("all are judged", [&] { return seen_->found().size() == 3; });
  EXPECT_EQ(seen_->found(), std::vector<std::string>(3, "not_comparable"));
}

TEST_F(shadow_reads, nothing_is_changed_by_one) {
  for (auto* node : fleet().servers().all())
    fleet().on(*node, "CREATE SCHEMA IF NOT EXISTS other; CREATE SEQUENCE other.shadowed");
  auto app = open();
  auto session = app.session();
  (void)value_of(session.read("shop.orders", on_shard(0), "SELECT nextval('other.shadowed')"));
  EXPECT_EQ(found(), "not_comparable");
  EXPECT_EQ(fleet().on(fleet().servers().shard(0), "SELECT is_called FROM other.shadowed"), "f");
}

TEST_F(shadow_reads, only_the_share_asked_for_is_taken) {
  serve(0, 25);
  auto app = open();
  auto session = app.session();
  for (int i = 0; i < 400; ++i) (void)note_of(session, 1);
  auto const taken = [&] {
    auto const all = app.shadow_totals()["shop.orders"];
    return all.equal + all.stale + all.different + all.not_comparable + all.dropped;
  };
  soon("the share is judged", [&] { return taken() > 60; });
  EXPECT_LT(taken(), 140U);
}

TEST_F(shadow_reads, a_shard_that_does_not_answer_costs_callers_nothing) {
  auto app = open();
  auto session = app.session();
  auto& shard = fleet().servers().shard(0);
  (void)note_of(session, on_shard(0));
  EXPECT_EQ(found(), "equal");
  require(shard.pause());
  for (int i = 0; i < 200; ++i)
    EXPECT_TRUE(session.read("shop.orders", on_shard(0), "SELECT 1", {}, {.deadline = 1000ms})) << i;
  EXPECT_GT(app.shadow_totals().at("shop.orders").dropped, 100U)
      << "the queue is bounded, and what does not fit is counted";
  app.close();
  require(shard.resume());
}

TEST_F(shadow_reads, reads_of_the_shard_itself_and_locking_reads_have_none) {
  serve(100, 100);
  auto app = open_serving();
  auto const before = app.shadow_totals()["shop.orders"];
  auto session = app.session();
  EXPECT_TRUE(note_of(session, on_shard(0), {.fresh = consistency::any_replica}).from_shard);
  (void)value_of(session.read("shop.orders", 1, "SELECT 1 FROM shop.orders WHERE order_id = 0 FOR UPDATE"));
  auto const after = app.shadow_totals()["shop.orders"];
  EXPECT_EQ(after.dropped, before.dropped);
  EXPECT_EQ(after.not_comparable, before.not_comparable);
}

}  // namespace
