// Rows given by their columns, in every stage.
#include "write_fixture.hpp"

namespace {

using namespace shardway_test;

class row_helpers : public writes {
 protected:
  shardway::testing::server& node_of(std::int64_t key) {
    return moved_ ? fleet().shard_of(slot_of(shard_key{key})) : source();
  }
  std::string row_of(std::int64_t key) {
    return fleet().on(node_of(key),
                      "SELECT coalesce((SELECT customer_id || ' ' || total || ' ' || coalesce(note, 'NULL') "
                      "FROM shop.orders WHERE order_id = " +
                          text(key) + "), 'absent')");
  }
  void move(std::int64_t key) {
    auto const slot = slot_of(shard_key{key});
    fleet().flip(source(), slot, 1, false);
    fleet().flip(fleet().shard_of(slot), slot, 2, true);
    fleet().assign(slot, fleet().current().shard_of(slot), 2);
    moved_ = true;
  }
  void move_back(std::int64_t key) {
    auto const slot = slot_of(shard_key{key});
    fleet().flip(fleet().shard_of(slot), slot, 2, false);
    fleet().flip(source(), slot, 3, true);
    fleet().assign(slot, std::nullopt, 3);
    moved_ = false;
  }
  void all_helpers(std::int64_t key) {
    auto app = fleet().open();
    auto session = app.session();
    row_values const id{{"order_id", text(key)}, {"customer_id", text(key)}};
    auto const with = [&](row_values more) {
      more.insert(more.end(), id.begin(), id.end());
      return more;
    };
    EXPECT_EQ(value_of(session.insert("shop.orders", with({{"total", "2.50"}}))).affected, 1);
    EXPECT_EQ(row_of(key), text(key) + " 2.50 new");
    EXPECT_EQ(session.insert("shop.orders", id).error().code(), error_code::constraint_violation);
    EXPECT_EQ(value_of(session.upsert("shop.orders", with({{"note", "put"}}))).affected, 1);
    EXPECT_EQ(row_of(key), text(key) + " 2.50 put");
    EXPECT_EQ(value_of(session.upsert("shop.orders", id)).affected, 1);
    EXPECT_EQ(value_of(session.update("shop.orders", with({{"note", std::nullopt}}))).affected, 1);
    EXPECT_EQ(row_of(key), text(key) + " 2.50 NULL");
    EXPECT_EQ(session.insert("shop.orders", with({{"doubled", "1"}})).error().code(),
              error_code::invalid_argument);
    EXPECT_EQ(value_of(session.erase("shop.orders", id)).affected, 1);
    EXPECT_EQ(row_of(key), "absent");
    EXPECT_EQ(value_of(session.erase("shop.orders", id)).affected, 0);
    EXPECT_EQ(value_of(session.upsert("shop.orders", with({{"note", "first"}}))).affected, 1);
    EXPECT_EQ(row_of(key), text(key) + " 0.00 first");
  }
  bool moved_{};
};

TEST_F(row_helpers, work_while_observing) {
  at_stage(stage::observing);
  all_helpers(fresh_key());
}

TEST_F(row_helpers, work_while_dual_writing_and_reach_the_shard) {
  at_stage(stage::dual_writing);
  auto const key = fresh_key();
  all_helpers(key);
  EXPECT_EQ(shard_note(key), "first");
}

TEST_F(row_helpers, work_on_a_shard_and_after_the_rollback) {
  at_stage(stage::dual_writing);
  auto const key = fresh_key();
  move(key);
  fleet().publish(stage::sharded);
  all_helpers(key);
  move_back(key);
  fleet().publish(stage::dual_writing);
  all_helpers(key);
}

TEST_F(row_helpers, upsert_never_changes_the_shard_key_in_any_stage) {
  for (auto const at : {stage::observing, stage::dual_writing}) {
    at_stage(at);
    auto app = fleet().open();
    auto session = app.session();
    auto const key = fresh_key(), other = fresh_key();
    require(session.insert("shop.orders", {{"order_id", text(key)}, {"customer_id", text(key)}}));
    auto const refused = session.upsert(
        "shop.orders", {{"order_id", text(key)}, {"customer_id", text(other)}, {"note", "moved"}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), error_code::shard_key_mismatch);
    EXPECT_EQ(row_of(key), text(key) + " 0.00 new");
  }
}

TEST_F(row_helpers, reference_tables_need_no_shard_key) {
  at_stage(stage::replicating);
  auto app = fleet().open();
  auto session = app.session();
  EXPECT_EQ(value_of(session.upsert("shop.currencies", {{"code", "XTS"}, {"name", "test"}})).affected, 1);
  EXPECT_EQ(value_of(session.upsert("shop.currencies", {{"code", "XTS"}, {"name", "again"}})).affected, 1);
  EXPECT_EQ(fleet().on(source(), "SELECT name FROM shop.currencies WHERE code = 'XTS'"), "again");
  EXPECT_EQ(session.insert("shop.nothing", {{"code", "x"}}).error().code(), error_code::unknown_table);
}

TEST_F(row_helpers, take_an_operation_id) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  row_values const row{{"order_id", text(key)}, {"customer_id", text(key)}};
  EXPECT_FALSE(value_of(session.insert("shop.orders", row, {.operation_id = "row"})).replayed);
  EXPECT_TRUE(value_of(session.insert("shop.orders", row, {.operation_id = "row"})).replayed);
}

}  // namespace
