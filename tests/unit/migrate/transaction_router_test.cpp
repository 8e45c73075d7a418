// What a transaction of the source means for each shard, without a server.
#include "lib/migrate/stream/read/transaction_router.hpp"

#include <gtest/gtest.h>

#include "shardway/route/slot.hpp"

namespace {

using namespace shardway;
using namespace shardway::migrate::stream;
using namespace shardway::migrate;
using change_kind = stream_change::kind_type;

// Customers on the first and on the second of two shards.
std::int64_t customer_on(std::size_t shard, std::int64_t from = 1) {
  while ((slot_of(shard_key(from)).value() < 2048 ? 0u : 1u) != shard) ++from;
  return from;
}
std::string text(std::int64_t number) { return std::to_string(number); }
stream_value value(std::string of) { return {stream_value::kind_type::text, std::move(of)}; }

class router : public ::testing::Test {
 protected:
  void SetUp() override { set_stage(stage::copying, epoch{1}); }

  void set_stage(stage at, epoch since) {
    table_state orders;
    orders.manifest.table = "shop.orders";
    orders.manifest.group = "sales";
    orders.manifest.key = {"id"};
    orders.manifest.shard_key = {"customer"};
    orders.columns = {
        {"id", "bigint", false, true}, {"customer", "bigint", false, true}, {"note", "text", false, false}};
    auto routing = std::make_shared<generation>();
    routing->migration.shards = {{.name = "shard1", .conninfo = {}, .replicas = {}},
                                 {.name = "shard2", .conninfo = {}, .replicas = {}}};
    routing->placement = even_placement(2);
    routing->groups = {{.name = "sales",
                        .stage = at,
                        .authority = {{.slots = all_slots, .shard = {}, .epoch = since, .opened = {}}}}};
    routing->tables = {orders};
    catalog_ = table_catalog::make(routing, catalog_.get()).value();
    router_.set_catalog(catalog_);
  }
  void follow(chunk_step step = chunk_step::closed) {
    followed_copy copy{.table = catalog_->find("shop.orders"), .order = key_order::integer, .chunks = {}};
    for (auto const& [lower, upper] :
         {std::pair<text_value, text_value>{std::nullopt, "100"}, {"100", std::nullopt}}) {
      followed_chunk chunk;
      chunk.range = {lower, upper};
      chunk.machine = chunk_machine{step};
      copy.chunks.push_back(std::move(chunk));
    }
    copies_.put(std::move(copy));
  }

  static std::shared_ptr<stream_relation const> relation(std::string schema, std::string name,
                                                         std::vector<std::string> columns,
                                                         std::string const& key) {
    auto made = std::make_shared<stream_relation>();
    made->schema = std::move(schema);
    made->name = std::move(name);
    made->replica_identity = 'd';
    for (auto& column : columns)
      made->columns.push_back(
          {.name = column, .type_oid = 20, .type_modifier = -1, .in_replica_identity = column == key});
    return made;
  }
  stream_tuple row(std::int64_t id, std::int64_t customer, std::string note = "n") const {
    return {value(text(id)), value(text(customer)), value(std::move(note))};
  }
  stream_tuple key(std::int64_t id) const { return {value(text(id)), {}, {}}; }
  row_event insert(stream_tuple after) const {
    return {row_event::kind_type::insert, orders_, {}, false, std::move(after)};
  }
  row_event update(std::optional<stream_tuple> before, stream_tuple after) const {
    return {row_event::kind_type::update, orders_, std::move(before), true, std::move(after)};
  }
  row_event remove(std::int64_t id) const {
    return {row_event::kind_type::remove, orders_, key(id), true, {}};
  }
  row_event outbox(char operation, std::int64_t id, std::int64_t customer, std::int64_t version) const {
    return {row_event::kind_type::insert,
            outbox_,
            {},
            false,
            stream_tuple{value(text(version)), value("0192-w"), value("1"), value("1"), value("shop.orders"),
                         value(text(slot_of(shard_key(customer)).value())), value(std::string(1, operation)),
                         value("{" + text(id) + "}"), value("{" + text(customer) + "}")}};
  }
  row_event fence(std::uint16_t first, std::uint16_t last, int at, bool open) const {
    return {row_event::kind_type::insert,
            fence_,
            {},
            false,
            stream_tuple{value(text(first)), value(text(last)), value(text(at)), value(open ? "t" : "f")}};
  }
  row_event progress() const {
    return {row_event::kind_type::insert, progress_, {}, false, stream_tuple{value("shard1")}};
  }

