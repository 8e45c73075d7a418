#include "shardway/observe/call_collector.hpp"

#include <cstdlib>
#include <new>
#include <thread>

#include <gmock/gmock.h>

namespace {

thread_local std::size_t allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (auto* const room = std::malloc(size)) return room;
  throw std::bad_alloc{};
}
// std::stable_sort asks for its buffer so, and gives it back to the operator below.
void* operator new(std::size_t size, std::nothrow_t const&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void* room) noexcept { std::free(room); }
void operator delete(void* room, std::size_t) noexcept { std::free(room); }

namespace {

using namespace shardway;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

void count(call_collector& collector, std::string_view table, call_site const& site,
           call_shape shape = call_shape::single_shard) {
  collector.count(collector.table(table), site, call_kind::execute, call_operation::update, shape);
}

call_site here(std::source_location where = std::source_location::current()) { return {.where = where}; }

TEST(call_sites, are_named_by_file_line_and_function) {
  auto const line = __LINE__ + 1;
  auto const place = here();
  EXPECT_THAT(text_of(place), ::testing::StartsWith("call_collector_test.cpp:" + std::to_string(line) + ":"));
  EXPECT_THAT(text_of(place), ::testing::EndsWith("TestBody")) << "no types, no folders";
  EXPECT_EQ(text_of({.label = "checkout", .where = place.where}), "checkout");
}

TEST(call_collectors, count_by_table_site_and_shape) {
  call_collector seen;
  auto const place = here();
  for (int i = 0; i < 3; ++i) count(seen, "shop.orders", place);
  count(seen, "shop.orders", {.label = "report"}, call_shape::without_key);
  count(seen, "shop.items", place);
  auto const report = seen.report();
  ASSERT_THAT(report.tables, SizeIs(2));
  EXPECT_EQ(report.tables[0].table, "shop.items");
  EXPECT_EQ(report.tables[1].counts[call_shape::single_shard], 3U);
  EXPECT_EQ(report.tables[1].counts[call_shape::without_key], 1U);
  ASSERT_THAT(report.sites, SizeIs(3));
  EXPECT_EQ(report.sites[2].site, "report");
  EXPECT_EQ(report.sites[2].counts[call_shape::without_key], 1U);
  EXPECT_EQ(report.other_tables.calls(), 0U);
}

TEST(call_collectors, count_together_what_is_past_a_bound) {
  call_collector seen{{.sites_max = 2, .tables_max = 1, .sets_max = 1}};
  for (auto const* label : {"a", "b", "c", "d"}) count(seen, "shop.orders", {.label = label});
  count(seen, "shop.items", {.label = "a"});
  auto* orders = seen.table("shop.orders");
  EXPECT_EQ(seen.table("shop.items"), nullptr);
  std::vector<observed_table*> written{orders};
  seen.count_together(written, true);
  seen.count_together(written, false);
  auto const report = seen.report();
  EXPECT_THAT(report.sites, SizeIs(2));
  EXPECT_EQ(report.tables[0].counts.calls(), 4U);
  EXPECT_EQ(report.tables[0].other_sites.calls(), 2U);
  EXPECT_EQ(report.other_tables.calls(), 1U);
  EXPECT_THAT(report.together, ElementsAre(tables_together{{"shop.orders"}, 1}));
  EXPECT_EQ(report.other_transactions, 1U);
}

TEST(call_collectors, know_a_set_of_tables_in_any_order_and_number) {
  call_collector seen;
  auto *a = seen.table("a"), *b = seen.table("b");
  std::vector<observed_table*> one{a, b, a}, other{b, a};
  seen.count_together(one, true);
  seen.count_together(other, true);
  seen.count_together({}, true);
  EXPECT_THAT(seen.report().together, ElementsAre(tables_together{{"a", "b"}, 2}));
  EXPECT_THAT(seen.report().tables, IsEmpty()) << "no call was made on them";
}

TEST(call_collectors, allocate_nothing_for_what_they_know) {
  call_collector seen;
  auto const place = here();
  std::vector<observed_table*> written{seen.table("shop.items"), seen.table("shop.orders")};
  auto const pass = [&] {
    count(seen, "shop.orders", place);
    count(seen, "shop.orders", {.label = "a label that is longer than any small string"});
    seen.count_together(written, true);
  };
  pass();
  auto const before = allocations;
  for (int i = 0; i < 100; ++i) pass();
  EXPECT_EQ(allocations, before);
}

TEST(call_collectors, lose_no_call_between_threads) {
  call_collector seen;
  constexpr int calls = 20000;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&] {
      for (int i = 0; i < calls; ++i)
        count(seen, i % 2 ? "shop.orders" : "shop.items", {.label = i % 3 ? "a" : "b"});
    });
  threads.clear();
  auto const report = seen.report();
  ASSERT_THAT(report.tables, SizeIs(2));
  EXPECT_EQ(report.tables[0].counts.calls() + report.tables[1].counts.calls(), 4U * calls);
  std::uint64_t at_sites = 0;
  for (auto const& site : report.sites) at_sites += site.counts.calls();
  EXPECT_EQ(at_sites, 4U * calls);
  EXPECT_THAT(report.sites, SizeIs(4));
}

}  // namespace
