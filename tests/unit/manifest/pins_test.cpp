#include <gmock/gmock.h>

#include "samples.hpp"
#include "shardway/route/slot.hpp"

namespace shardway {
namespace {

using shardway_test::migration;

migration_manifest with_pins(std::vector<pinned_key> pins) {
  auto made = migration();
  made.pins = std::move(pins);
  return made;
}

shard_id placed(migration_manifest const& wanted, slot_id slot) {
  generation made;
  made.migration = wanted;
  made.placement = first_placement(wanted).value();
  return made.shard_of(slot);
}

TEST(first_placement, is_even_without_pins) {
  EXPECT_EQ(first_placement(migration()).value(), even_placement(2));
}

TEST(first_placement, a_pin_moves_its_slot_and_nothing_else) {
  for (auto const* shard : {"shard0", "shard1"}) {
    auto const wanted = with_pins({{{"bigint"}, {"4711"}, shard}});
    auto const pinned = slot_of(shard_key{4711});
    auto const even = first_placement(migration()).value();
    generation before;
    before.placement = even;
    for (std::uint16_t i = 0; i < limits::slot_count; ++i) {
      slot_id const slot{i};
      EXPECT_EQ(placed(wanted, slot), slot == pinned ? shard_id{std::uint16_t(shard == std::string{"shard1"})}
                                                     : before.shard_of(slot));
    }
  }
}

TEST(first_placement, a_pinned_only_shard_gets_the_pinned_slots_only) {
  auto wanted = with_pins({{{"text", "bigint"}, {"eu", "7"}, "shard1"}});
  wanted.shards[1].pinned_only = true;
  auto const pinned = slot_of(shard_key{shard_key{"eu"}, shard_key{7}});
  for (std::uint16_t i = 0; i < limits::slot_count; ++i)
    EXPECT_EQ(placed(wanted, slot_id{i}), shard_id{std::uint16_t(slot_id{i} == pinned)});
}

TEST(first_placement, the_document_of_it_reads_back) {
  auto made = shardway_test::generation_of_two_shards();
  made.migration = with_pins(
      {{{"bigint"}, {"1"}, "shard1"}, {{"uuid"}, {"00000000-0000-0000-0000-000000000001"}, "shard0"}});
  made.placement = first_placement(made.migration).value();
  EXPECT_EQ(decode_generation(encode(made)).value(), made);
}

TEST(first_placement, refuses_what_the_rules_refuse) {
  std::vector<std::vector<pinned_key>> const wrong{
      {{{"bigint"}, {"1"}, "nowhere"}},
      {{{"bigint"}, {"1", "2"}, "shard0"}},
      {{{}, {}, "shard0"}},
      {{{"numeric"}, {"1"}, "shard0"}},
      {{{"bigint"}, {"x"}, "shard0"}},
      {{{"bigint"}, {"32"}, "shard0"}, {{"bigint"}, {"132"}, "shard1"}}};
  for (auto const& pins : wrong) EXPECT_FALSE(first_placement(with_pins(pins)));
  auto all = migration();
  all.shards[0].pinned_only = all.shards[1].pinned_only = true;
  EXPECT_EQ(first_placement(all).error().code(), error_code::manifest_invalid);
}

TEST(slot_of_pin, does_not_tell_the_value_in_its_error) {
  auto const refused = slot_of(pinned_key{{"bigint"}, {"secret7"}, "shard0"});
  EXPECT_EQ(refused.error().to_string().find("secret7"), std::string::npos);
}

}  // namespace
}  // namespace shardway