  result<std::vector<shard_item>> route(std::vector<std::variant<row_event, truncate_event>> changes) {
    at_ += 800;
    return router_.route({.begin = {.final_lsn = lsn{at_}, .xid = ++xid_, .commit_time = 1},
                          .end = lsn{at_ + 80},
                          .changes = std::move(changes)});
  }

  std::shared_ptr<stream_relation const> orders_ =
      relation("shop", "orders", {"id", "customer", "note"}, "id");
  std::shared_ptr<stream_relation const> outbox_ =
      relation("shardway", "outbox",
               {"version", "write_id", "ordinal", "epoch", "relation", "slot", "operation", "key_values",
                "shard_key_values"},
               "write_id");
  std::shared_ptr<stream_relation const> fence_ =
      relation("shardway", "fence_sales", {"slot_from", "slot_to", "epoch", "is_open"}, "slot_from");
  std::shared_ptr<stream_relation const> progress_ =
      relation("shardway", "stream_progress", {"stream"}, "stream");
  std::shared_ptr<stream_relation const> marker_ = relation("shardway", "marker", {"id"}, "id");
  std::shared_ptr<stream_relation const> marker_with_wave_ =
      relation("shardway", "marker", {"id", "wave"}, "id");
  copy_registry copies_;
  std::vector<std::string> types_{"bigint", "bigint", "text"};
  transaction_router router_{
      copies_, [this](stream_relation const&) { return result<std::vector<std::string>>{types_}; }, 1 << 20};
  std::shared_ptr<table_catalog const> catalog_;
  std::uint64_t at_{8000};
  std::uint32_t xid_{100};
};

TEST_F(router, rows_go_to_the_shard_of_their_slot_with_the_commit_as_version) {
  follow();
  auto const items = route({insert(row(1, customer_on(0))), insert(row(2, customer_on(1)))}).value();
  ASSERT_EQ(items[0].changes.size(), 1u);
  ASSERT_EQ(items[1].changes.size(), 1u);
  EXPECT_EQ(items[0].changes[0].key, std::vector<std::string>{"1"});
  EXPECT_EQ(items[1].changes[0].version, *row_version::make(epoch{1}, lsn{at_}));
  EXPECT_EQ(items[0].end, lsn{at_ + 80});
}

TEST_F(router, changes_of_chunks_that_are_not_open_are_skipped_and_of_open_ones_kept) {
  EXPECT_TRUE(transaction_router::is_empty(route({insert(row(1, customer_on(0)))}).value()[0]))
      << "nothing is planned yet";
  follow(chunk_step::planned);
  copies_.find("shop.orders")->chunks[1].machine.open({});
  auto const items = route({insert(row(99, customer_on(0))), insert(row(100, customer_on(0)))}).value();
  EXPECT_TRUE(items[0].changes.empty());
  EXPECT_TRUE(copies_.find("shop.orders")->chunks[0].kept.empty());
  ASSERT_EQ(copies_.find("shop.orders")->chunks[1].kept.size(), 1u);
  EXPECT_GT(copies_.deferred_bytes(), 0u);
}

TEST_F(router, outbox_gives_version_slot_of_a_delete_and_receipts) {
  follow();
  auto const items = route({remove(7), outbox('d', 7, customer_on(1), 12345)}).value();
  EXPECT_TRUE(items[0].changes.empty());
  ASSERT_EQ(items[1].changes.size(), 1u);
  EXPECT_EQ(items[1].changes[0].kind, change_kind::remove);
  EXPECT_EQ(items[1].changes[0].version.bigint(), 12345);
  EXPECT_TRUE(items[1].changes[0].has_outbox);
  EXPECT_EQ(items[1].write_ids.size(), 1u);
}

TEST_F(router, delete_without_outbox_is_looked_for_on_every_shard) {  // S9
  follow();
  auto const items = route({remove(7)}).value();
  for (auto const& item : items) {
    ASSERT_EQ(item.changes.size(), 1u);
    EXPECT_EQ(item.changes[0].kind, change_kind::locate);
  }
}

TEST_F(router, row_whose_shard_key_changed_leaves_its_old_shard) {  // W20
  follow();
  auto const from = customer_on(0), to = customer_on(1);
  auto const items = route({update({}, row(7, to)), outbox('k', 7, from, 99)}).value();
  ASSERT_EQ(items[0].changes.size(), 1u);
  EXPECT_EQ(items[0].changes[0].kind, change_kind::remove);
  ASSERT_EQ(items[1].changes.size(), 1u);
  EXPECT_EQ(items[1].changes[0].kind, change_kind::upsert);
  EXPECT_TRUE(items[0].write_ids.empty()) << "the trigger's row is no dual write";
  auto const stays = route({update({}, row(7, customer_on(0, from + 1))), outbox('k', 7, from, 99)}).value();
  EXPECT_EQ(stays[0].changes.size(), 1u);
}

TEST_F(router, row_whose_shard_key_changes_twice_in_a_transaction_is_left_in_one_place) {
  follow();
  auto const from = customer_on(0), over = customer_on(1), back = customer_on(0, from + 1);
  auto const items = route({update({}, row(7, over)), outbox('k', 7, from, 99),
                            update({}, row(7, back, "last")), outbox('k', 7, over, 99)})
                         .value();
  auto const there = net_effect(items[0].changes), gone = net_effect(items[1].changes);
  ASSERT_EQ(there.size(), 1u);
  EXPECT_EQ(there[0].kind, change_kind::upsert);
  EXPECT_EQ(there[0].image, row(7, back, "last"));
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].kind, change_kind::remove);
}

