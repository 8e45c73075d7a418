// Batches, and transactions over several keys of one node: in every stage, on a real source and shards.
#include <thread>

#include <gmock/gmock.h>

#include "shardway/testing/fault_proxy.hpp"
#include "write_fixture.hpp"

namespace {

using namespace shardway_test;
using ::testing::HasSubstr;
using ::testing::Not;

class batches : public writes {
 protected:
  static constexpr char insert_sql[] =
      "INSERT INTO shop.orders (order_id, customer_id, note) VALUES ($1, $2, $3) RETURNING order_id, note";

  // A key placed on the shard given, whose slot no other test uses.
  static std::int64_t key_on(std::uint16_t shard) {
    auto key = fresh_key();
    while (fleet().current().shard_of(slot_of(shard_key{key})) != shard_id{shard}) key = fresh_key();
    return key;
  }
  static batch_row row(std::int64_t key, std::string note = "batch") {
    return {shard_key{key}, {text(key), text(key), std::move(note)}};
  }

  // Moves the slot's authority from the source to its shard, as a wave does.
  void move(std::int64_t key, int epoch = 2) {
    auto const slot = slot_of(shard_key{key});
    fleet().flip(source(), slot, epoch - 1, false);
    fleet().flip(fleet().shard_of(slot), slot, epoch, true);
    fleet().assign(slot, fleet().current().shard_of(slot), epoch);
  }
  void move_back(std::int64_t key, int epoch) {
    auto const slot = slot_of(shard_key{key});
    fleet().flip(fleet().shard_of(slot), slot, epoch - 1, false);
    fleet().flip(source(), slot, epoch, true);
    fleet().assign(slot, std::nullopt, epoch);
  }
  std::string total_on_source(std::vector<std::int64_t> const& keys) {
    std::string list;
    for (auto const key : keys) list += (list.empty() ? "" : ", ") + text(key);
    return fleet().on(source(), "SELECT count(*) FROM shop.orders WHERE order_id IN (" + list + ")");
  }
};

TEST_F(batches, observing_all_rows_are_one_transaction_and_answer_in_order) {
  at_stage(stage::observing);
  auto app = fleet().open();
  auto session = app.session();
  std::vector<batch_row> rows;
  std::vector<std::int64_t> keys;
  for (int i = 0; i < 50; ++i) rows.push_back(row(keys.emplace_back(fresh_key()), "n" + text(i)));
  auto const done = value_of(session.execute_batch("shop.orders", insert_sql, rows));
  ASSERT_EQ(done.parts.size(), 1U);
  EXPECT_TRUE(done.all_committed());
  EXPECT_EQ(done.parts[0].node, "source");
  EXPECT_EQ(done.affected, 50);
  ASSERT_EQ(done.rows.size(), 50U);
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(done.rows[i].affected, 1);
    EXPECT_EQ(done.rows[i].returned.text(0, 0), text(keys[i]));
    EXPECT_EQ(done.rows[i].returned.text(0, 1), "n" + text(static_cast<std::int64_t>(i)));
  }
  EXPECT_EQ(fleet().on(source(), "SELECT count(DISTINCT xmin::text) FROM shop.orders WHERE order_id IN (" +
                                     text(keys[0]) + ", " + text(keys[49]) + ")"),
            "1");
  EXPECT_FALSE(session.token().empty());
}

