// One shape on every node: what differs is named, and what the manifest leaves out is no difference.
#include "lib/migrate/onboard/table_shape.hpp"

#include <gtest/gtest.h>

#include "lib/migrate/controller/schema_gate.hpp"

namespace {

using namespace shardway;
using namespace shardway::migrate::onboard;
using shardway::migrate::control::group_drift;

table_state events_state() {
  table_state table;
  table.manifest.table = "shop.events";
  table.manifest.group = "sales";
  table.manifest.key = {"id", "day"};
  table.manifest.shard_key = {"customer"};
  table.columns = {
      {"id", "bigint", false, true}, {"customer", "bigint", false, true}, {"day", "date", false, true}};
  table.partitioned = true;
  return table;
}

shape_object object(shape_kind kind, std::string relation, std::string name, std::string definition,
                    std::string create = {}, std::string more = {}) {
  return {kind,           std::move(relation), std::move(name), std::move(definition), std::move(create),
          std::move(more)};
}

table_shape events_shape() {
  table_shape shape{.table = "shop.events", .exists = true, .columns = events_state().columns};
  shape.objects = {
      object(shape_kind::relation, "shop.events", "", "a table partitioned by RANGE (day)"),
      object(shape_kind::relation, "shop.events_1", "",
             "a partition of shop.events FOR VALUES FROM ('1') TO ('2')",
             "CREATE TABLE IF NOT EXISTS shop.events_1 PARTITION OF shop.events FOR VALUES FROM ('1') TO "
             "('2');"),
      object(shape_kind::storage, "shop.events_1", "", "permanent"),
      object(shape_kind::column, "shop.events", "id", "bigint NOT NULL"),
      object(shape_kind::column, "shop.events", "customer", "bigint NOT NULL"),
      object(shape_kind::column, "shop.events", "day", "date NOT NULL"),
      object(shape_kind::constraint, "shop.events", "events_pkey", "PRIMARY KEY (id, day)"),
      object(shape_kind::foreign_key, "shop.events", "events_kind",
             "FOREIGN KEY (kind) REFERENCES shop.kinds(id)", "ALTER TABLE shop.events ADD ...", "shop.kinds"),
      object(shape_kind::trigger, "shop.events", "touch", "CREATE TRIGGER touch", "CREATE TRIGGER touch",
             "O"),
      object(shape_kind::index, "shop.events", "events_day", "CREATE INDEX events_day"),
      object(shape_kind::replica_identity, "shop.events_1", "", "the primary key", "", "{id,day}"),
      object(shape_kind::guard, "shop.events", "", "record_foreign_write"),
      object(shape_kind::guard, "shop.events_1", "", "record_foreign_write"),
      object(shape_kind::capture, "shop.events", "", "shardway_capture"),
      object(shape_kind::capture, "shop.events_1", "", "shardway_capture"),
      object(shape_kind::truncate_trigger, "shop.events_1", "", "shardway_leaf_truncate"),
  };
  return shape;
}

void without(table_shape& shape, shape_kind kind, std::string const& name = {}) {
  std::erase_if(shape.objects,
                [&](auto const& one) { return one.kind == kind && (name.empty() || one.name == name); });
}
shape_object& of_kind(table_shape& shape, shape_kind kind, std::string const& name = {}) {
  for (auto& one : shape.objects)
    if (one.kind == kind && (name.empty() || one.name == name || one.relation == name)) return one;
  throw std::runtime_error("no such object");
}

shard_expectation on_shard(bool finished = true) { return {.shard = "shard1", .finished = finished}; }

std::vector<shape_difference> on_the_shard(table_shape const& source, table_shape const& shard,
                                           shard_expectation const& expected = on_shard()) {
  return shard_differences(events_state(), source, shard, expected);
}

TEST(table_shape, equal_ones_have_no_difference) {
  EXPECT_TRUE(on_the_shard(events_shape(), events_shape()).empty());
  EXPECT_TRUE(generation_differences(events_state(), events_shape()).empty());
  EXPECT_TRUE(node_differences(events_state(), events_shape(),
                               {.node = "source", .guarded = true, .captured = true, .truncates_seen = true})
                  .empty());
}

TEST(table_shape, column_that_came_or_changed_makes_the_generation_stale) {  // AS19
  auto source = events_shape();
  source.columns.push_back({"note", "text", false, false});
  auto found = generation_differences(events_state(), source);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(describe(found[0]), "table shop.events: column note is on the source and not in the generation");
  EXPECT_EQ(found[0].way_out, "shardway manifest apply");
  EXPECT_TRUE(pauses(found));
  source = events_shape();
  source.columns[1].type = "integer";
  EXPECT_EQ(describe(generation_differences(events_state(), source).at(0)),
            "table shop.events: column customer is integer NOT NULL on the source, bigint NOT NULL in the "
            "generation");
  std::swap(source.columns[0], source.columns[2]);
  source.columns[1].type = "bigint";
  EXPECT_EQ(generation_differences(events_state(), source).size(), 1u) << "another order";
  source.columns.pop_back();
  EXPECT_FALSE(generation_differences(events_state(), source).empty());
}

TEST(table_shape, table_that_is_gone_pauses) {  // AF17
  table_shape const gone{.table = "shop.events"};
  EXPECT_TRUE(pauses(generation_differences(events_state(), gone)));
  EXPECT_TRUE(pauses(on_the_shard(events_shape(), gone)));
}

TEST(table_shape, new_partition_of_the_source_is_followed) {  // AS13
  auto shard = events_shape();
  std::erase_if(shard.objects, [](auto const& one) { return one.relation == "shop.events_1"; });
  auto const found = on_the_shard(events_shape(), shard);
  ASSERT_EQ(found.size(), 1u) << "what is on it needs no word of its own";
  EXPECT_EQ(found[0].answer, drift_answer::follow);
  EXPECT_EQ(
      found[0].sql,
      of_kind(*std::make_unique<table_shape>(events_shape()), shape_kind::relation, "shop.events_1").create);
  EXPECT_EQ(describe(found[0]), "table shop.events: partition shop.events_1 is missing on shard1");
}

TEST(table_shape, partition_that_was_detached_or_is_on_a_shard_alone_pauses) {  // AP5b, AP5c
  auto source = events_shape();
  std::erase_if(source.objects, [](auto const& one) { return one.relation == "shop.events_1"; });
  auto const found = on_the_shard(source, events_shape());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].answer, drift_answer::pause);
  EXPECT_EQ(describe(found[0]), "table shop.events: partition shop.events_1 is on shard1 only");
  auto shard = events_shape();
  of_kind(shard, shape_kind::relation, "shop.events_1").definition = "a partition of shop.events DEFAULT";
  EXPECT_TRUE(pauses(on_the_shard(events_shape(), shard)));
}

