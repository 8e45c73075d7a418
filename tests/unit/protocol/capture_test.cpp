// What the library makes of the rows that triggers captured.
#include "lib/protocol/capture.hpp"

#include <gtest/gtest.h>

namespace {

using namespace shardway;
using operation_type = captured_statement::operation_type;

table_state orders() {
  table_state table;
  table.manifest.table = "shop.orders";
  table.manifest.group = "shop";
  table.manifest.key = {"id"};
  table.manifest.shard_key = {"customer_id"};
  table.manifest.capture = capture_kind::trigger;
  table.columns = {{"customer_id", "bigint", false, true},
                   {"id", "bigint", false, true},
                   {"note", "text", false, false},
                   {"twice", "bigint", true, false}};
  return table;
}

// One line: operation, key, and whether the row is there at the end.
struct line {
  char operation{};
  std::string key;
  bool is_present{};
};

rows answer_of(std::vector<line> const& lines, std::string const& slot = "7") {
  std::vector<rows::column> columns(9);
  std::vector<text_value> values;
  int ordinal = 0;
  for (auto const& one : lines) {
    --ordinal;
    values.insert(values.end(), {std::to_string(100 - ordinal), std::to_string(ordinal),
                                 std::string(1, one.operation), one.is_present ? "t" : "f", slot, one.key});
    if (one.is_present)
      values.insert(values.end(), {"5", one.key, "kept"});
    else
      values.insert(values.end(), {std::nullopt, std::nullopt, std::nullopt});
  }
  return rows(std::move(columns), lines.size(), std::move(values), 0);
}

std::string shape(std::vector<captured_change> const& changes) {
  std::string text;
  for (auto const& one : changes)
    text += std::string(1, static_cast<char>(one.operation)) + one.row.image[1].value_or("-") +
            (one.row.image[2] ? "+ " : " ");
  return text;
}

TEST(captured_rows, keep_their_order_and_the_final_image) {
  auto const changes =
      parse_captured(answer_of({{'i', "1", true}, {'u', "1", true}, {'u', "2", true}}), orders());
  ASSERT_TRUE(changes);
  EXPECT_EQ(shape(changes.value()), "i1+ u1+ u2+ ");
  EXPECT_EQ(changes.value()[0].slot, slot_id{7});
  EXPECT_EQ(changes.value()[2].row.ordinal, -3);
  EXPECT_LT(changes.value()[0].row.version, changes.value()[2].row.version);
}

TEST(captured_rows, a_row_that_is_gone_is_only_removed) {
  EXPECT_EQ(shape(parse_captured(answer_of({{'u', "1", false}, {'d', "1", false}}), orders()).value()),
            "d1 ");
}

TEST(captured_rows, a_row_that_came_and_went_is_left_out_and_one_that_went_and_came_is_not) {
  EXPECT_EQ(
      shape(parse_captured(answer_of({{'i', "1", false}, {'u', "1", false}, {'d', "1", false}}), orders())
                .value()),
      "");
  EXPECT_EQ(shape(parse_captured(answer_of({{'d', "1", true}, {'i', "1", true}}), orders()).value()),
            "d1 i1+ ");
}

TEST(captured_rows, what_does_not_parse_is_an_error) {
  EXPECT_FALSE(parse_captured(answer_of({{'i', "1", true}}, "4096"), orders()));
  EXPECT_FALSE(parse_captured(answer_of({{'i', "1", true}}, "x"), orders()));
  auto wider = orders();
  wider.columns.push_back({"more", "text", false, false});
  EXPECT_EQ(parse_captured(answer_of({{'i', "1", true}}), wider).error().code(), error_code::schema_drift);
}

TEST(capture_kinds, lookups_and_reference_tables_are_not_captured_by_triggers) {
  EXPECT_TRUE(captures_by_trigger(orders()));
  auto with_lookup = orders();
  with_lookup.manifest.lookups.push_back({.name = "by_note", .columns = {"note"}, .unique = false});
  EXPECT_FALSE(captures_by_trigger(with_lookup));
  auto reference = orders();
  reference.manifest.kind = table_kind::reference;
  EXPECT_FALSE(captures_by_trigger(reference));
}

TEST(capture_settings, quote_the_shard_key_as_an_array) {
  auto const one = capture_statement(trigger_duty::outbox, {}, {text_value("a\"b\\,{}"), text_value()});
  EXPECT_EQ(one.parameters[4], "{\"a\\\"b\\\\,{}\",NULL}");
}

}  // namespace
