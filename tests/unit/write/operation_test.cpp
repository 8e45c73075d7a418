// Digests of operations, the rows of a batch by node, and the jobs that follow a commit.
#include "lib/write/operation.hpp"

#include <set>

#include <gtest/gtest.h>

#include "lib/write/rows_by_node.hpp"
#include "lib/write/second_half.hpp"

namespace {

using namespace shardway;

TEST(operations, every_part_of_a_call_and_where_it_ends_counts) {
  auto const digest = [](std::string_view id, std::string_view table, shard_key const& key,
                         std::string_view sql, std::vector<text_value> const& parameters) {
    return operation_digest(id, table, key, sql, parameters);
  };
  std::vector<std::string> const all{digest("a", "t", 1, "s", {"p"}),
                                     digest("b", "t", 1, "s", {"p"}),
                                     digest("a", "u", 1, "s", {"p"}),
                                     digest("a", "t", 2, "s", {"p"}),
                                     digest("a", "t", 1, "r", {"p"}),
                                     digest("a", "t", 1, "s", {"q"}),
                                     digest("a", "t", 1, "s", {std::nullopt}),
                                     digest("a", "t", 1, "s", {""}),
                                     digest("a", "t", 1, "s", {}),
                                     digest("at", "", 1, "s", {"p"}),
                                     digest("a", "t", 1, "sp", {""}),
                                     digest("a", "t", 1, "s", {"p", ""}),
                                     digest("a", "t", 1, "s", {"", "p"})};
  EXPECT_EQ(std::set(all.begin(), all.end()).size(), all.size());
  EXPECT_EQ(all[0], digest("a", "t", 1, "s", {"p"}));
  EXPECT_EQ(all[0].size(), 64U);
}

TEST(operations, one_write_in_256_sweeps) {
  int sweeping = 0;
  for (int last = 0; last < 256; ++last)
    sweeping += sweeps_operations(
                    write_id::from_parts(1, {0, 0, 0, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(last)}))
                    ? 1
                    : 0;
  EXPECT_EQ(sweeping, 1);
}

call_target target_on(node_index node, std::string name) {
  call_target target;
  target.node = node;
  target.node_name = std::move(name);
  return target;
}

TEST(batch_rows, go_by_node_in_the_callers_order) {
  node_index const first{shard_id{0}}, second{shard_id{1}};
  std::vector<std::size_t> const rows{4, 5, 6, 7};
  std::vector<call_target> const targets{target_on(second, "b"), target_on(first, "a"),
                                         target_on(second, "b"), target_on(first, "a")};
  auto const parts = rows_by_node(rows, targets);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0], (std::vector<std::size_t>{4, 6}));
  EXPECT_EQ(parts[1], (std::vector<std::size_t>{5, 7}));
  EXPECT_EQ(crossing("shop.orders", targets).code(), error_code::cross_shard);
  EXPECT_NE(crossing("shop.orders", targets).message().find("(b, a)"), std::string::npos);
}

TEST(second_half, is_one_job_a_shard_and_the_worse_state_decides) {
  captured_changes changes;
  for (std::uint16_t shard : {1, 0, 1}) {
    dual_write_change one;
    one.shard = shard_id{shard};
    one.row.ordinal = static_cast<std::int32_t>(changes.changes.size());
    changes.changes.push_back(one);
  }
  auto const jobs = jobs_of(changes);
  ASSERT_EQ(jobs.size(), 2U);
  EXPECT_EQ(jobs[0].shard, shard_id{0});
  ASSERT_EQ(jobs[1].changes.size(), 2U);
  EXPECT_EQ(jobs[1].changes[0].row.ordinal, 0);
  EXPECT_EQ(jobs[1].changes[1].row.ordinal, 2);
  dual_write_result const applied{.state = dual_write_state::applied, .reason = {}, .rows_applied = 2};
  dual_write_result const pending{.state = dual_write_state::pending, .reason = "late", .rows_applied = 1};
  for (auto const& both : {combined(applied, pending), combined(pending, applied)}) {
    EXPECT_EQ(both.state, dual_write_state::pending);
    EXPECT_EQ(both.reason, "late");
    EXPECT_EQ(both.rows_applied, 3);
  }
}

}  // namespace
