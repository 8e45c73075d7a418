// The server computes the same slots as the library, on each version.
#include "lib/protocol/slot_of.hpp"

#include <cstdlib>
#include <fstream>
#include <random>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "shardway/route/slot.hpp"
#include "shardway/testing/cluster.hpp"
#include "support/value_of.hpp"

namespace {

using namespace shardway;
using namespace shardway::testing;
using shardway_test::require;
using shardway_test::value_of;

constexpr std::size_t keys_per_type = 100'000;

std::string sql_literal(std::string_view text) {
  std::string out = "'";
  for (char const c : text) out.append(c == '\'' ? 2 : 1, c);
  return out + "'";
}

std::string array_literal(std::vector<std::string> const& values) {
  std::string out = "{";
  for (auto const& value : values) {
    out.append(out.size() > 1 ? ",\"" : "\"");
    for (char const c : value) out.append(c == '"' || c == '\\' ? "\\" : "").push_back(c);
    out.push_back('"');
  }
  return sql_literal(out + "}");
}

std::string random_text(std::mt19937_64& random) {
  static constexpr char const* pieces[] = {"a",  "b", "Z", "0",  "9",  " ",  "-", "'", "\"",
                                           "\\", "ä", "ß", "日", "本", "🛒", "{", ","};
  std::string text;
  for (auto left = random() % 24; left > 0; --left) text += pieces[random() % std::size(pieces)];
  return text;
}

std::string random_value(std::string const& type, std::mt19937_64& random) {
  if (type == "smallint") return std::to_string(static_cast<std::int16_t>(random()));
  if (type == "integer") return std::to_string(static_cast<std::int32_t>(random()));
  if (type == "bigint") return std::to_string(static_cast<std::int64_t>(random()));
  if (type == "text" || type == "character varying") return random_text(random);
  std::vector<std::byte> bytes(type == "uuid" ? 16 : random() % 40);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random());
  return shard_key::from_binary(type, bytes).value().text_of(0);
}

/// "slot/slot of (key, position)" for each value.
std::string expected_slots(std::string const& type, std::vector<std::string> const& values) {
  std::string all;
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto const key = shard_key::from_text(type, values[i]).value();
    shard_key const pair{key, static_cast<std::int64_t>(i + 1)};
    all.append(i == 0 ? "" : ",").append(std::to_string(slot_of(key).value()));
    all.append("/").append(std::to_string(slot_of(pair).value()));
  }
  return all;
}

std::string server_slots(server const& node, std::string const& type,
                         std::vector<std::string> const& values) {
  return value_of(
      node.query("SELECT string_agg(shardway.slot_of(k) || '/' || "
                 "shardway.slot_of_parts(shardway.key_part(k), shardway.key_part(i)), "
                 "',' ORDER BY i) FROM unnest(" +
                 array_literal(values) + "::" + type + "[]) WITH ORDINALITY AS t(k, i)"));
}

class slot_of_sql_on : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    folder_ = value_of(scratch_folder::make());
    node_ = value_of(server::launch(folder_->path(), {.major = GetParam(), .fast = true}));
    require(node_->query("CREATE SCHEMA shardway"));
    for (int times = 0; times < 2; ++times) require(node_->query(std::string{slot_of_sql()}));
  }
  std::string ask(std::string const& sql) { return value_of(node_->query(sql)); }

  std::unique_ptr<scratch_folder> folder_;
  std::unique_ptr<server> node_;
};
INSTANTIATE_TEST_SUITE_P(servers, slot_of_sql_on, ::testing::Values(13, 15, 18),
                         ::testing::PrintToStringParamName());

TEST_P(slot_of_sql_on, agrees_with_the_library_on_100000_keys_of_each_type) {
  std::mt19937_64 random{42};
  for (std::string const type :
       {"smallint", "integer", "bigint", "text", "character varying", "uuid", "bytea"}) {
    std::vector<std::string> values;
    for (std::size_t i = 0; i < keys_per_type; ++i) values.push_back(random_value(type, random));
    EXPECT_TRUE(server_slots(*node_, type, values) == expected_slots(type, values)) << type;
  }
}

