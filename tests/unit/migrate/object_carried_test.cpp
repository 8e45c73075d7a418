// What onboarding brings to shards.
#include "lib/migrate/preflight/object_carried.hpp"

#include <gtest/gtest.h>

namespace shardway {
namespace {

using namespace migrate::preflight;

TEST(object_carried, what_stands_in_a_carried_schema_comes_along_but_tables_and_extensions) {
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
