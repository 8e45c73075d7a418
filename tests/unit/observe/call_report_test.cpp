#include "shardway/observe/call_report.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace {

using namespace shardway;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

call_counts counts(call_shape shape, std::uint64_t number) {
  call_counts made;
  made[shape] = number;
  return made;
}

call_site_report executes(std::string table, std::string site, std::uint64_t number) {
  return {std::move(table), std::move(site), call_kind::execute, call_operation::update,
          counts(call_shape::single_shard, number)};
}

TEST(call_reports, add_up_table_by_table_and_site_by_site) {
  call_report a, b;
  a.tables = {{"shop.orders", counts(call_shape::single_shard, 3), {}}};
  a.sites = {executes("shop.orders", "a.cpp:1:f", 3)};
  a.together = {{{"shop.items", "shop.orders"}, 2}};
  a.other_transactions = 1;
  b.tables = {{"shop.items", counts(call_shape::without_key, 1), {}},
              {"shop.orders", counts(call_shape::without_key, 4), counts(call_shape::without_key, 4)}};
  b.sites = {executes("shop.items", "a.cpp:1:f", 1), executes("shop.orders", "a.cpp:1:f", 5)};
  b.together = {{{"shop.items", "shop.orders"}, 5}, {{"shop.orders"}, 1}};
  b.other_tables = counts(call_shape::not_known, 7);
  merge(a, b);
  ASSERT_EQ(a.tables.size(), 2U);
  EXPECT_EQ(a.tables[1].counts.calls(), 7U);
  EXPECT_EQ(a.tables[1].counts[call_shape::without_key], 4U);
  EXPECT_EQ(a.tables[1].other_sites.calls(), 4U);
  EXPECT_THAT(a.sites,
              ElementsAre(executes("shop.items", "a.cpp:1:f", 1), executes("shop.orders", "a.cpp:1:f", 8)));
  EXPECT_THAT(a.together, ElementsAre(tables_together{{"shop.items", "shop.orders"}, 7},
                                      tables_together{{"shop.orders"}, 1}));
  EXPECT_EQ(a.other_tables[call_shape::not_known], 7U);
  EXPECT_EQ(a.other_transactions, 1U);
}

TEST(proposed_groups, are_tables_that_one_transaction_writes) {
  call_report seen;
  seen.together = {{{"a", "b"}, 10}, {{"b", "c"}, 3}, {{"d"}, 8}, {{"e", "f"}, 20}};
  EXPECT_THAT(propose_groups(seen),
              ElementsAre(proposed_group{{"e", "f"}, 20}, proposed_group{{"a", "b", "c"}, 13}));
}

TEST(proposed_groups, leave_out_tables_that_meet_now_and_then) {
  call_report seen;
  seen.together = {{{"a"}, 99}, {{"b"}, 90}, {{"a", "b"}, 1}};
  EXPECT_THAT(propose_groups(seen, 0.05), IsEmpty());
  EXPECT_THAT(propose_groups(seen, 0.01), ElementsAre(proposed_group{{"a", "b"}, 1}));
  seen.sites = {executes("b", "b.cpp:1:f", 1000)};  // written alone, by single statements
  EXPECT_THAT(propose_groups(seen, 0.01), ElementsAre(proposed_group{{"a", "b"}, 1}))
      << "a is written less often now, and 1 in 100 of its writes is with b";
  seen.sites = {executes("b", "b.cpp:1:f", 1000), executes("a", "b.cpp:1:f", 1000)};
  EXPECT_THAT(propose_groups(seen, 0.01), IsEmpty());
}

TEST(call_reports, are_json) {
  call_report seen;
  seen.tables = {{"shop.\"odd\"", counts(call_shape::crosses_groups, 2), {}}};
  seen.sites = {{"shop.orders", "a.cpp:1:f", call_kind::execute, call_operation::remove,
                 counts(call_shape::single_shard, 3)}};
  seen.together = {{{"a", "b"}, 10}};
  seen.other_transactions = 4;
  auto const none = json::parse(
      R"({"calls": 0, "single_shard": 0, "without_key": 0, "crosses_shards": 0, "crosses_groups": 0,
          "not_known": 0, "unlisted": 0})");
  auto table = none, site = none;
  table.update({{"table", "shop.\"odd\""}, {"calls", 2}, {"crosses_groups", 2}, {"other_call_sites", none}});
  site.update(
      {{"table", "shop.orders"}, {"site", "a.cpp:1:f"}, {"call", "execute"}, {"statement", "delete"}});
  site.update({{"calls", 3}, {"single_shard", 3}});
  json const expected{{"tables", {table}},
                      {"call_sites", {site}},
                      {"written_together", {{{"tables", {"a", "b"}}, {"transactions", 10}}}},
                      {"other_tables", none},
                      {"other_transactions", 4}};
  EXPECT_EQ(json::parse(to_json(seen)), expected);
}

TEST(call_reports, name_a_table_before_its_numbers) {
  call_report seen;
  seen.tables = {{"shop.orders", counts(call_shape::unlisted, 1), {}}};
  EXPECT_THAT(to_json(seen), HasSubstr(R"({"table":"shop.orders","calls":1,"single_shard":0,)"));
}

TEST(call_reports, replace_what_is_no_utf8) {
  call_report seen;
  seen.sites = {{"shop.orders", "label \xff", call_kind::read, call_operation::select, {}}};
  EXPECT_EQ(json::parse(to_json(seen)).at("call_sites").at(0).at("site"), "label \xef\xbf\xbd");
}

}  // namespace
