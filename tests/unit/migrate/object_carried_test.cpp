// What onboarding brings to shards.
#include "lib/migrate/preflight/object_carried.hpp"

#include <gtest/gtest.h>

namespace shardway {
namespace {

using namespace migrate::preflight;

TEST(object_carried, the_schemas_of_tables_and_of_types_of_their_columns_come_along) {
  EXPECT_TRUE(is_schema_carried({.has_tables = true}));
  EXPECT_TRUE(is_schema_carried({.has_column_types = true}));
  EXPECT_FALSE(is_schema_carried({}));
  std::set<std::string> const carried{"shop"};
  reached_object object{.catalog = "pg_proc",
                        .kind = "function",
                        .identity = "shop.f()",
                        .schema = "shop",
                        .extension = {},
                        .uses = {"default"},
                        .user = "shop.orders"};
  EXPECT_TRUE(is_carried_by_onboarding(object, carried));
  object.extension = "citext";
  EXPECT_FALSE(is_carried_by_onboarding(object, carried));
  object.extension = {};
  object.catalog = "pg_class";
  EXPECT_FALSE(is_carried_by_onboarding(object, carried));
  object.catalog = "pg_proc";
  object.schema = "audit";
  EXPECT_FALSE(is_carried_by_onboarding(object, carried));
  object.schema = {};
  EXPECT_FALSE(is_carried_by_onboarding(object, carried));
}

}  // namespace
}  // namespace shardway