TEST(table_shape, what_comes_after_the_copy_is_expected_after_it) {
  auto shard = events_shape();
  without(shard, shape_kind::foreign_key);
  without(shard, shape_kind::trigger);
  without(shard, shape_kind::index);
  EXPECT_TRUE(on_the_shard(events_shape(), shard, on_shard(false)).empty());
  auto const found = on_the_shard(events_shape(), shard);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(std::count_if(found.begin(), found.end(),
                          [](auto const& one) { return one.answer == drift_answer::pause; }),
            2)
      << "an index that is not unique changes no row";
}

TEST(table_shape, foreign_key_to_a_table_that_comes_later_is_a_note) {
  auto shard = events_shape();
  without(shard, shape_kind::foreign_key);
  auto expected = on_shard();
  expected.is_on_shards = [](auto const& name) { return name != "shop.kinds"; };
  auto const found = on_the_shard(events_shape(), shard, expected);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].answer, drift_answer::note);
}

TEST(table_shape, what_the_manifest_leaves_out_is_no_difference) {
  auto table = events_state();
  table.manifest.drop_foreign_keys = {"events_kind"};
  table.manifest.triggers = trigger_policy::source_only;
  auto shard = events_shape();
  without(shard, shape_kind::foreign_key);
  without(shard, shape_kind::trigger);
  EXPECT_TRUE(shard_differences(table, events_shape(), shard, on_shard()).empty());
  EXPECT_EQ(shard_differences(table, events_shape(), events_shape(), on_shard()).size(), 1u)
      << "a trigger that the manifest keeps on the source is on the shard";
}

TEST(table_shape, constraint_index_default_and_type_are_compared) {  // AS20, AS21
  for (auto const kind : {shape_kind::constraint, shape_kind::column}) {
    auto shard = events_shape();
    of_kind(shard, kind).definition += " DEFAULT 1";
    auto const found = on_the_shard(events_shape(), shard);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_TRUE(pauses(found));
  }
  auto source = events_shape();
  source.objects.push_back(object(shape_kind::unique_index, "shop.events_1", "one_leaf",
                                  "CREATE UNIQUE INDEX one_leaf", "CREATE UNIQUE INDEX one_leaf"));
  source.objects.push_back(object(shape_kind::type, "", "shop.state", "ENUM ('a', 'b')"));
  auto const found = on_the_shard(source, events_shape());
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].way_out, "on shard1: CREATE UNIQUE INDEX one_leaf");
  EXPECT_EQ(describe(found[0]),
            "table shop.events: unique index one_leaf of shop.events_1 is missing on shard1");
  EXPECT_EQ(on_the_shard(events_shape(), source).size(), 2u) << "an index or a label on the shard alone";
}

