#include "lib/protocol/grantees.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/protocol/id_block.hpp"
#include "lib/protocol/lookup.hpp"
#include "lib/protocol/operation.hpp"
#include "lib/protocol/schema.hpp"
#include "sql_samples.hpp"

namespace shardway_test {
namespace {

using namespace shardway;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(grantees, of_a_migration_are_all_roles_of_its_applications) {
  auto migration = sample_migration();
  EXPECT_EQ(grantees{migration}.sql(), "\"The App\"");
  migration.other_application_roles = {"jobs", "a \"role\""};
  EXPECT_EQ(grantees{migration}.sql(), "\"The App\", \"jobs\", \"a \"\"role\"\"\"");
  EXPECT_EQ(grantees{"app"}.sql(), "\"app\"");
}

// Whatever one role of the application is granted, each of them is.
TEST(grantees, are_given_the_same_rights) {
  auto migration = sample_migration();
  migration.other_application_roles = {"jobs"};
  grantees const both{migration};
  for (auto const& sql : {node_schema_sql(node_role::source, "source", migration),
                          node_schema_sql(node_role::shard, "shard0", migration),
                          group_sql(node_role::shard, "sales", epoch{1}, both), lookup_state_sql(both),
                          operation_schema_sql(both), id_block_schema_sql(both)}) {
    EXPECT_THAT(sql, HasSubstr("TO \"The App\", \"jobs\";"));
    EXPECT_THAT(sql, Not(HasSubstr("\"The App\";")));
  }
}

}  // namespace
}  // namespace shardway_test
