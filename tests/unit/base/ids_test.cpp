#include "shardway/base/ids.hpp"

#include <type_traits>

#include <gtest/gtest.h>

#include "shardway/base/lsn.hpp"
#include "shardway/base/row_version.hpp"

namespace shardway {
namespace {

static_assert(!std::is_convertible_v<slot_id, shard_id> && !std::is_constructible_v<shard_id, slot_id>);

TEST(slot_range, holds_both_ends) {
  slot_range const range{slot_id{10}, slot_id{20}};
  EXPECT_TRUE(range.contains(slot_id{10}) && range.contains(slot_id{20}));
  EXPECT_FALSE(range.contains(slot_id{9}) || range.contains(slot_id{21}));
  EXPECT_EQ(range.count(), 11u);
  EXPECT_EQ(all_slots.count(), limits::slot_count);
  EXPECT_TRUE(range.overlaps({slot_id{20}, slot_id{30}}));
  EXPECT_FALSE(range.overlaps({slot_id{21}, slot_id{30}}));
}

TEST(lsn, prints_as_postgresql_does) {
  EXPECT_EQ(lsn{0x16'B374D848}.to_string(), "16/B374D848");
  EXPECT_EQ(lsn{}.to_string(), "0/0");
  EXPECT_EQ(lsn{0xFFFFFFFF'00000001}.to_string(), "FFFFFFFF/1");
}

TEST(lsn, reads_what_it_prints) {
  for (std::uint64_t value : {0ULL, 1ULL, 0x16B374D848ULL, 0xFFFFFFFFFFFFFFFFULL, 0x100000000ULL})
    EXPECT_EQ(lsn::parse(lsn{value}.to_string()), lsn{value});
  EXPECT_EQ(lsn::parse("16/b374d848"), lsn{0x16B374D848});
  EXPECT_EQ(lsn::parse("00000016/0B374D84"), lsn{0x160B374D84});
}

TEST(lsn, refuses_any_other_text) {
  for (auto const* text : {"", "/", "16", "16/", "/16", "16/B374D848 ", " 16/1", "g/1", "1/123456789",
                           "123456789/1", "1/2/3", "0x1/2", "-1/2"})
    EXPECT_FALSE(lsn::parse(text)) << text;
}

TEST(row_version, a_later_epoch_outranks_every_position_I3) {
  auto const old = *row_version::make(epoch{1}, lsn{(std::uint64_t{1} << 56) - 8});
  auto const young = *row_version::make(epoch{2}, lsn{8});
  EXPECT_LT(old, young);
  EXPECT_LT(old.bigint(), young.bigint());
  EXPECT_LT(*row_version::make(epoch{1}, lsn{8}), *row_version::make(epoch{1}, lsn{16}));
}

TEST(row_version, keeps_epoch_and_position) {
  auto const version = *row_version::make(epoch{1023}, lsn{0x16B374D848});
  EXPECT_EQ(version.at_epoch(), epoch{1023});
  EXPECT_EQ(version.position(), lsn{0x16B374D848});
  EXPECT_GT(version.bigint(), 0);
  EXPECT_EQ(row_version::from_bigint(version.bigint()), version);
  EXPECT_EQ(row_version{}.bigint(), 0);
}

TEST(row_version, refuses_what_does_not_fit) {
  EXPECT_FALSE(row_version::make(epoch{1024}, lsn{8}));
  EXPECT_FALSE(row_version::make(epoch{1}, lsn{std::uint64_t{1} << 56}));
  EXPECT_TRUE(row_version::make(epoch{1023}, lsn{(std::uint64_t{1} << 56) - 1}));
  EXPECT_FALSE(row_version::from_bigint(-1));
}

}  // namespace
}  // namespace shardway
