// The doctor's rules about tables, without a server: shapes that a test server does not have, and the small
// decisions that the rules rest on.
#include <limits>

#include <gtest/gtest.h>

#include "lib/migrate/preflight/rules.hpp"

namespace {

using namespace shardway;
using namespace shardway::migrate::preflight;

column_facts column(std::string name, std::string type = "bigint") {
  return {.name = std::move(name), .type = type, .key_type = type, .is_not_null = true};
}

struct doctor_rules : ::testing::Test {
  doctor_rules() {
    manifest.table = "shop.orders";
    manifest.group = "sales";
    manifest.shard_key = {"customer_id"};
    manifest.key = {"id"};
    migration.engine_role = "engine";
    migration.shards = {{"shard0", "", {}}, {"shard1", "", {}}};
    source.shard_versions = {150000, 150000};
    auto& facts = source.tables["shop.orders"];
    facts.root = {.name = "shop.orders", .identity_columns = std::vector<std::string>{"id"}};
    facts.columns = {column("id"), column("customer_id")};
    facts.indexes = {primary_key({"id"})};
  }
  static index_facts primary_key(std::vector<std::string> columns) {
    std::vector<bool> const same(columns.size(), true);
    return {.relation = "shop.orders",
            .name = "orders_pkey",
            .constraint = "orders_pkey",
            .is_primary = true,
            .columns = std::move(columns),
            .is_same = same};
  }
  table_facts& facts() { return source.tables["shop.orders"]; }
  std::vector<finding> judge() {
    finding_list found{"source"};
    judge_table(source, migration, {manifest}, manifest, found);
    return found.all();
  }
  /// "fail", "warn", "pass", or nothing for a finding of that id that says so.
  std::string level(std::string const& id, std::string const& says) {
    for (auto const& one : judge())
      if (one.id == id && (one.subject + ": " + one.what).find(says) != std::string::npos)
        return std::string(name(one.level));
    return {};
  }
  void own_sequence(std::int64_t increment, std::int64_t last, std::string type) {
    manifest.ids = id_strategy_kind::interleaved;
    source.sequences = {
        {.schema = "shop",
         .name = "orders_id_seq",
         .uses = {{.table = "shop.orders", .column = "id", .column_type = type, .is_owner = true}},
         .increment = increment,
         .maximum = std::numeric_limits<std::int64_t>::max(),
         .last = last}};
  }

