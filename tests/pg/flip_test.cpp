// Changing a fence within a budget: names whoever blocks it, and leaves nothing behind.
#include "lib/migrate/wave/flip.hpp"

#include <future>

#include "protocol_fixture.hpp"

namespace {

using namespace shardway::migrate::wave;

using namespace shardway_test;
using std::chrono::steady_clock;

class flip_test : public protocol_fixture {
 protected:
  static flip_request closing(slot_range slots = all_slots) {
    return {.group = "sales", .changes = {{slots, epoch{1}, false}}, .wave = "w1", .deadline = 5s};
  }

  result<> flip_now(session& on, flip_request const& request, std::chrono::milliseconds budget,
                    std::int64_t token = 0) {
    return flip_within(on, request, token, 50ms, steady_clock::now() + budget, blockers_);
  }

  std::string locks_on_fence(session& on) {
    return one(on,
               "SELECT count(*) FROM pg_locks WHERE relation = 'shardway.fence_lock_sales'::regclass AND pid "
               "<> pg_backend_pid()");
  }

  std::vector<std::string> blockers_;
};

TEST_F(flip_test, closes_and_opens_parts_of_a_fence) {
  require(flip_now(*source_, closing({slot_id{10}, slot_id{19}}), 1s));
  auto const fence = value_of(read_fence(*source_, "sales"));
  ASSERT_EQ(fence.size(), 3u);
  EXPECT_FALSE(fence[1].open);
  EXPECT_EQ(fence[1].wave, "w1");
  EXPECT_FALSE(fence[1].past_deadline);
  auto const parts = cut_by_fence(fence, {{slot_id{5}, slot_id{12}}, {slot_id{19}, slot_id{19}}});
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].slots, (slot_range{slot_id{5}, slot_id{9}}));
  EXPECT_TRUE(parts[0].open);
  EXPECT_EQ(parts[1].slots, (slot_range{slot_id{10}, slot_id{12}}));
  EXPECT_FALSE(parts[1].open);
  EXPECT_EQ(parts[2].slots, (slot_range{slot_id{19}, slot_id{19}}));
  require(flip_now(*source_,
                   {.group = "sales", .changes = {{{slot_id{10}, slot_id{19}}, epoch{2}, true}}, .wave = {}},
                   1s));
  EXPECT_TRUE(value_of(read_fence(*source_, "sales")).at(1).open);
  EXPECT_TRUE(blockers_.empty());
}

TEST_F(flip_test, changes_all_of_a_request_or_nothing) {
  // The second change would take the epoch back.
  flip_request const request{
      .group = "sales",
      .changes = {{{slot_id{0}, slot_id{9}}, epoch{1}, false}, {{slot_id{10}, slot_id{19}}, epoch{0}, false}},
      .wave = "w1"};
  EXPECT_FALSE(flip_now(*source_, request, 1s));
  EXPECT_EQ(value_of(read_fence(*source_, "sales")).size(), 1u);
  EXPECT_FALSE(source_->in_transaction());
}

TEST_F(flip_test, gives_up_within_its_budget_and_names_the_blocker) {  // X3
  auto const writer = value_of(connect(
      {.node = "source", .conninfo = fleet_->conninfo(fleet_->source()), .application_name = "checkout"}));
  run(*writer, "BEGIN");
  require(writer->query(fence_statement("sales", slot, epoch{1})));
  auto const begun = steady_clock::now();
  auto const tried = flip_now(*source_, closing(), 400ms);
  auto const took = steady_clock::now() - begun;
  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().code(), error_code::stall_budget_spent);
  EXPECT_EQ(tried.error().node(), "source");
  auto const text = tried.error().to_string();
  EXPECT_NE(text.find("pid " + std::to_string(writer->identity().backend_pid)), std::string::npos) << text;
  EXPECT_NE(text.find("checkout"), std::string::npos) << text;
  EXPECT_LT(took, 800ms);
  EXPECT_EQ(blockers_.size(), 1u);
  run(*writer, "ROLLBACK");
  EXPECT_EQ(locks_on_fence(*open_source()), "0");
  EXPECT_FALSE(source_->in_transaction());
  EXPECT_TRUE(value_of(read_fence(*source_, "sales")).at(0).open);
}

TEST_F(flip_test, names_a_prepared_transaction) {  // W15, M5
  auto const writer = open_source();
  run(*writer, "BEGIN");
  require(writer->query(fence_statement("sales", slot, epoch{1})));
  run(*writer, "PREPARE TRANSACTION 'forgotten'");
  auto const tried = flip_now(*source_, closing(), 200ms);
  run(*writer, "ROLLBACK PREPARED 'forgotten'");
  ASSERT_FALSE(tried);
  EXPECT_NE(tried.error().to_string().find("prepared transaction"), std::string::npos);
}

