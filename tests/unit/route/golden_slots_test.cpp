#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "shardway/route/slot.hpp"

namespace shardway {
namespace {

std::string hex_of(std::span<std::byte const> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (auto const byte : bytes) {
    text.push_back(digits[std::to_integer<unsigned>(byte) >> 4]);
    text.push_back(digits[std::to_integer<unsigned>(byte) & 15]);
  }
  return text;
}

shard_key key_of(nlohmann::json const& columns) {
  std::vector<shard_key> parts;
  for (auto const& column : columns)
    parts.push_back(
        shard_key::from_text(column["type"].get<std::string>(), column["text"].get<std::string>()).value());
  return shard_key::composite(parts).value();
}

TEST(golden_slots, bytes_hash_and_slot_are_those_of_the_independent_implementation) {
  std::ifstream file{GOLDEN_DIR "/slots.json"};
  auto const vectors = nlohmann::json::parse(file);
  ASSERT_GE(vectors.size(), 280u);
  for (auto const& vector : vectors) {
    auto const key = key_of(vector["columns"]);
    EXPECT_EQ(hex_of(key.bytes()), vector["canonical"].get<std::string>()) << vector["columns"];
    EXPECT_EQ(hash_of(key.bytes()), vector["xxh32"].get<std::uint32_t>()) << vector["columns"];
    EXPECT_EQ(slot_of(key).value(), vector["slot"].get<unsigned>()) << vector["columns"];
    for (std::size_t i = 0; i < key.columns(); ++i)
      EXPECT_EQ(key.text_of(i), vector["columns"][i]["text"].get<std::string>());
  }
}

}  // namespace
}  // namespace shardway