TEST_P(slot_of_sql_on, agrees_with_the_golden_vectors) {
  std::ifstream file{GOLDEN_DIR "/slots.json"};
  std::string wanted, selects;
  for (auto const& vector : nlohmann::json::parse(file)) {
    auto const& columns = vector["columns"];
    std::vector<std::string> values, parts;
    for (auto const& column : columns) {
      values.push_back(sql_literal(column["text"].get<std::string>()) +
                       "::" + column["type"].get<std::string>());
      parts.push_back("shardway.key_part(" + values.back() + ")");
    }
    std::string bytes = "shardway.key_bytes(" + values[0] + ")";
    if (parts.size() > 1) bytes = parts[0];
    for (std::size_t i = 1; i < parts.size(); ++i) bytes += " || " + parts[i];
    selects += (selects.empty() ? "SELECT " : " || ',' || ") +
               ("encode(" + bytes + ", 'hex') || '/' || shardway.xxh32(" + bytes + ") || '/' || ") +
               slot_of_call(values);
    wanted += (wanted.empty() ? "" : ",") + vector["canonical"].get<std::string>() + "/" +
              std::to_string(vector["xxh32"].get<unsigned>()) + "/" +
              std::to_string(vector["slot"].get<unsigned>());
  }
  EXPECT_EQ(ask(selects), wanted);
}

TEST_P(slot_of_sql_on, null_has_no_slot_and_character_n_is_refused) {  // F1
  EXPECT_EQ(ask("SELECT (shardway.slot_of(NULL::bigint) IS NULL AND "
                "shardway.slot_of_parts(shardway.key_part(1), shardway.key_part(NULL::text)) "
                "IS NULL)::text"),
            "true");
  for (auto const* call : {"slot_of", "key_part", "key_bytes"})
    EXPECT_EQ(node_->query("SELECT shardway." + std::string{call} + "('a'::character(4))").error().sqlstate(),
              "0A000")
        << call;
}

TEST_P(slot_of_sql_on, operators_in_the_callers_path_change_nothing) {
  auto const spoiled =
      ask("CREATE SCHEMA spoil; CREATE FUNCTION spoil.wrong(bigint, bigint) RETURNS bigint LANGUAGE sql "
          "IMMUTABLE AS 'SELECT 1::bigint';"
          "CREATE OPERATOR spoil.+ (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = spoil.wrong);"
          "CREATE OPERATOR spoil.* (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = spoil.wrong);"
          "CREATE OPERATOR spoil.& (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = spoil.wrong);"
          "CREATE OPERATOR spoil.# (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = spoil.wrong);"
          "SET search_path = spoil, pg_catalog; SELECT shardway.slot_of(42::bigint)::text || ' ' || "
          "shardway.slot_of('a text of some length'::text)::text");
  EXPECT_EQ(spoiled, std::to_string(slot_of(42).value()) + " " +
                         std::to_string(slot_of("a text of some length").value()));
}

TEST_P(slot_of_sql_on, text_is_hashed_as_utf8_in_any_database_encoding) {
  require(
      node_->query("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"));
  require(node_->query("CREATE SCHEMA shardway", "latin"));
  require(node_->query(std::string{slot_of_sql()}, "latin"));
  EXPECT_EQ(value_of(node_->query("SELECT shardway.slot_of('stra' || chr(223) || 'e')", "latin")),
            std::to_string(slot_of("straße").value()));
}

TEST_P(slot_of_sql_on, serves_in_an_index_and_reads_stored_long_values) {
  auto const long_text = std::string(100'000, 'x');
  EXPECT_EQ(ask("CREATE TABLE kept (k text); CREATE INDEX ON kept (shardway.slot_of(k)); INSERT INTO kept "
                "VALUES (repeat('x', 100000));"
                "SELECT shardway.slot_of(k) FROM kept"),
            std::to_string(slot_of(long_text).value()));
  EXPECT_EQ(ask("CREATE TABLE raw (k bytea); INSERT INTO raw VALUES (convert_to(repeat('x', 100000), "
                "'UTF8')); SELECT shardway.slot_of(k) FROM raw"),
            std::to_string(slot_of(long_text).value()));
}

TEST(slot_of_sql, agrees_with_the_python_package) {
  auto const folder = value_of(scratch_folder::make());
  auto const node = value_of(server::launch(folder->path(), {.fast = true}));
  require(node->query("CREATE SCHEMA shardway; " + std::string{slot_of_sql()}));
  auto const command =
      std::string{PYTHON " " GOLDEN_DIR "/compare_sql_slots.py \""} + node->conninfo() + "\" 20000";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
