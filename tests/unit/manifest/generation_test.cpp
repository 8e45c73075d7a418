#include <fstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "samples.hpp"
#include "shardway/manifest/routes.hpp"

namespace shardway {
namespace {

using shardway_test::generation_of_two_shards;

TEST(generation, finds_groups_tables_and_ranges) {
  auto const made = generation_of_two_shards();
  ASSERT_NE(made.find_group("sales"), nullptr);
  EXPECT_EQ(made.find_group("none"), nullptr);
  ASSERT_NE(made.find_table("shop.orders"), nullptr);
  EXPECT_EQ(made.find_table("orders"), nullptr);
  auto const& group = *made.find_group("sales");
  EXPECT_EQ(generation::authority_of(group, slot_id{40}).shard, shard_id{0});
  EXPECT_EQ(generation::authority_of(group, slot_id{41}).shard, std::nullopt);
  EXPECT_EQ(generation::authority_of(group, slot_id{4095}).epoch, epoch{1});
  EXPECT_EQ(made.shard_of(slot_id{2047}), shard_id{0});
  EXPECT_EQ(made.shard_of(slot_id{2048}), shard_id{1});
}

TEST(generation, a_slot_without_authority_ends_the_program_I1) {
  group_state const group{"g", stage::observing, {{{slot_id{0}, slot_id{9}}, std::nullopt, epoch{}, lsn{}}}};
  EXPECT_DEATH(generation::authority_of(group, slot_id{10}), "I1");
}

TEST(even_placement, covers_all_slots_in_equal_shares) {
  for (auto const shards : std::vector<std::uint16_t>{1, 2, 3, 7, 8, 100, 1024}) {
    auto const ranges = even_placement(shards);
    ASSERT_EQ(ranges.size(), shards);
    std::uint32_t next = 0;
    for (auto const& range : ranges) {
      EXPECT_EQ(range.slots.first.value(), next);
      EXPECT_NEAR(range.slots.count(), 4096.0 / shards, 1.0);
      next += range.slots.count();
    }
    EXPECT_EQ(next, limits::slot_count);
  }
  EXPECT_DEATH(even_placement(0), "shards");
}

TEST(generation_document, reads_back_as_the_same_generation) {
  auto const made = generation_of_two_shards();
  auto const back = decode_generation(encode(made));
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back.value(), made);
}

TEST(generation_document, is_canonical_json_and_stable) {
  auto const document = encode(generation_of_two_shards());
  EXPECT_EQ(document, encode(generation_of_two_shards()));
  auto const json = nlohmann::json::parse(document);
  EXPECT_EQ(json["number"], "7");
  EXPECT_EQ(json["group"][0]["stage"], "SHARDED");
  EXPECT_EQ(json["group"][0]["authority"][0]["opened"], "16/B374D848");
  EXPECT_EQ(json["table"][0]["manifest"]["shardKey"][0], "customer_id");
}

TEST(generation_document, keeps_the_stored_form) {
  std::ifstream file{GOLDEN_DIR "/generation.json"};
  auto const stored = nlohmann::json::parse(file);
  EXPECT_EQ(nlohmann::json::parse(encode(generation_of_two_shards())), stored);
  EXPECT_EQ(decode_generation(stored.dump()).value(), generation_of_two_shards());
}

TEST(generation_document, reads_what_the_first_version_stored) {
  std::ifstream file{GOLDEN_DIR "/generation_of_first_version.json"};
  auto expected = generation_of_two_shards();
  expected.migration.accept.clear();
  expected.migration.other_application_roles.clear();
  expected.tables[0].manifest.accept.clear();
  EXPECT_EQ(decode_generation(nlohmann::json::parse(file).dump()).value(), expected);
}

TEST(generation_document, hostile_names_survive) {
  auto made = generation_of_two_shards();
  made.tables[0].manifest.table = "sh\"op.or\\'d\x01ers 日本";
  EXPECT_EQ(decode_generation(encode(made)).value(), made);
}

void expect_corrupt(nlohmann::json const& document) {
  auto const back = decode_generation(document.dump());
  ASSERT_FALSE(back) << document;
  EXPECT_EQ(back.error().code(), error_code::corrupt_data);
}

TEST(generation_document, one_that_contradicts_itself_is_refused) {
  auto const whole = nlohmann::json::parse(encode(generation_of_two_shards()));
  auto const spoiled = [&](auto spoil) {
    auto document = whole;
    spoil(document);
    expect_corrupt(document);
  };
  spoiled([](auto& d) { d["format"] = 2; });
  spoiled([](auto& d) { d["colour"] = 1; });
  spoiled([](auto& d) { d["placement"].erase(0); });
  spoiled([](auto& d) { d["placement"][1]["firstSlot"] = 2047; });
  spoiled([](auto& d) { d["placement"][1]["lastSlot"] = 4096; });
  spoiled([](auto& d) { d["placement"][1]["shard"] = 2; });
  spoiled([](auto& d) { d["group"][0]["authority"][0]["shard"] = 9; });
  spoiled([](auto& d) { d["group"][0]["authority"][0]["epoch"] = 1024; });
  spoiled([](auto& d) { d["group"][0]["authority"][0]["opened"] = "nowhere"; });
  spoiled([](auto& d) { d["group"][0]["authority"].erase(1); });
  spoiled([](auto& d) { d["group"][0]["stage"] = "MOVED"; });
  spoiled([](auto& d) { d["group"][0]["stage"] = 17; });
  spoiled([](auto& d) { d["group"].push_back(d["group"][0]); });
  spoiled([](auto& d) { d["table"].push_back(d["table"][0]); });
  spoiled([](auto& d) { d["table"][0]["manifest"]["group"] = "none"; });
  for (auto const* text : {"", "{", "[]", "null", "7"}) EXPECT_FALSE(decode_generation(text)) << text;
}

TEST(routes_of, follow_authority_and_placement) {
  auto const routes = routes_of(generation_of_two_shards()).value();
  EXPECT_EQ(routes->generation(), 7u);
  auto const& table = *routes->find("shop.orders");
  auto const moved = routes->of_slot(table, slot_id{40});
  EXPECT_EQ(moved.node, node_index{shard_id{0}});
  EXPECT_EQ(moved.epoch, epoch{2});
  EXPECT_FALSE(moved.dual_written);
  auto const waiting = routes->of_slot(table, slot_id{4000});
  EXPECT_TRUE(waiting.node.is_source());
  EXPECT_TRUE(waiting.dual_written);
  EXPECT_EQ(waiting.placed, shard_id{1});
  EXPECT_EQ(routes->by_key("shop.orders", "text").error().code(), error_code::invalid_argument);
  EXPECT_TRUE(routes->by_key("shop.orders", 42));
}

TEST(routes_of, only_dual_writing_groups_write_twice) {
  auto made = generation_of_two_shards();
  for (auto const at : {stage::observing, stage::copying, stage::replicating, stage::finalized}) {
    made.groups[0].stage = at;
    auto const routes = routes_of(made).value();
    EXPECT_FALSE(routes->of_slot(*routes->find("shop.orders"), slot_id{4000}).dual_written) << name(at);
  }
}

TEST(routes_of, a_shard_key_that_cannot_be_hashed_is_an_error) {
  auto made = generation_of_two_shards();
  made.tables[0].columns[1].type = "character(10)";
  EXPECT_EQ(routes_of(made).error().code(), error_code::invalid_argument);
  made.tables[0].columns.pop_back();
  made.tables[0].columns.pop_back();
  EXPECT_EQ(routes_of(made).error().code(), error_code::corrupt_data);
}

}  // namespace
}  // namespace shardway