TEST_F(batches, dual_writing_puts_every_row_on_its_shard_in_one_write) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  std::vector<batch_row> rows;
  std::vector<std::int64_t> keys;
  for (int i = 0; i < 12; ++i)
    rows.push_back(row(keys.emplace_back(key_on(static_cast<std::uint16_t>(i % 2)))));
  auto const done = value_of(session.execute_batch("shop.orders", insert_sql, rows));
  ASSERT_EQ(done.parts.size(), 1U);
  EXPECT_EQ(done.parts[0].state, part_state::committed);
  EXPECT_EQ(done.parts[0].dual_write, dual_write_state::applied) << done.parts[0].dual_write_reason;
  EXPECT_EQ(done.parts[0].dual_write_rows, 12);
  EXPECT_EQ(outbox_rows(done.parts[0].id), "12");
  EXPECT_EQ(fleet().on(source(), "SELECT count(DISTINCT ordinal) FROM shardway.outbox WHERE write_id = '" +
                                     done.parts[0].id.to_string() + "'"),
            "12");
  for (auto const key : keys) EXPECT_EQ(shard_note(key), "batch");
  // One message per shard is one transaction per shard.
  EXPECT_EQ(fleet().on(fleet().servers().shard(0),
                       "SELECT count(DISTINCT xmin::text) FROM shop.orders WHERE order_id IN (" +
                           text(keys[0]) + ", " + text(keys[2]) + ", " + text(keys[10]) + ")"),
            "1");
}

TEST_F(batches, a_row_that_fails_rolls_its_part_back_and_no_other) {
  at_stage(stage::sharded);
  auto const first = key_on(0), second = key_on(1), third = key_on(1);
  move(first);
  move(second);
  move(third);
  fleet().publish(stage::sharded);
  auto app = fleet().open();
  auto session = app.session();
  require(insert(session, third, "there"));
  std::vector<batch_row> const rows{row(first), row(second), row(third)};
  auto const done = value_of(session.execute_batch("shop.orders", insert_sql, rows));
  ASSERT_EQ(done.parts.size(), 2U);
  EXPECT_FALSE(done.all_committed());
  EXPECT_EQ(done.parts[0].state, part_state::committed);
  EXPECT_EQ(done.parts[0].node, fleet().shard_of(slot_of(shard_key{first})).name());
  EXPECT_THAT(done.parts[0].rows, ::testing::ElementsAre(0U));
  EXPECT_EQ(done.parts[1].state, part_state::rolled_back);
  EXPECT_THAT(done.parts[1].rows, ::testing::ElementsAre(1U, 2U));
  EXPECT_EQ(done.parts[1].failed_row, 2U);
  EXPECT_EQ(done.parts[1].why.value().code(), error_code::constraint_violation);
  EXPECT_EQ(done.rows[1].affected, 0);
  EXPECT_EQ(done.rows[1].part, 1U);
  EXPECT_EQ(done.affected, 1);
  EXPECT_EQ(shard_note(first), "batch");
  EXPECT_EQ(shard_note(second), "absent");
  EXPECT_EQ(shard_note(third), "there");
}

TEST_F(batches, one_transaction_over_two_nodes_is_refused_by_name_and_counted_before) {  // W19
  at_stage(stage::dual_writing);
  auto const first = key_on(0), second = key_on(1);
  auto app = fleet().open();
  auto session = app.session();
  std::vector<batch_row> const rows{row(first), row(second)};
  require(session.execute_batch("shop.orders", insert_sql, rows, {.single_transaction = true}));
  EXPECT_EQ(app.totals().cross_shard, 1U);
  move(first);
  move(second);
  fleet().publish(stage::sharded);
  auto const refused = session.execute_batch(
      "shop.orders", "UPDATE shop.orders SET note = $3 WHERE order_id = $1 AND customer_id = $2", rows,
      {.single_transaction = true});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::cross_shard);
  EXPECT_THAT(refused.error().message(), HasSubstr("shop.orders"));
  for (auto const key : {first, second}) {
    EXPECT_THAT(refused.error().message(), HasSubstr(fleet().shard_of(slot_of(shard_key{key})).name()));
    EXPECT_THAT(refused.error().to_string(), Not(HasSubstr(text(key))));
  }
}

