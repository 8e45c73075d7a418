// Values and owners of mappings: what a row's image says, without a server.
#include "lib/protocol/lookup.hpp"

#include <gmock/gmock.h>

#include "lib/protocol/names.hpp"
#include "shardway/route/slot.hpp"
#include "support/value_of.hpp"

namespace {

using namespace shardway;
using shardway_test::value_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

table_state users() {
  table_state table;
  table.manifest = {.table = "shop.users", .group = "shop", .shard_key = {"customer"}, .key = {"id"}};
  table.manifest.lookups = {{.name = "email", .columns = {"email"}, .unique = true},
                            {.name = "place", .columns = {"zip", "street"}, .unique = false}};
  auto const column = [](char const* name, char const* type, bool generated = false) {
    return column_state{.name = name, .type = type, .generated = generated};
  };
  table.columns = {column("id", "bigint"),        column("lower", "text", true),
                   column("customer", "integer"), column("email", "character varying(64)"),
                   column("zip", "integer"),      column("street", "text")};
  return table;
}

TEST(lookup_entries_of_a_row, take_each_lookup_whose_columns_are_not_null) {
  auto const table = users();
  auto const entries = value_of(lookup_entries(table, {"7", "42", "a@b", "8000", "Main \"1\""}));
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].value, shard_key("a@b"));
  EXPECT_EQ(entries[0].owner, (lookup_owner{{"42"}, {"7"}})) << "a unique value has one row";
  EXPECT_EQ(entries[1].value, (shard_key{8000, "Main \"1\""}));
  EXPECT_EQ(entries[1].owner, (lookup_owner{{"42"}, {}})) << "another leads to shard keys";
  EXPECT_EQ(value_of(lookup_entries(table, {"7", "42", std::nullopt, "8000", "x"})).size(), 1U);
  EXPECT_THAT(value_of(lookup_entries(table, {"7", "42", std::nullopt, "8000", std::nullopt})), IsEmpty());
}

TEST(lookup_entries_of_a_row, refuse_an_image_without_the_column) {
  auto table = users();
  table.manifest.lookups = {{.name = "lower", .columns = {"lower"}, .unique = false}};
  EXPECT_EQ(lookup_entries(table, {"7", "42", "a@b", "8000", "x"}).error().code(), error_code::schema_drift)
      << "generated";
  EXPECT_EQ(lookup_entries(users(), {"7", "42"}).error().code(), error_code::schema_drift);
}

TEST(a_lookup_value, is_checked_against_the_columns) {
  auto const table = users();
  auto const email = *find_lookup(table, "email"), place = *find_lookup(table, "place");
  EXPECT_THAT(value_of(lookup_texts(place, {8000, "x"})), ElementsAre("8000", "x"));
  EXPECT_EQ(lookup_texts(email, 8000).error().code(), error_code::invalid_argument);
  EXPECT_EQ(lookup_texts(place, 8000).error().code(), error_code::invalid_argument);
  EXPECT_THAT(lookup_texts(place, {"secret", "x"}).error().to_string(), Not(HasSubstr("secret")));
  EXPECT_FALSE(find_lookup(table, "none"));
}

TEST(a_lookup_value, is_placed_by_its_own_slot) {
  generation current;
  current.migration.shards.resize(3);
  current.placement = even_placement(3);
  for (auto const value : {1, 2, 3, 4})
    EXPECT_EQ(lookup_shard(current, value), current.shard_of(slot_of(shard_key(value))));
}

TEST(lookups_are_kept, from_dual_writing_on) {
  auto const table = users();
  EXPECT_FALSE(keeps_lookups(stage::replicating, table.manifest));
  EXPECT_TRUE(keeps_lookups(stage::dual_writing, table.manifest));
  EXPECT_TRUE(keeps_lookups(stage::finalized, table.manifest));
  EXPECT_FALSE(keeps_lookups(stage::sharded, {}));
}

TEST(names_of_lookup_tables, do_not_collide) {
  EXPECT_EQ(names::lookup_table("shop.users", "email"), "shardway.\"lookup_shop.users.email\"");
  std::string const longest(63, 'x');
  EXPECT_NE(names::lookup_table("shop." + longest, "a"), names::lookup_table("shop." + longest, "b"));
  EXPECT_LE(names::lookup_table("shop." + longest, "a").size(), std::string("shardway.\"\"").size() + 63);
}

TEST(statements_of_lookups, hold_values_as_parameters_only) {
  auto const table = users();
  auto const entries = value_of(lookup_entries(table, {"7", "42", "secret", std::nullopt, std::nullopt}));
  for (auto const& one :
       {lookup_insert_statement(entries), lookup_holders_statement(entries),
        lookup_takeover_statement(entries[0], entries[0].owner), lookup_remove_statement(entries[0]),
        row_holds_statement(entries[0].lookup, entries[0].texts, entries[0].owner),
        without_mapping_statement(entries), without_row_statement(entries),
        source_find_statement(entries[0].lookup, entries[0].texts, 5)}) {
    EXPECT_THAT(one.sql, Not(HasSubstr("secret")));
    EXPECT_THAT(one.parameters, ::testing::Contains(::testing::Optional(HasSubstr("secret"))));
  }
}

}  // namespace
