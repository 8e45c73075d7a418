#include "lib/migrate/controller/request_arguments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/migrate/controller/request_kinds.hpp"
#include "support/value_of.hpp"

namespace {

using namespace shardway;
using namespace shardway::migrate::control;
using shardway_test::value_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

request_arguments arguments(std::string_view json) { return value_of(request_arguments::parse(json)); }

/// The refusal of a parse; fails the test if nothing was refused.
template <class Arguments>
std::string refusal(result<Arguments> const& parsed) {
  EXPECT_FALSE(parsed.has_value());
  if (parsed) return {};
  EXPECT_EQ(parsed.error().code(), error_code::invalid_argument);
  return parsed.error().message();
}

TEST(request_arguments, are_a_json_object) {
  for (auto const* text : {"", "{", "null", "[]", "7", "\"group\"", "{\"group\": \"sales\"} x"})
    EXPECT_THAT(refusal(request_arguments::parse(text)), HasSubstr("not a JSON object")) << text;
  EXPECT_TRUE(request_arguments::parse("{}").has_value());
}

TEST(request_arguments, reads_texts_and_numbers_in_either_form) {
  auto const given = arguments(R"({"group": "sales", "wave": 12, "percent": 0.5, "share": "0.5"})");
  EXPECT_EQ(value_of(given.text("group")), "sales");
  EXPECT_EQ(value_of(given.text("wave")), "12");
  EXPECT_EQ(value_of(given.number("percent")), 0.5);
  EXPECT_EQ(value_of(given.number("share")), 0.5);
}

TEST(request_arguments, takes_null_for_missing) {
  auto const given = arguments(R"({"shard": null})");
  EXPECT_EQ(value_of(given.optional_text("shard")), std::nullopt);
  EXPECT_EQ(value_of(given.optional_text("group")), std::nullopt);
  EXPECT_THAT(refusal(given.text("shard")), HasSubstr("lacks the argument \"shard\""));
  EXPECT_THAT(refusal(given.number("percent")), HasSubstr("lacks the argument \"percent\""));
  EXPECT_THAT(refusal(given.documents("documents")), HasSubstr("lacks the argument \"documents\""));
}

TEST(request_arguments, refuses_values_of_another_type) {
  auto const given = arguments(R"({"group": ["sales"], "to": {}, "shard": true, "percent": [1]})");
  EXPECT_THAT(refusal(given.text("group")), HasSubstr("array, not string"));
  EXPECT_THAT(refusal(given.text("to")), HasSubstr("object, not string"));
  EXPECT_THAT(refusal(given.optional_text("shard")), HasSubstr("boolean, not string"));
  EXPECT_THAT(refusal(given.number("percent")), HasSubstr("array, not number"));
  EXPECT_THAT(refusal(given.documents("to")), HasSubstr("object, not array"));
}

TEST(request_arguments, refuses_texts_that_only_begin_as_a_number) {
  for (auto const* text : {"", "ten", "10%", "1,5", " 10", "10 "})
    EXPECT_THAT(refusal(arguments(std::string(R"({"percent": ")") + text + "\"}").number("percent")),
                HasSubstr("not a number"))
        << text;
}

TEST(request_arguments, refuses_a_member_that_the_kind_does_not_know) {
  // A misspelled shard would else roll back every shard.
  EXPECT_THAT(refusal(parse_rollback(arguments(R"({"group": "sales", "shrad": "shard1"})"))),
              HasSubstr("\"shrad\""));
  EXPECT_THAT(refusal(parse_none(arguments(R"({"group": "sales"})"))), HasSubstr("\"group\""));
  EXPECT_TRUE(parse_none(arguments("{}")).has_value());
}

TEST(request_arguments, a_flag_is_a_boolean_and_false_if_it_is_missing) {
  EXPECT_FALSE(value_of(parse_withdraw(arguments(R"({"group": "sales"})"))).keeps_shard_tables);
  EXPECT_TRUE(value_of(parse_withdraw(arguments(R"({"group": "sales", "keep_shard_tables": true})")))
                  .keeps_shard_tables);
  EXPECT_THAT(refusal(parse_withdraw(arguments(R"({"group": "sales", "keep_shard_tables": "yes"})"))),
              HasSubstr("string, not boolean"));
}

TEST(request_arguments, of_each_kind) {
  EXPECT_EQ(value_of(parse_group(arguments(R"({"group": "sales"})"))).group, "sales");
  auto const wave =
      value_of(parse_wave(arguments(R"({"group": "sales", "percent": "10", "approved_by": "ann"})")));
  EXPECT_EQ(wave.group, "sales");
  EXPECT_EQ(wave.percent, 10.0);
  EXPECT_EQ(wave.approved_by, "ann");
  auto const back = value_of(parse_rollback(arguments(R"({"group": "sales", "shard": "shard1"})")));
  EXPECT_EQ(back.shard, "shard1");
  EXPECT_EQ(back.approved_by, "") << "who approves is asked by the wave";
  EXPECT_EQ(value_of(parse_rollback(arguments(R"({"group": "sales", "shard": ""})"))).shard, std::nullopt);
  EXPECT_EQ(value_of(parse_finalize(arguments(R"({"group": "sales", "approved_by": "ann"})"))).approved_by,
            "ann");
  EXPECT_EQ(
      value_of(parse_lookup(arguments(R"({"table": "shop.items", "name": "sku", "do": "check"})"))).task,
      migrate::lookup::lookup_task::check);
  EXPECT_THAT(refusal(parse_lookup(arguments(R"({"table": "shop.items", "name": "sku", "do": "drop"})"))),
              HasSubstr("build, check or repair"));
  EXPECT_EQ(value_of(parse_guard(arguments(R"({"group": "sales", "mode": "refusing"})"))).group, "sales");
  EXPECT_THAT(refusal(parse_guard(arguments(R"({"group": "sales", "mode": "recording"})"))),
              HasSubstr("refusing"));
}

TEST(request_arguments, of_advance_name_a_stage_before_the_first_wave) {
  for (auto const* to : {"copying", "replicating", "dual_writing"})
    EXPECT_EQ(
        name(value_of(parse_advance(arguments(std::string(R"({"group": "sales", "to": ")") + to + "\"}")))
                 .wanted),
        to);
  for (auto const* to : {"observing", "sharded", "finalized", "done"})
    EXPECT_THAT(refusal(parse_advance(arguments(std::string(R"({"group": "sales", "to": ")") + to + "\"}"))),
                HasSubstr(to));
}

TEST(request_arguments, of_apply_are_documents_as_text_or_json) {
  auto const given = value_of(parse_apply(arguments(R"({"documents": ["table: \"a\"", {"b": 1}]})")));
  EXPECT_THAT(given.documents, ElementsAre("table: \"a\"", "{\"b\":1}"));
  EXPECT_EQ(given.migration, std::nullopt);
  EXPECT_EQ(value_of(parse_apply(arguments(R"({"documents": [], "migration": "name: \"m\""})"))).migration,
            "name: \"m\"");
  EXPECT_THAT(refusal(parse_apply(arguments("{}"))), HasSubstr("documents"));
}

TEST(request_kinds, are_found_by_name_and_listed_where_a_name_is_unknown) {
  for (auto const& one : request_kinds()) EXPECT_EQ(value_of(find_request_kind(one.name)), &one);
  auto const unknown = find_request_kind("wve");
  EXPECT_THAT(refusal(unknown), HasSubstr("unknown kind of request wve"));
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().hint(),
            "the kinds are advance, guard, unguard, withdraw, verify, gates, wave, rollback, finalize, "
            "reconcile, pause, resume, "
            "apply, lookup");
}

TEST(request_kinds, what_moves_or_repairs_rows_never_runs_twice) {
  EXPECT_THAT(kinds_that_may_run_twice(),
              ElementsAre("advance", "guard", "unguard", "withdraw", "verify", "gates", "finalize", "pause",
                          "resume", "apply", "lookup"));
}

}  // namespace
