// The document that keeps windows over a restart, and the flips that change them.
#include "lib/migrate/stream/read/stored_windows.hpp"

#include <gtest/gtest.h>

#include "lib/migrate/stream/read/fence_flips.hpp"

namespace {

using namespace shardway;
using namespace shardway::migrate::stream;

window_state open_everywhere(std::uint16_t number) {
  window_state state;
  state.set(all_slots, epoch{number}, true);
  return state;
}

TEST(stored_windows, document_keeps_its_form) {
  window_history history;
  history.record("sales", lsn{0x1A2B}, open_everywhere(3));
  EXPECT_EQ(encode_windows(history, lsn{0x2000}),
            R"({"confirmed":"0/2000","history":["sales|0/1A2B|0-4095:3:open"]})");
  EXPECT_EQ(encode_windows(history, std::nullopt), R"({"history":["sales|0/1A2B|0-4095:3:open"]})");
}

TEST(stored_windows, document_round_trips) {
  window_history history;
  history.record("sales", lsn{100}, open_everywhere(1));
  history.record("stock", lsn{200}, open_everywhere(2));
  auto const stored = decode_windows(encode_windows(history, lsn{300}));
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->confirmed, lsn{300});
  EXPECT_EQ(stored->history.encode(), history.encode());
  EXPECT_FALSE(stored->history.is_changed()) << "it is saved already";
  EXPECT_FALSE(decode_windows(encode_windows(history, std::nullopt))->confirmed);
}

TEST(stored_windows, groups_that_are_paused_stay_so_over_a_restart) {  // AF11
  std::map<std::string, std::string> const paused{{"sales", "column \"note\" is new"}};
  auto const stored = decode_windows(encode_windows({}, std::nullopt, paused));
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->paused, paused);
  EXPECT_FALSE(decode_windows(R"({"history": [], "paused": {"sales": 1}})"));
}

TEST(stored_windows, refuses_other_documents) {
  for (auto const* text :
       {"", "[]", "{}", R"({"history": 1})", R"({"history": [1]})", R"({"history": ["sales|x|y"]})",
        R"({"history": [], "confirmed": 7})", R"({"history": [], "confirmed": "x"})"})
    EXPECT_FALSE(decode_windows(text)) << text;
}

// S22
TEST(record_flips, hold_from_the_end_of_their_transaction_on) {
  window_history windows;
  windows.record("sales", lsn{}, open_everywhere(1));
  std::vector<fence_flip> const flips{{"sales", {slot_id{0}, slot_id{9}}, epoch{2}, false},
                                      {"sales", {slot_id{5}, slot_id{9}}, epoch{3}, true}};
  record_flips(windows, flips, lsn{500});
  auto const now = windows.now("sales");
  EXPECT_FALSE(now->of(slot_id{0}).is_open);
  EXPECT_TRUE(now->of(slot_id{9}).is_open);
  EXPECT_EQ(now->of(slot_id{9}).epoch, epoch{3});
  windows.rewind(lsn{499});
  EXPECT_EQ(*windows.now("sales"), open_everywhere(1));
}

TEST(record_flips, that_change_nothing_need_no_saving) {
  window_history windows;
  windows.record("sales", lsn{}, open_everywhere(1));
  windows.set_changed(false);
  record_flips(windows, std::vector<fence_flip>{{"sales", all_slots, epoch{1}, true}}, lsn{500});
  EXPECT_FALSE(windows.is_changed());
  record_flips(windows, std::vector<fence_flip>{{"sales", all_slots, epoch{2}, true}}, lsn{600});
  EXPECT_TRUE(windows.is_changed());
}

TEST(record_flips, of_an_unknown_group_start_closed) {
  window_history windows;
  record_flips(windows, std::vector<fence_flip>{{"sales", {slot_id{1}, slot_id{1}}, epoch{2}, true}}, lsn{5});
  ASSERT_TRUE(windows.now("sales"));
  EXPECT_FALSE(windows.now("sales")->of(slot_id{0}).is_open);
  EXPECT_TRUE(windows.now("sales")->of(slot_id{1}).is_open);
}

}  // namespace