TEST_F(router, changed_primary_key_is_a_delete_and_an_insert) {  // W20
  follow();
  auto const items = route({update(key(7), row(8, customer_on(0)))}).value();
  ASSERT_EQ(items[0].changes.size(), 2u);
  EXPECT_EQ(items[0].changes[0].kind, change_kind::locate);
  EXPECT_EQ(items[0].changes[0].key.front(), "7");
  EXPECT_EQ(items[0].changes[1].key.front(), "8");
  EXPECT_EQ(items[1].changes.size(), 1u) << "the old place may have been there";
}

TEST_F(router, transaction_of_a_mirror_is_skipped_whole) {  // S13, S16
  follow();
  auto const items = route({progress(), insert(row(1, customer_on(0))), remove(5)}).value();
  EXPECT_TRUE(transaction_router::is_empty(items[0]) && transaction_router::is_empty(items[1]));
}

TEST_F(router, flip_counts_from_the_next_transaction_on) {  // S16, S22
  follow();
  auto const flip = route({fence(0, 1000, 2, false)}).value();
  ASSERT_EQ(flip[0].flips.size(), 1u);
  EXPECT_TRUE(flip[1].flips.empty());
  EXPECT_EQ(flip[0].flips[0].epoch, epoch{2});
  EXPECT_TRUE(router_.windows().is_changed());
  auto customer = customer_on(0);
  while (slot_of(shard_key(customer)).value() > 1000) customer = customer_on(0, customer + 1);
  auto const refused = route({insert(row(1, customer))});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::stream_broken);
  EXPECT_EQ(refused.error().message().find(text(customer)), std::string::npos) << "a message holds no key";
  EXPECT_TRUE(route({insert(row(1, customer_on(1)))}));
  EXPECT_TRUE(route({progress(), insert(row(1, customer))})) << "a mirror writes there";
  ASSERT_TRUE(route({fence(0, 1000, 3, true)}));
  EXPECT_TRUE(route({insert(row(1, customer))}));
}