  table_manifest manifest;
  migration_manifest migration;
  source_facts source;
};

TEST_F(doctor_rules, a_silent_manifest_vouches_for_no_key) {  // AP10
  EXPECT_EQ(level("key_uniqueness", "shop.orders"), "fail");
  manifest.stage_until = stage::dual_writing;
  EXPECT_EQ(level("key_uniqueness", "no wave"), "pass");
  manifest.stage_until = stage::sharded;
  manifest.ids_given = true;
  EXPECT_EQ(level("key_uniqueness", "gives each id out once"), "pass");
  facts().columns[0] = column("id", "text");
  EXPECT_EQ(level("key_uniqueness", "shop.orders"), "fail");  // a natural key is nobody's to give out
}

TEST_F(doctor_rules, a_key_holds_the_shard_key_only_if_its_index_tells_shard_keys_apart) {  // AP10
  manifest.key = {"customer_id", "id"};
  facts().indexes = {primary_key({"customer_id", "id"})};
  EXPECT_EQ(level("key_uniqueness", "it holds the shard key"), "pass");
  facts().indexes[0].is_same[0] = false;
  EXPECT_EQ(level("key_uniqueness", "shop.orders"), "fail");
}

TEST_F(doctor_rules, each_strategy_makes_its_own_keys_unique) {  // AP10
  manifest.ids = id_strategy_kind::leased;
  EXPECT_EQ(level("key_uniqueness", "id is leased"), "pass");
  manifest.ids = id_strategy_kind::slot;
  EXPECT_EQ(level("key_uniqueness", "id carries its slot"), "pass");
  manifest.ids = id_strategy_kind::interleaved;
  EXPECT_EQ(level("key_uniqueness", "shop.orders"), "fail");  // no sequence gives this column its ids
  own_sequence(1, 5, "bigint");
  EXPECT_EQ(level("key_uniqueness", "interleaved sequences"), "pass");
}

TEST_F(doctor_rules, defaults_that_generate_are_known_by_their_function) {  // AP10
  auto made = column("id", "uuid");
  for (auto const* known : {"gen_random_uuid()", "uuidv7()"}) {
    made.default_expression = known;
    EXPECT_TRUE(is_generating_default(made)) << known;
  }
  made.default_expression = "shop.gen_random_uuid()";
  made.default_functions = {{.name = "shop.gen_random_uuid"}};
  EXPECT_FALSE(is_generating_default(made));  // somebody's own function of that name
  made.default_functions[0].extension = "pgcrypto";
  EXPECT_TRUE(is_generating_default(made));
  made.default_functions = {};
  for (auto const* other :
       {"", "now()", "uuid_generate_v5(a, b)", "gen_random_uuid", "'x'::uuid", "f(gen_random_uuid())"}) {
    made.default_expression = other;
    EXPECT_FALSE(is_generating_default(made)) << other;
  }
  made = column("id", "text");
  made.default_expression = "(gen_random_uuid())::text";
  EXPECT_TRUE(is_generating_default(made));
  made = column("id", "character varying(36)");
  made.default_expression = "(gen_random_uuid())::character varying(36)";
  EXPECT_TRUE(is_generating_default(made));
  made.key_type = "bigint";
  EXPECT_FALSE(is_generating_default(made));
}

TEST_F(doctor_rules, the_room_of_a_sequence_is_divided_by_the_stride) {  // AS26
  own_sequence(1, 10, "smallint");
  EXPECT_EQ(level("sequence_room", "with stride 64 each node has 355 ids left"), "fail");
  own_sequence(1, 10, "integer");
  EXPECT_EQ(level("sequence_room", "shop"), "");
  own_sequence(1, 2'100'000'000, "integer");
  EXPECT_EQ(level("sequence_room", "each node has 741775 ids left"), "fail");
  source.sequences[0].is_readable = false;
  EXPECT_EQ(level("sequence_access", "could not be checked"), "fail");
}

TEST_F(doctor_rules, blocks_of_a_sequence_are_said_unless_it_may_be_interleaved_already) {  // AS5
  for (auto const increment : {1, 64, 128, 3200}) {
    own_sequence(increment, 640, "bigint");
    EXPECT_EQ(level("sequence_increment", "shop"), "") << increment;
  }
  for (auto const increment : {2, 32, 50}) {
    own_sequence(increment, 640, "bigint");
    EXPECT_EQ(level("sequence_increment", "it steps by"), "warn") << increment;
  }
  own_sequence(1, -640, "bigint");
  EXPECT_EQ(level("sequence_direction", "negative"), "fail");
}

TEST_F(doctor_rules, sequences_are_found_in_texts) {  // AS5
  using names = std::vector<std::string>;
  EXPECT_EQ(nextval_names("SELECT nextval('shop.a'), nextval ( 'b'::regclass )"), (names{"shop.a", "b"}));
  EXPECT_EQ(nextval_names("nextval(('shop.a'::text)::regclass)"), (names{"shop.a"}));
  EXPECT_EQ(nextval_names("nextval('shop.' || TG_TABLE_NAME)"), (names{""}));
  EXPECT_EQ(nextval_names("nextval(format('%I', x))"), (names{""}));
  EXPECT_EQ(nextval_names("my_nextval_table"), names{});
}

TEST_F(doctor_rules, a_text_names_a_table_as_a_word) {
  std::vector<table_manifest> tables(3);
  tables[0].table = "shop.orders";
  tables[1].table = "shop.orders_archive";
  tables[2].table = "shop.Order Items";
  using names = std::vector<std::string>;
  EXPECT_EQ(mentioned_tables("UPDATE Shop.ORDERS SET x = 1", tables), (names{"shop.orders"}));
  EXPECT_EQ(mentioned_tables("DELETE FROM orders_archive", tables), (names{"shop.orders_archive"}));
  EXPECT_EQ(mentioned_tables("INSERT INTO \"Order Items\"", tables), (names{"shop.Order Items"}));
  EXPECT_EQ(mentioned_tables("", tables), names{});
}

TEST_F(doctor_rules, rows_that_nobody_looked_at_are_red) {  // AS17
  source.foreign_keys = {{.name = "orders_before",
                          .referencing = "shop.orders",
                          .referenced = "shop.orders",
                          .referencing_relation = "shop.orders",
                          .referenced_relation = "shop.orders",
                          .columns = {"before"},
                          .referenced_columns = {"id"}}};
  EXPECT_EQ(level("foreign_key_rows", "its rows were not looked at"), "fail");
  auto& answer = source.rows[rows_name(source.foreign_keys[0])];
  answer = {row_answer::kind_type::same, {}};
  EXPECT_EQ(level("foreign_key_rows", "orders_before"), "pass");
  answer = {row_answer::kind_type::different, {}};
  EXPECT_EQ(level("foreign_key_rows", "another shard key"), "fail");
  source.foreign_keys[0].columns = {"before", "customer_id"};
  source.foreign_keys[0].referenced_columns = {"id", "customer_id"};
  EXPECT_EQ(level("foreign_key_rows", "orders"), "");  // the columns say it
  source.foreign_keys[0].referenced_columns = {"customer_id", "id"};
  EXPECT_EQ(level("foreign_key_rows", "another shard key"), "fail");  // they refer to each other crosswise
}

TEST_F(doctor_rules, partitions_that_hold_rows_elsewhere_or_nowhere) {
  facts().root.kind = 'p';
  facts().partitions = {
      {.name = "shop.far", .kind = 'f'},
      {.name = "shop.leaving", .is_detaching = true, .identity_columns = std::vector<std::string>{"id"}}};
  facts().differences = {
      {.relation = "shop.leaving", .what = "column twice: generated otherwise", .is_generated = true}};
  EXPECT_EQ(level("partition_shape", "shop.leaving: column twice"), "fail");
  EXPECT_EQ(level("partition", "shop.far: it is a foreign table"), "fail");
  EXPECT_EQ(level("partition", "shop.leaving: it is being detached"), "fail");
}

TEST_F(doctor_rules, keys_of_newer_servers) {
  facts().indexes[0].is_exclusion = true;
  EXPECT_EQ(level("key_index", "WITHOUT OVERLAPS"), "fail");
  facts().columns.push_back(column("twice"));
  facts().columns.back().generated = 'v';
  EXPECT_EQ(level("generated_column", "shop.orders.twice"), "fail");
  source.shard_versions = {180001, 180001};
  EXPECT_EQ(level("generated_column", "shop.orders.twice"), "");
}

TEST_F(doctor_rules, an_index_that_is_not_valid_is_not_made_on_shards) {
  facts().indexes.push_back({.relation = "shop.orders",
                             .name = "orders_new",
                             .is_valid = false,
                             .columns = {"customer_id", "id"},
                             .is_same = {true, true}});
  EXPECT_EQ(level("unique_index_state", "orders_new: it is not valid"), "fail");
  facts().indexes[0].is_valid = false;
  EXPECT_EQ(level("key_index", "is not valid"), "fail");
}

TEST_F(doctor_rules, a_unique_lookup_stands_for_a_whole_index_only) {  // AP10
  manifest.lookups = {{.name = "by_email", .columns = {"email"}, .unique = true}};
  facts().indexes.push_back(
      {.relation = "shop.orders", .name = "e", .columns = {"email"}, .is_same = {true}});
  EXPECT_EQ(level("unique_without_shard_key", "the unique lookup by_email"), "pass");
  facts().indexes[1].predicate = "(email <> '')";
  EXPECT_EQ(level("unique_without_shard_key", "e: it does not hold"), "fail");
  facts().indexes[1].predicate = {};
  facts().indexes[1].are_nulls_equal = true;
  EXPECT_EQ(level("unique_without_shard_key", "e: it does not hold"), "fail");
  facts().indexes[1].are_nulls_equal = false;
  facts().indexes[1].is_exclusion = true;
  EXPECT_EQ(level("unique_without_shard_key", "e: it does not hold"), "fail");
}

}  // namespace
