// Windows of a node, and their history.
#include "lib/migrate/stream/window.hpp"

#include <gtest/gtest.h>

namespace {

using namespace shardway;
using namespace shardway::migrate::stream;

slot_range slots(std::uint16_t first, std::uint16_t last) { return {slot_id{first}, slot_id{last}}; }

window_state state_of(std::uint16_t open_to, std::uint16_t at) {
  window_state state;
  state.set(all_slots, epoch{at}, false);
  state.set(slots(0, open_to), epoch{at}, true);
  return state;
}

TEST(window_state, knows_each_slot) {
  window_state state;
  EXPECT_FALSE(state.is_open_somewhere());
  state.set(slots(10, 20), epoch{3}, true);
  state.set(slots(15, 15), epoch{5}, false);
  state.set(slots(4095, 4095), epoch{4}, true);
  EXPECT_TRUE(state.of(slot_id{10}).is_open);
  EXPECT_FALSE(state.of(slot_id{15}).is_open);
  EXPECT_EQ(state.of(slot_id{15}).epoch, epoch{5});
  EXPECT_EQ(state.highest_open(), epoch{4});
  EXPECT_EQ(state.open_ranges(), (std::vector<slot_range>{slots(10, 14), slots(16, 20), slots(4095, 4095)}));
  EXPECT_FALSE(state.is_open_everywhere());
  state.set(all_slots, epoch{6}, true);
  EXPECT_TRUE(state.is_open_everywhere());
}

TEST(window_state, text_form_round_trips) {
  window_state state;
  state.set(slots(0, 2047), epoch{3}, true);
  state.set(slots(2048, 4095), epoch{1023}, false);
  EXPECT_EQ(state.encode(), "0-2047:3:open,2048-4095:1023:closed");
  EXPECT_EQ(window_state::decode(state.encode()), state);
}

TEST(window_state, refuses_texts_that_leave_a_slot_out) {
  for (auto const* text :
       {"", "0-4094:1:open", "1-4095:1:open", "0-10:1:open,12-4095:1:open", "0-4096:1:open",
        "0-4095:1024:open", "0-4095:1:ajar", "0-4095:1", "0-4095:1:open,0-1:1:open"})
    EXPECT_FALSE(window_state::decode(text)) << text;
}

TEST(window_history, goes_back_to_where_a_resend_starts) {
  window_history history;
  EXPECT_EQ(history.now("sales"), nullptr);
  history.record("sales", lsn{100}, state_of(10, 1));
  history.record("sales", lsn{200}, state_of(20, 2));
  history.record("sales", lsn{300}, state_of(30, 3));
  auto decoded = window_history::decode(history.encode());
  ASSERT_TRUE(decoded);
  decoded->rewind(lsn{250});
  EXPECT_EQ(*decoded->now("sales"), state_of(20, 2));
  decoded->rewind(lsn{200});
  EXPECT_EQ(*decoded->now("sales"), state_of(20, 2)) << "a flip that ends at the position is behind it";
  decoded->rewind(lsn{50});
  EXPECT_EQ(*decoded->now("sales"), state_of(10, 1)) << "the oldest state is never forgotten";
}

TEST(window_history, forgets_only_what_no_resend_needs) {
  window_history history;
  history.record("sales", lsn{100}, state_of(10, 1));
  history.record("sales", lsn{200}, state_of(20, 2));
  history.prune(lsn{199});
  EXPECT_EQ(history.encode().size(), 2u);
  history.prune(lsn{200});
  EXPECT_EQ(history.encode().size(), 1u);
  EXPECT_EQ(*history.now("sales"), state_of(20, 2));
  EXPECT_TRUE(history.is_open_somewhere());
}

TEST(window_history, refuses_lines_that_do_not_parse) {
  for (auto const* line : {"", "sales", "sales|0/1", "sales|x|0-4095:1:open", "sales|0/1|0-1:1:open"})
    EXPECT_FALSE(window_history::decode({line})) << line;
}

}  // namespace