TEST_F(router, later_epoch_gives_higher_versions) {
  follow();
  auto const before = route({insert(row(1, customer_on(0)))}).value()[0].changes[0].version;
  ASSERT_TRUE(route({fence(0, 4095, 3, true)}));
  EXPECT_GT(route({insert(row(1, customer_on(0)))}).value()[0].changes[0].version, before);
}

TEST_F(router, foreign_writes_count_from_dual_writing_on) {  // W13
  follow();
  EXPECT_EQ(route({insert(row(1, customer_on(0)))}).value()[0].foreign, 0);
  set_stage(stage::dual_writing, epoch{1});
  EXPECT_EQ(route({insert(row(1, customer_on(0)))}).value()[0].foreign, 1);
  auto const mixed = route({insert(row(1, customer_on(0))), insert(row(2, customer_on(0))),
                            outbox('i', 1, customer_on(0), 5)})
                         .value();
  EXPECT_EQ(mixed[0].foreign, 0);
  EXPECT_EQ(mixed[0].side_effects, 1);
  set_stage(stage::dual_writing, epoch{2});
  EXPECT_EQ(route({insert(row(1, customer_on(0)))}).value()[0].foreign, 0)
      << "from before the epoch in which the stage began";
}

TEST_F(router, truncate_drops_what_came_before_it_in_its_transaction) {  // S11
  follow();
  auto const items =
      route({insert(row(1, customer_on(0))), truncate_event{{orders_}}, insert(row(2, customer_on(0)))})
          .value();
  ASSERT_EQ(items[0].changes.size(), 1u);
  EXPECT_EQ(items[0].changes[0].key.front(), "2");
  EXPECT_EQ(items[0].truncated.size(), 1u);
  EXPECT_EQ(items[1].truncated.size(), 1u);
}

TEST_F(router, marker_goes_to_every_shard) {
  auto const items =
      route({row_event{row_event::kind_type::insert, marker_, {}, false, stream_tuple{value("42")}}}).value();
  EXPECT_EQ(items[0].marker, 42);
  EXPECT_EQ(items[1].marker, 42);
}

// S10, AF11
TEST_F(router, other_shape_pauses_its_group_with_the_difference) {
  follow();
  auto const before = route({insert(row(1, customer_on(0)))});
  types_[2] = "character varying(10)";
  orders_ = relation("shop", "orders", {"id", "customer", "note"}, "id");
  auto const items = route({insert(row(1, customer_on(0))), insert(row(2, customer_on(1)))}).value();
  for (auto const& item : items) {
    EXPECT_TRUE(item.changes.empty());
    ASSERT_EQ(item.paused.size(), 1u);
    EXPECT_EQ(item.paused[0].relation, "shop.orders");
    EXPECT_FALSE(transaction_router::is_empty(item)) << "each shard notes it";
  }
  EXPECT_NE(router_.paused().at("sales").find("character varying(10)"), std::string::npos);
  EXPECT_TRUE(router_.windows().is_changed()) << "saved before it is confirmed";
  types_[2] = "text";
  EXPECT_TRUE(transaction_router::is_empty(route({insert(row(3, customer_on(0)))}).value()[0]))
      << "the old shape again fills no gap";
  router_.resume("sales");
  EXPECT_EQ(route({insert(row(3, customer_on(0)))}).value()[0].changes.size(), 1u);
}

TEST_F(router, outbox_entry_without_its_row_change_pauses_the_group) {  // AF7
  follow();
  auto const items = route({outbox('i', 1, customer_on(0), 5)}).value();
  EXPECT_EQ(items[0].paused.size(), 1u);
  EXPECT_NE(router_.paused().at("sales").find("publication"), std::string::npos);
  router_.resume("sales");
  ASSERT_TRUE(route({insert(row(1, customer_on(0))), outbox('i', 1, customer_on(0), 5)}));
  EXPECT_TRUE(router_.paused().empty());
}

