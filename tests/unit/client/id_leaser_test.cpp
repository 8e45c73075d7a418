#include "lib/client/session/id_leaser.hpp"

#include <atomic>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "support/value_of.hpp"

namespace {

using namespace shardway;
using namespace std::chrono_literals;
using shardway_test::value_of;

steady_time soon() { return std::chrono::steady_clock::now() + 10s; }

// A catalog: a counter that can be down.
struct catalog {
  std::atomic<std::int64_t> next{1};
  std::atomic<bool> is_down{};
  std::atomic<int> asked{};
  result<std::int64_t> lease(std::uint32_t count) {
    ++asked;
    if (is_down) return error{error_code::node_unreachable, "down"};
    return next.fetch_add(count);
  }
  id_leaser::lease_function function() {
    return [this](std::string const&, std::uint32_t count) { return lease(count); };
  }
};

TEST(id_leaser, no_id_is_given_twice_to_threads_that_ask_together) {
  catalog source;
  id_leaser ids{source.function()};
  std::vector<std::vector<std::int64_t>> taken(4);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : taken)
      threads.emplace_back([&ids, &mine] {
        for (int i = 0; i < 2000; ++i) mine.push_back(value_of(ids.take("t", 7, soon())));
      });
  }
  std::set<std::int64_t> all;
  for (auto const& mine : taken) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    all.insert(mine.begin(), mine.end());
  }
  EXPECT_EQ(all.size(), 8000U);
}

TEST(id_leaser, the_next_block_is_there_before_the_first_is_used_up) {
  catalog source;
  id_leaser ids{source.function()};
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(value_of(ids.take("t", 10, soon())), i);
  while (source.asked < 2)
    std::this_thread::yield();  // half of it is used: the second was asked for by nobody's wait
  source.is_down = true;
  for (int i = 6; i <= 20; ++i) EXPECT_EQ(value_of(ids.take("t", 10, soon())), i);
  EXPECT_EQ(ids.take("t", 10, soon()).error().code(), error_code::node_unreachable);
  source.is_down = false;
  EXPECT_EQ(value_of(ids.take("t", 10, soon())), 21);
}

TEST(id_leaser, tables_have_blocks_of_their_own_and_a_block_of_one_works) {
  catalog source;
  id_leaser ids{source.function()};
  std::set<std::int64_t> all;
  for (int i = 0; i < 50; ++i) {
    all.insert(value_of(ids.take("a", 1, soon())));
    all.insert(value_of(ids.take("b", 3, soon())));
  }
  EXPECT_EQ(all.size(), 100U);
}

TEST(id_leaser, stopped_it_gives_what_it_has_and_then_says_so) {
  catalog source;
  id_leaser ids{source.function()};
  EXPECT_EQ(value_of(ids.take("t", 2, soon())), 1);
  ids.stop();
  std::int64_t last = 1;
  for (;;) {
    auto const next = ids.take("t", 2, soon());
    if (!next) {
      EXPECT_EQ(next.error().code(), error_code::cancelled);
      break;
    }
    EXPECT_EQ(next.value(), ++last);
  }
  EXPECT_LE(last, 4);
}

}  // namespace
