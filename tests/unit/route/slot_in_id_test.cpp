#include "shardway/route/slot_in_id.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace {

using namespace shardway;

// The rows of docs/formats/slot_id.md: frozen.
TEST(slot_in_id, keeps_sequence_and_slot_apart) {
  EXPECT_EQ(make_slot_id(1, slot_id{0}), 4096);
  EXPECT_EQ(make_slot_id(1, slot_id{4095}), 8191);
  EXPECT_EQ(make_slot_id(1000, slot_id{7}), 4096007);
  EXPECT_EQ(make_slot_id(id_sequence_max, slot_id{4095}), std::numeric_limits<std::int64_t>::max());
  for (std::int64_t const sequence : {std::int64_t{1}, std::int64_t{77}, id_sequence_max})
    for (std::uint16_t slot : {0, 1, 4095})
      EXPECT_EQ(slot_in_id(*make_slot_id(sequence, slot_id{slot})), slot_id{slot});
}

TEST(slot_in_id, what_is_out_of_range_makes_no_id) {
  EXPECT_FALSE(make_slot_id(0, slot_id{1}));
  EXPECT_FALSE(make_slot_id(-1, slot_id{1}));
  EXPECT_FALSE(make_slot_id(id_sequence_max + 1, slot_id{1}));
  EXPECT_FALSE(slot_in_id(4095));
  EXPECT_FALSE(slot_in_id(-4097));
}

}  // namespace