// I1: a generation from before the move sends both rows to the source; its fence refuses one slot and the
// rows are grouped again.
TEST_F(batches, rows_whose_slot_moved_in_between_are_grouped_again) {
  at_stage(stage::dual_writing);
  auto const stays = key_on(0), goes = key_on(1);
  auto options = fleet().options();
  options.generation_interval = 60s;
  auto app = value_of(client::open(options));
  auto session = app.session();
  move(goes);
  fleet().publish(stage::sharded);
  std::vector<batch_row> const rows{row(stays), row(goes)};
  auto const done = value_of(session.execute_batch("shop.orders", insert_sql, rows));
  ASSERT_EQ(done.parts.size(), 2U);
  EXPECT_TRUE(done.all_committed());
  EXPECT_EQ(source_note(stays), "batch");
  EXPECT_EQ(source_note(goes), "absent");
  EXPECT_EQ(shard_note(goes), "batch");
  EXPECT_GE(app.totals().refusals, 1U);
}

TEST_F(batches, after_a_rollback_the_source_takes_them_again) {
  at_stage(stage::dual_writing);
  auto const key = key_on(0), other = key_on(1);
  move(key);
  fleet().publish(stage::sharded);
  move_back(key, 3);
  fleet().publish(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  std::vector<batch_row> const rows{row(key), row(other)};
  auto const done =
      value_of(session.execute_batch("shop.orders", insert_sql, rows, {.single_transaction = true}));
  ASSERT_EQ(done.parts.size(), 1U);
  EXPECT_EQ(done.parts[0].node, "source");
  EXPECT_EQ(total_on_source({key, other}), "2");
}

TEST_F(batches, a_part_whose_commit_lost_its_answer_is_found_out) {
  at_stage(stage::dual_writing);
  auto proxy = value_of(shardway::testing::fault_proxy::open(source().port()));
  auto options = fleet().options();
  options.source.conninfo = proxy->conninfo();
  options.generation_interval = 60s;
  auto app = value_of(client::open(options));
  auto session = app.session();
  std::vector<batch_row> const rows{row(key_on(0)), row(key_on(1))};
  require(proxy->arm({.direction = shardway::testing::towards::client, .message = 'C', .text = "COMMIT"}));
  auto const done = value_of(session.execute_batch("shop.orders", insert_sql, rows));
  EXPECT_EQ(proxy->trips(), 1U);
  ASSERT_EQ(done.parts.size(), 1U);
  EXPECT_EQ(done.parts[0].state, part_state::committed);
  EXPECT_EQ(done.parts[0].retries, 0U);
  EXPECT_EQ(done.rows[1].affected, 1);
  EXPECT_EQ(done.parts[0].dual_write, dual_write_state::applied) << done.parts[0].dual_write_reason;
  EXPECT_EQ(outbox_rows(done.parts[0].id), "2");
}

TEST_F(batches, a_part_that_cannot_be_found_out_is_in_doubt_and_sent_once) {
  at_stage(stage::copying);
  auto proxy = value_of(shardway::testing::fault_proxy::open(source().port()));
  auto options = fleet().options();
  options.source.conninfo = proxy->conninfo();
  options.generation_interval = 60s;
  options.resolve_deadline = 200ms;
  auto app = value_of(client::open(options));
  auto session = app.session();
  auto const key = key_on(0);
  std::vector<batch_row> const rows{row(key)};
  require(proxy->arm({.direction = shardway::testing::towards::client, .message = 'C', .text = "COMMIT"}));
  auto ended = std::jthread([&] {
    if (proxy->wait_for_trips()) (void)proxy->set_refusing(true);
  });
  auto const done = value_of(session.execute_batch("shop.orders", insert_sql, rows));
  ended.join();
  ASSERT_EQ(done.parts.size(), 1U);
  // The proxy may refuse too late to hide the answer. The report must be true either way.
  if (done.parts[0].state == part_state::in_doubt) {
    EXPECT_EQ(done.parts[0].why.value().code(), error_code::in_doubt);
  } else {
    EXPECT_EQ(done.parts[0].state, part_state::committed);
  }
  EXPECT_EQ(source_note(key), "batch");
}

TEST_F(batches, another_shard_key_than_the_row_names_is_refused) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = key_on(0), other = key_on(0);
  std::vector<batch_row> const rows{row(key), {shard_key{other}, {text(other), text(key), "wrong"}}};
  auto const done = value_of(session.execute_batch("shop.orders", insert_sql, rows));
  EXPECT_EQ(done.parts.at(0).why.value().code(), error_code::shard_key_mismatch);
  EXPECT_EQ(done.parts[0].failed_row, 1U);
  EXPECT_EQ(total_on_source({key, other}), "0");
}

