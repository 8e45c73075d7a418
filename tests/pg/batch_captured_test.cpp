// Batches, operations and several keys in one transaction where triggers capture: what needs a statement
// between the rows and COMMIT.
#include "capture_fixture.hpp"

namespace {

using namespace shardway_test;

constexpr char insert_row[] =
    "INSERT INTO shop.orders (order_id, customer_id, note) VALUES ($1, $1, 'batch') RETURNING order_id";

batch_row row(std::int64_t key) { return {shard_key{key}, {text(key)}}; }

TEST_F(captured, a_batch_is_captured_row_by_row_and_is_still_one_transaction) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  std::vector<std::int64_t> const keys{fresh_key(), fresh_key(), fresh_key()};
  std::vector<batch_row> const rows{row(keys[0]), row(keys[1]), row(keys[2])};
  auto const done = value_of(session.execute_batch("shop.orders", insert_row, rows));
  ASSERT_EQ(done.parts.size(), 1U);
  EXPECT_EQ(done.parts[0].state, part_state::committed);
  EXPECT_EQ(done.parts[0].dual_write, dual_write_state::applied) << done.parts[0].dual_write_reason;
  EXPECT_EQ(done.parts[0].dual_write_rows, 3);
  EXPECT_EQ(done.affected, 3);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(done.rows[i].returned.text(0, 0), text(keys[i]));
    EXPECT_EQ(note_at(shard_of(keys[i]), keys[i]), "batch");
  }
  auto const fresh = fresh_key();
  std::vector<batch_row> const bad{row(fresh), row(keys[1])};
  auto const refused = value_of(session.execute_batch("shop.orders", insert_row, bad));
  EXPECT_EQ(refused.parts.at(0).state, part_state::rolled_back);
  EXPECT_EQ(refused.parts[0].failed_row, 1U);
  EXPECT_EQ(note_at(source(), fresh), "absent");
}

TEST_F(captured, an_operation_has_one_effect) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  write_options const options{.operation_id = "captured"};
  auto const first = value_of(session.execute("shop.orders", key, insert_row, {text(key)}, options));
  EXPECT_FALSE(first.replayed);
  EXPECT_EQ(first.dual_write, dual_write_state::applied) << first.dual_write_reason;
  auto const second = value_of(session.execute("shop.orders", key, insert_row, {text(key)}, options));
  EXPECT_TRUE(second.replayed);
  EXPECT_EQ(second.id, first.id);
  EXPECT_EQ(second.affected, 1);
}

}  // namespace