TEST_F(router, key_stored_out_of_line_comes_from_the_old_row) {  // AS4
  follow();
  stream_value const unchanged{stream_value::kind_type::unchanged, {}};
  auto const customer = value(text(customer_on(0)));
  auto const items =
      route({update(stream_tuple{value("7"), {}, {}}, stream_tuple{unchanged, customer, value("new")})})
          .value();
  ASSERT_EQ(items[0].changes.size(), 1u);
  EXPECT_EQ(items[0].changes[0].key.front(), "7");
  EXPECT_FALSE(is_partial(items[0].changes[0]));
  ASSERT_TRUE(route({update({}, stream_tuple{unchanged, customer, value("new")})}));
  EXPECT_NE(router_.paused().at("sales").find("primary key"), std::string::npos)
      << "a server that does not send it: refused by name";
}

TEST_F(router, truncate_of_a_partition_is_a_change_in_its_place) {  // AP5a
  follow();
  auto const leaf = row_event{row_event::kind_type::insert,
                              marker_with_wave_,
                              {},
                              false,
                              stream_tuple{value("9"), value("truncate {shop.orders,shop.orders_1}")}};
  auto const items = route({insert(row(1, customer_on(0))), leaf, insert(row(2, customer_on(0)))}).value();
  ASSERT_EQ(items[0].changes.size(), 3u);
  EXPECT_EQ(items[0].changes[1].kind, change_kind::empty);
  EXPECT_EQ(items[0].changes[1].key, std::vector<std::string>{"shop.orders_1"});
  EXPECT_EQ(items[1].changes.size(), 1u) << "its rows are on every shard";
  EXPECT_EQ(items[0].marker, 0) << "nobody waits for it";
  EXPECT_EQ(copies_.emptied_until("shop.orders"), lsn{at_ + 80});
}

TEST(net_effect, keeps_one_change_a_row) {
  auto table = std::make_shared<followed_table>();
  stream_change first{.kind = change_kind::upsert,
                      .table = table,
                      .key = {"1"},
                      .image = {value("1"), value("large"), value("a")},
                      .version = *row_version::from_bigint(5)};
  stream_change second = first;
  second.image = {value("1"), {stream_value::kind_type::unchanged, {}}, value("b")};
  second.version = *row_version::from_bigint(4);
  stream_change other{
      .kind = change_kind::upsert, .table = table, .key = {"2"}, .image = {value("2"), {}, {}}};
  stream_change gone{.kind = change_kind::remove, .table = table, .key = {"2"}};
  auto const net = net_effect(std::vector{first, other, gone, second});
  ASSERT_EQ(net.size(), 2u);
  EXPECT_EQ(net[0].kind, change_kind::remove);
  EXPECT_EQ(net[1].image[1].text, "large");
  EXPECT_EQ(net[1].image[2].text, "b");
  EXPECT_EQ(net[1].version.bigint(), 5);
  EXPECT_FALSE(is_partial(net[1]));
}

TEST(net_effect, AP5a_partition_that_was_emptied_divides_the_changes) {
  auto table = std::make_shared<followed_table>();
  stream_change before{.kind = change_kind::upsert, .table = table, .key = {"1"}, .image = {value("1")}};
  stream_change emptied{.kind = change_kind::empty, .table = table, .key = {"shop.orders_2026"}};
  auto const net = net_effect(std::vector{before, before, emptied, emptied, before});
  ASSERT_EQ(net.size(), 4u);
  EXPECT_EQ(net[0].kind, change_kind::upsert);
  EXPECT_EQ(net[1].kind, change_kind::empty);
  EXPECT_EQ(net[2].kind, change_kind::empty);
  EXPECT_EQ(net[3].kind, change_kind::upsert);
}

TEST(net_effect, keys_of_several_columns_do_not_run_together) {
  auto table = std::make_shared<followed_table>();
  stream_change one{.kind = change_kind::remove, .table = table, .key = {"1", "23"}},
      two{.kind = change_kind::remove, .table = table, .key = {"12", "3"}};
  EXPECT_EQ(net_effect(std::vector{one, two}).size(), 2u);
}

}  // namespace