// X4: pg_dump holds ACCESS SHARE on every table for hours: it does not block a flip, and it is not named if
// others block the flip.
TEST_F(flip_test, is_not_stopped_by_a_dump) {
  auto const dump = value_of(connect(
      {.node = "source", .conninfo = fleet_->conninfo(fleet_->source()), .application_name = "dump"}));
  run(*dump, "BEGIN; LOCK TABLE shardway.fence_lock_sales IN ACCESS SHARE MODE");
  require(flip_now(*source_, closing({slot_id{0}, slot_id{1}}), 500ms));
  auto const writer = open_source();
  run(*writer, "BEGIN");
  require(writer->query(fence_statement("sales", slot, epoch{1})));
  auto const tried = flip_now(*source_, closing({slot_id{5}, slot_id{9}}), 200ms);
  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().to_string().find("dump"), std::string::npos);
}

TEST_F(flip_test, retries_until_it_gets_the_lock) {  // X4
  auto const writer = open_source();
  run(*writer, "BEGIN");
  require(writer->query(fence_statement("sales", slot, epoch{1})));
  auto flipping = std::async(std::launch::async, [&] { return flip_now(*source_, closing(), 3s); });
  std::this_thread::sleep_for(300ms);
  // Writers that arrive meanwhile get through between the tries.
  auto const other = open_source();
  run(*other, "BEGIN");
  EXPECT_TRUE(other->query(fence_statement("sales", slot, epoch{1}), steady_clock::now() + 2s));
  run(*other, "ROLLBACK");
  run(*writer, "COMMIT");
  require(flipping.get());
  EXPECT_FALSE(value_of(read_fence(*source_, "sales")).at(0).open);
  EXPECT_FALSE(blockers_.empty());
}

TEST_F(flip_test, refuses_a_controller_that_was_replaced) {  // X2
  run(*source_, "SELECT shardway.raise_token(5, 'other')");
  auto const tried = flip_now(*source_, closing(), 1s, 4);
  ASSERT_FALSE(tried);
  EXPECT_EQ(tried.error().code(), error_code::not_leader);
  EXPECT_TRUE(value_of(read_fence(*source_, "sales")).at(0).open);
  EXPECT_EQ(write_marker(*source_, "w1", 4).error().code(), error_code::not_leader);
  EXPECT_EQ(one(*source_, "SELECT count(*) FROM shardway.marker"), "0");
  require(flip_now(*source_, closing(), 1s, 5));
}

TEST_F(flip_test, waits_until_the_marker_has_been_passed) {  // X5
  auto const id = value_of(write_marker(*source_, "w1", 0));
  EXPECT_EQ(one(*source_, "SELECT wave FROM shardway.marker WHERE id = " + std::to_string(id)), "w1");
  auto const at = value_of(current_lsn(*source_));
  require(shard_->query(advance_statement("source", {.applied = at, .marker = id - 1, .totals = {}})));
  auto const early = await_marker(*shard_, "source", id, steady_clock::now() + 100ms);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code(), error_code::stall_budget_spent);
  EXPECT_EQ(early.error().node(), "shard1");
  EXPECT_NE(early.error().to_string().find(at.to_string()), std::string::npos) << "how far the stream was";
  auto waiting = std::async(std::launch::async,
                            [&] { return await_marker(*shard_, "source", id, steady_clock::now() + 5s); });
  std::this_thread::sleep_for(50ms);
  auto const stream = open_shard();
  require(stream->query(advance_statement("other", {.applied = at, .marker = id + 9, .totals = {}})));
  EXPECT_EQ(waiting.wait_for(100ms), std::future_status::timeout) << "another stream's progress says nothing";
  require(stream->query(advance_statement("source", {.applied = at, .marker = id, .totals = {}})));
  require(waiting.get());
}

TEST_F(flip_test, does_not_wait_for_ever_for_a_node_that_does_not_answer) {
  require(fleet_->shard(0).pause());
  auto const begun = steady_clock::now();
  auto const waited = await_marker(*shard_, "source", 1, begun + 200ms);
  auto const took = steady_clock::now() - begun;
  require(fleet_->shard(0).resume());
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code(), error_code::deadline_exceeded);
  EXPECT_LT(took, 3s);
}

}  // namespace
