// How a chunk meets the stream (CP1, CP2): every schedule of up to five writes of one key, with the guard and
// without it.
#include "lib/migrate/stream/chunk.hpp"

#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace shardway;
using namespace shardway::migrate::stream;

// Transactions 1..n write the key in turn. Each is first in the WAL, later visible: its backend may wait for
// a standby between the two, and the next writer waits for it. The dispatcher passes them in order; the copy
// goes through its steps beside it.
struct schedule {
  unsigned wal{}, visible{}, position{};
  chunk_machine chunk;
  unsigned opened_at{}, snapshot_at{};
  bool has_rows{}, is_handed_over{};
  std::vector<unsigned> deferred;
  std::optional<unsigned> target;  // the last writer whose row is on the shard

  auto identity() const {
    return std::tuple(wal, visible, position, static_cast<int>(chunk.step()), opened_at, snapshot_at,
                      has_rows, deferred, target);
  }
};

class model {
 public:
  explicit model(std::string history)
      : history_(std::move(history)), writes_(static_cast<unsigned>(history_.size())) {}

  /// The number of states, or nothing if some schedule ends with a wrong row.
  std::optional<std::size_t> explore() {
    std::vector<schedule> open{{}};
    seen_.insert(open.back().identity());
    while (!open.empty()) {
      auto const at = open.back();
      open.pop_back();
      if (at.position == writes_ && at.is_handed_over && at.target != after(writes_)) return std::nullopt;
      for (auto& next : successors(at))
        if (seen_.insert(next.identity()).second) open.push_back(std::move(next));
    }
    return seen_.size();
  }

 private:
  static constexpr std::uint32_t first_xid = 1000;
  std::optional<unsigned> after(unsigned write) const {
    return write && history_[write - 1] == 'U' ? std::optional{write} : std::nullopt;
  }
  xid_snapshot snapshot_of(unsigned visible) const {
    // Writers that wait for a standby are still on the list of running transactions.
    std::vector<std::uint64_t> running;
    for (unsigned write = visible + 1; write <= writes_; ++write) running.push_back(first_xid + write);
    return {first_xid + visible + 1, first_xid + writes_ + 1, running};
  }

  std::vector<schedule> successors(schedule const& at) const {
    std::vector<schedule> all;
    auto const add = [&](auto change) {
      auto next = at;
      if (change(next)) all.push_back(std::move(next));
    };
    if (at.wal == at.visible && at.wal < writes_) add([](schedule& s) { return ++s.wal, true; });
    if (at.visible < at.wal) add([](schedule& s) { return s.visible = s.wal, true; });
    if (at.position < at.wal) add([&](schedule& s) { return dispatch(s), true; });
    add([&](schedule& s) { return copy(s); });
    return all;
  }

  void dispatch(schedule& s) const {
    auto const write = ++s.position;
    switch (s.chunk.route()) {
      case chunk_route::skip:
        return;
      case chunk_route::defer:
        return s.deferred.push_back(write);
      case chunk_route::apply:
        s.target = after(write);
    }
  }

  bool copy(schedule& s) const {
    switch (s.chunk.step()) {
      case chunk_step::planned: {
        std::vector<std::uint32_t> passed;
        for (unsigned write = 1; write <= s.position; ++write) passed.push_back(first_xid + write);
        s.chunk.open(passed);
        s.opened_at = s.position;
        return true;
      }
      case chunk_step::open:
        if (!s.chunk.accept(snapshot_of(s.visible))) return false;
        s.snapshot_at = s.visible;
        return true;
      case chunk_step::copying:
        if (!s.has_rows) {
          s.target = after(s.snapshot_at);
          return s.has_rows = true;
        }
        s.chunk.copied();
        for (auto const write : s.deferred)
          if (s.chunk.is_wanted(first_xid + write)) s.target = after(write);
        s.deferred.clear();
        return s.is_handed_over = true;
      case chunk_step::closing:
        return s.chunk.close(), true;
      case chunk_step::closed:
        return false;
    }
    return false;
  }

  std::string history_;
  unsigned writes_;
  std::set<decltype(schedule{}.identity())> seen_;
};

std::vector<std::string> histories(unsigned longest) {
  std::vector<std::string> all{"U", "D"};
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].size() < longest) {
      all.push_back(all[i] + "U");
      all.push_back(all[i] + "D");
    }
  return all;
}

TEST(chunk, every_schedule_ends_with_the_last_write) {
  std::size_t states = 0;
  for (auto const& history : histories(5)) {
    auto const explored = model(history).explore();
    ASSERT_TRUE(explored) << "a schedule of " << history << " ends with another row";
    states += *explored;
  }
  EXPECT_GT(states, 10'000u);
}

TEST(chunk, without_the_visibility_rule_a_write_is_lost) {
  ::setenv("SHARDWAY_GUARD_OFF", "chunk_visibility", 1);
  bool is_lost = false;
  for (auto const& history : histories(5)) is_lost = is_lost || !model(history).explore();
  ::unsetenv("SHARDWAY_GUARD_OFF");
  EXPECT_TRUE(is_lost);
}

TEST(chunk, failed_chunk_starts_anew) {
  chunk_machine chunk;
  chunk.open({5});
  EXPECT_EQ(chunk.route(), chunk_route::defer);
  EXPECT_FALSE(chunk.accept({5, 6, {5}}));
  EXPECT_TRUE(chunk.accept({6, 6, {}}));
  chunk.fail();
  EXPECT_EQ(chunk.route(), chunk_route::skip);
  chunk.open({});
  EXPECT_TRUE(chunk.accept({1, 1, {}}));
}

TEST(xid_snapshot, shows_what_ended_before_it) {
  auto const snapshot = xid_snapshot::parse("10:20:10,14");
  ASSERT_TRUE(snapshot);
  EXPECT_TRUE(snapshot->shows(9));
  EXPECT_FALSE(snapshot->shows(10));
  EXPECT_TRUE(snapshot->shows(11));
  EXPECT_FALSE(snapshot->shows(14));
  EXPECT_TRUE(snapshot->shows(19));
  EXPECT_FALSE(snapshot->shows(20));
  EXPECT_TRUE(xid_snapshot::parse("10:10:")->shows(9));
}

TEST(xid_snapshot, knows_an_id_by_its_low_half_across_a_wraparound) {
  constexpr std::uint64_t round = std::uint64_t{1} << 32;
  xid_snapshot const late{3 * round + 5, 3 * round + 9, {3 * round + 5}};
  EXPECT_TRUE(late.shows(4294967290u)) << "of the round before";
  EXPECT_FALSE(late.shows(5));
  EXPECT_TRUE(late.shows(6));
  xid_snapshot const early{2 * round - 10, 2 * round - 2, {}};
  EXPECT_FALSE(early.shows(3)) << "of the round after";
  EXPECT_TRUE(early.shows(4294967290u));
}

TEST(xid_snapshot, refuses_other_texts) {
  for (auto const* text : {"", "1", "1:2", "a:b:", "1:2:x"}) EXPECT_FALSE(xid_snapshot::parse(text)) << text;
}

TEST(passed_transactions, forgets_what_every_later_snapshot_shows) {
  passed_transactions passed;
  for (std::uint32_t xid : {3u, 4u, 5u}) passed.add(xid);
  passed.prune({4, 6, {4}});
  EXPECT_EQ(passed.xids(), (std::vector<std::uint32_t>{4}));
}

}  // namespace