TEST(table_shape, rows_that_are_in_no_wal_pause) {  // AS20
  auto source = events_shape();
  of_kind(source, shape_kind::storage).definition = "unlogged";
  auto const found = node_differences(events_state(), source, {.node = "source"});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(pauses(found));
  EXPECT_EQ(found[0].way_out, "on source: ALTER TABLE \"shop\".\"events_1\" SET LOGGED");
}

TEST(table_shape, replica_identity_must_name_the_row) {  // AS2
  auto source = events_shape();
  auto& identity = of_kind(source, shape_kind::replica_identity);
  auto const found = [&] { return node_differences(events_state(), source, {.node = "source"}); };
  identity = object(shape_kind::replica_identity, "shop.events_1", "", "FULL", "", "{}");
  EXPECT_TRUE(found().empty());
  identity = object(shape_kind::replica_identity, "shop.events_1", "", "an index", "", "{day,id,customer}");
  EXPECT_TRUE(found().empty()) << "an index that holds the primary key";
  identity = object(shape_kind::replica_identity, "shop.events_1", "", "an index", "", "{customer}");
  EXPECT_TRUE(pauses(found()));
  identity = object(shape_kind::replica_identity, "shop.events_1", "", "NOTHING", "", "{}");
  EXPECT_TRUE(pauses(found()));
  EXPECT_EQ(found()[0].object, "replica identity of shop.events_1");
}

TEST(table_shape, partition_of_a_shard_without_our_identity_is_followed) {  // AP5c
  auto const found = node_differences(events_state(), events_shape(), {.node = "shard1", .is_shard = true});
  ASSERT_EQ(found.size(), 1u) << "its primary key lacks the shard key";
  EXPECT_EQ(found[0].answer, drift_answer::follow);
  EXPECT_EQ(found[0].kind, shape_kind::replica_identity);
}

TEST(table_shape, relation_without_what_its_siblings_have_is_followed) {
  auto source = events_shape();
  of_kind(source, shape_kind::guard, "shop.events").definition = "refuse_foreign_write";
  of_kind(source, shape_kind::capture, "shop.events_1").definition = "";
  without(source, shape_kind::truncate_trigger);
  source.objects.push_back(object(shape_kind::truncate_trigger, "shop.events_1", "", ""));
  auto const found = node_differences(
      events_state(), source, {.node = "source", .guarded = true, .captured = true, .truncates_seen = true});
  ASSERT_EQ(found.size(), 3u);
  for (auto const& one : found) EXPECT_EQ(one.answer, drift_answer::follow);
  EXPECT_EQ(found[0].object, "write guard of shop.events_1");
  auto none = events_shape();
  without(none, shape_kind::guard);
  without(none, shape_kind::capture);
  without(none, shape_kind::truncate_trigger);
  EXPECT_TRUE(node_differences(events_state(), none, {.node = "source"}).empty()) << "before the copy";
}

TEST(table_shape, refusal_names_each_difference_and_its_way_out_but_no_note) {
  auto shard = events_shape();
  without(shard, shape_kind::index);
  EXPECT_TRUE(refuse_differences(on_the_shard(events_shape(), shard)));
  without(shard, shape_kind::constraint);
  auto const refused = refuse_differences(on_the_shard(events_shape(), shard));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::schema_drift);
  EXPECT_EQ(refused.error().message(), "table shop.events: constraint events_pkey is missing on shard1");
}

TEST(schema_gate, is_red_while_a_difference_is_left) {
  using namespace shardway::migrate::control;
  group_drift drift;
  EXPECT_TRUE(schema_gate("sales", drift).green);
  EXPECT_TRUE(publication_gate("sales", drift).green);
  auto shard = events_shape();
  without(shard, shape_kind::constraint);
  drift.shape = on_the_shard(events_shape(), shard);
  auto const red = schema_gate("sales", drift);
  EXPECT_FALSE(red.green);
  EXPECT_NE(red.detail.find("events_pkey"), std::string::npos);
  EXPECT_FALSE(red.fix.empty());
  drift.shape[0].answer = drift_answer::note;
  EXPECT_TRUE(schema_gate("sales", drift).green);
  drift.shape[0].answer = drift_answer::follow;
  EXPECT_FALSE(schema_gate("sales", drift).green) << "until it has been followed";
}

TEST(schema_gate, certificate_holds_for_the_partitions_it_saw) {  // AP5b
  using namespace shardway::migrate::control;
  group_drift drift;
  drift.trees["shop.events"] = {{"source", "a"}, {"shard1", "b"}};
  auto const detail =
      shardway::migrate::nodes::to_text({{"differing", 0}, {"trees", trees_json(drift, "shop.events")}});
  EXPECT_TRUE(has_same_trees(detail, drift, "shop.events"));
  drift.trees["shop.events"]["source"] = "c";
  EXPECT_FALSE(has_same_trees(detail, drift, "shop.events"));
  EXPECT_FALSE(has_same_trees("{}", drift, "shop.events")) << "one that says nothing of partitions";
}

}  // namespace