TEST_F(batches, illegal_ones_are_refused_before_anything_is_sent) {
  at_stage(stage::copying);
  auto app = fleet().open();
  auto session = app.session();
  std::vector<batch_row> const many(batch_rows_max + 1);
  EXPECT_EQ(session.execute_batch("shop.orders", insert_sql, many).error().code(),
            error_code::invalid_argument);
  EXPECT_EQ(session.execute_batch("shop.orders", insert_sql, std::vector<batch_row>(1)).error().code(),
            error_code::shard_key_missing);
  EXPECT_EQ(session.execute_batch("shop.nothing", insert_sql, std::vector{row(1)}).error().code(),
            error_code::unknown_table);
  EXPECT_TRUE(value_of(session.execute_batch("shop.orders", insert_sql, {})).parts.empty());
}

// --- several keys in one transaction ---

constexpr char put[] = "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)";

TEST_F(batches, a_transaction_writes_keys_of_two_shards_while_the_source_has_authority) {
  at_stage(stage::dual_writing);
  auto const first = key_on(0), second = key_on(1);
  auto app = fleet().open();
  auto session = app.session();
  auto const body = [&](write_transaction& in) -> result<> {
    BOOST_OUTCOME_TRYV(in.execute("shop.orders", put, {text(first)}));
    BOOST_OUTCOME_TRYV(in.execute_for(shard_key{second}, "shop.orders", put, {text(second)}));
    return success();
  };
  auto const done = value_of(session.write("shop.orders", first, body));
  EXPECT_EQ(done.affected, 2);
  EXPECT_EQ(done.dual_write, dual_write_state::applied) << done.dual_write_reason;
  EXPECT_EQ(done.dual_write_rows, 2);
  EXPECT_EQ(outbox_rows(done.id), "2");
  EXPECT_EQ(shard_note(first), "new");
  EXPECT_EQ(shard_note(second), "new");
  EXPECT_EQ(app.totals().cross_shard, 1U);
}

TEST_F(batches, a_transaction_over_two_shards_is_refused_once_they_have_moved) {  // W19
  at_stage(stage::sharded);
  auto const first = key_on(0), near = key_on(0), far = key_on(1);
  for (auto const key : {first, near, far}) move(key);
  fleet().publish(stage::sharded);
  auto app = fleet().open();
  auto session = app.session();
  auto const over = [&](std::int64_t second) {
    return session.write("shop.orders", first, [&](write_transaction& in) -> result<> {
      BOOST_OUTCOME_TRYV(in.also(second));
      BOOST_OUTCOME_TRYV(in.execute_for(shard_key{second}, "shop.orders", put, {text(second)}));
      return success();
    });
  };
  auto const refused = over(far);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::cross_shard);
  EXPECT_EQ(value_of(over(near)).affected, 1);
  EXPECT_EQ(shard_note(near), "new");
  EXPECT_EQ(shard_note(far), "absent");
  EXPECT_EQ(app.totals().cross_shard, 0U);
}

// I1: if the transaction did not check the second slot's fence, it would write on the source after that slot
// has moved.
TEST_F(batches, the_fence_of_the_second_key_is_asked_too) {
  at_stage(stage::dual_writing);
  auto const first = key_on(0), second = key_on(0);
  auto options = fleet().options();
  options.generation_interval = 60s;
  auto app = value_of(client::open(options));
  auto session = app.session();
  move(second);
  fleet().publish(stage::sharded);
  auto const done = session.write("shop.orders", first, [&](write_transaction& in) -> result<> {
    BOOST_OUTCOME_TRYV(in.execute_for(shard_key{second}, "shop.orders", put, {text(second)}));
    return success();
  });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), error_code::cross_shard);
  EXPECT_GE(app.totals().refusals, 1U);
  EXPECT_EQ(source_note(second), "absent");
}

}  // namespace
