// What stops a migration and what takes it back: a red doctor, the write guard, the way back to observing,
// uninstall.
#include <set>

#include <gmock/gmock.h>

#include "migration_fixture.hpp"
#include "shardway/catalog/install.hpp"
#include "shardway/observe/events.hpp"

namespace shardway_test {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// A JSON array of strings.
class json_list {
 public:
  void add(std::string const& text) {
    text_ += text_.size() > 1 ? ", \"" : "\"";
    for (char const letter : text) {
      if (letter == '"' || letter == '\\') text_ += '\\';
      if (letter == '\n')
        text_ += "\\n";
      else
        text_ += letter;
    }
    text_ += '"';
  }
  std::string text() const { return text_ + "]"; }

 private:
  std::string text_{"["};
};

class control : public migration_fixture {
 protected:
  static table_manifest orders() { return table("shop.orders", {"id"}); }
  static table_manifest items() { return table("shop.items", {"order_id", "line"}); }

  request apply(std::vector<table_manifest> const& tables) {
    json_list documents;
    for (auto const& one : tables) documents.add(print(one));
    return ask("apply", "{\"documents\": " + documents.text() + "}");
  }
  request advance(std::string const& stage) {
    return ask("advance", R"({"group": "sales", "to": ")" + stage + "\"}");
  }
  void refused(request const& answer, std::string const& code, std::string const& what) {
    EXPECT_EQ(answer.state, request_state::failed) << answer.kind;
    EXPECT_EQ(answer.error_code, code) << answer.error_message;
    EXPECT_THAT(answer.error_message, HasSubstr(what));
  }

  /// All of the source that onboarding may touch, outside of schema shardway.
  std::string catalog_of_source() {
    return on_source(R"sql(
      SELECT string_agg(line, E'\n' ORDER BY line) FROM (
        SELECT format('trigger %s %s %s', t.tgrelid::regclass, t.tgname, t.tgenabled) AS line FROM pg_trigger t JOIN
          pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'shop'::regnamespace AND NOT t.tgisinternal
        UNION ALL SELECT format('published %s', prrelid::regclass) FROM pg_publication_rel
        UNION ALL SELECT format('publication %s', pubname) FROM pg_publication
        UNION ALL SELECT format('slot %s', slot_name) FROM pg_replication_slots
        UNION ALL SELECT format('sequence %s %s %s %s %s %s %s', seqrelid::regclass, seqstart, seqincrement, seqmax,
          seqmin, seqcache, seqcycle) FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid WHERE c.relnamespace =
          'shop'::regnamespace
        UNION ALL SELECT format('class %s %s %s %s %s %s', relname, relkind, relreplident, relpersistence, relacl,
          relowner) FROM pg_class WHERE relnamespace = 'shop'::regnamespace
        UNION ALL SELECT format('column %s %s', attrelid::regclass, attname) FROM pg_attribute a JOIN pg_class c ON
          c.oid = a.attrelid WHERE c.relnamespace = 'shop'::regnamespace AND attnum > 0 AND NOT attisdropped
        UNION ALL SELECT format('function %s', p.oid::regprocedure) FROM pg_proc p WHERE pronamespace =
          'shop'::regnamespace) AS lines)sql");
  }
  /// What a group leaves in the catalogs of ours, by node: nothing, if it was withdrawn.
  std::string left_in_ours() {
    return on_source(R"sql(
      SELECT (SELECT count(*) FROM shardway.outbox) || ' ' || (SELECT count(*) FROM shardway.chunk) || ' ' ||
        (SELECT count(*) FROM shardway.certificate) || ' ' || (SELECT count(*) FROM shardway.sequence_increment) ||
        ' ' || coalesce(to_regclass('shardway.fence_sales')::text, '-') || ' ' ||
        (SELECT count(*) FROM pg_proc WHERE pronamespace = 'shardway'::regnamespace AND proname LIKE '%shop.%'))sql");
  }
  std::string left_on_shard(std::size_t shard) {
    return on_shard(shard, R"sql(
      SELECT coalesce(to_regclass('shop.orders')::text, '-') || ' ' || coalesce(to_regclass('shop.items')::text, '-')
        || ' ' || coalesce(to_regclass('shardway.fence_sales')::text, '-') || ' ' ||
        (SELECT count(*) FROM pg_replication_slots) || ' ' || (SELECT count(*) FROM pg_publication) || ' ' ||
        (SELECT count(*) FROM pg_proc WHERE pronamespace = 'shardway'::regnamespace AND proname LIKE '%shop.%'))sql");
  }
};

// The manifest says EXTERNAL, and the column takes its ids from a sequence: every node would give the same
// ids.
TEST_F(control, AS25_a_red_doctor_stops_advance_and_waves_until_it_is_accepted_with_a_reason) {
  start();
  auto red = orders();
  red.ids = id_strategy_kind::external;
  red.ids_given = true;
  require(apply_manifests(options_, {red, items()}));
  controller_process controller(file_);
  auto const stopped = advance("copying");
  refused(stopped, "precondition_failed", "ids shop.orders on source");
  EXPECT_THAT(stopped.error_message, HasSubstr("accept"));
  EXPECT_EQ(on_source("SELECT count(*) FROM pg_publication"), "0") << "nothing was touched";
  EXPECT_EQ(on_shard(0, "SELECT coalesce(to_regclass('shop.orders')::text, '-')"), "-");

  auto accepted = red;
  accepted.accept = {{"ids", "shop.orders", "one service gives all ids"}};
  done(apply({accepted, items()}));
  done(advance("dual_writing"));
  done(ask("guard", R"({"group": "sales", "mode": "refusing"})"));
  done(ask("verify", R"({"group": "sales"})"));
  EXPECT_THAT(ask("gates", R"({"group": "sales"})").result, HasSubstr("1 accepted by the manifests"));
  done(ask("wave", R"({"group": "sales", "percent": 10, "approved_by": "test"})"));

  done(apply({red, items()}));
  refused(ask("wave", R"({"group": "sales", "percent": 20, "approved_by": "test"})"), "gate_red",
          "doctor: ids shop.orders");
  done(ask("rollback", R"({"group": "sales", "approved_by": "test"})"));  // never stopped by a doctor
}

TEST_F(control, the_guard_waits_for_dual_writing_and_is_taken_back) {
  start();
  controller_process controller(file_);
  std::string const guard = R"({"group": "sales", "mode": "refusing"})";
  std::string const group = R"({"group": "sales"})";
  auto const foreign_write = [&] {
    auto const admin = value_of(connect({.node = "source", .conninfo = fleet_->source().conninfo()}));
    return admin->simple("UPDATE shop.orders SET amount = amount WHERE id = 1").has_value();
  };
  refused(ask("guard", guard), "precondition_failed", "is at observing");
  done(advance("replicating"));
  refused(ask("guard", guard), "precondition_failed", "is at replicating");
  done(advance("dual_writing"));
  done(ask("guard", guard));
  EXPECT_FALSE(foreign_write());
  done(ask("unguard", group));
  EXPECT_TRUE(foreign_write());
  EXPECT_EQ(on_shard(0, "SELECT count(*) FROM pg_trigger WHERE tgname = 'shardway_guard'"), "0");

  done(ask("guard", guard));
  done(ask("verify", group));
  done(ask("wave", R"({"group": "sales", "percent": 10, "approved_by": "test"})"));
  refused(ask("unguard", group), "precondition_failed", "shards have authority");
  refused(ask("withdraw", group), "precondition_failed", "shards have authority");
}

TEST_F(control, a_group_goes_back_to_observing_while_services_write_and_leaves_nothing) {
  start();
  auto const before = catalog_of_source();
  auto const ours = left_in_ours();
  controller_process controller(file_);
  writers service(address(fleet_->source()), 3);
  std::string const group = R"({"group": "sales"})";
  done(advance("dual_writing"));
  EXPECT_NE(catalog_of_source(), before);
  std::this_thread::sleep_for(500ms);
  done(ask("guard", R"({"group": "sales", "mode": "refusing"})"));
  done(ask("withdraw", group));
  EXPECT_EQ(catalog_of_source(), before);
  EXPECT_EQ(left_in_ours(), ours);
  for (std::size_t shard = 0; shard < 2; ++shard) EXPECT_EQ(left_on_shard(shard), "- - - 0 0 0");
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(service.failed(), 0) << service.first_failure();

  // It can be onboarded again, and its rows move.
  done(advance("dual_writing"));
  done(ask("guard", R"({"group": "sales", "mode": "refusing"})"));
  done(ask("verify", group));
  done(ask("wave", R"({"group": "sales", "percent": 30, "approved_by": "test"})"));
  done(ask("rollback", R"({"group": "sales", "approved_by": "test"})"));

  // After a rollback too. The epochs that the group has had do not come again.
  done(ask("withdraw", R"({"group": "sales", "keep_shard_tables": true})"));
  EXPECT_EQ(catalog_of_source(), before);
  EXPECT_EQ(left_on_shard(0), "shop.orders shop.items - 0 0 0");
  EXPECT_EQ(
      on_shard(
          0,
          "SELECT count(*) FROM pg_attribute WHERE attname = '_shardway_version' AND NOT attisdropped AND "
          "attrelid = 'shop.orders'::regclass"),
      "0");
  done(advance("dual_writing"));
  EXPECT_EQ(on_source("SELECT string_agg(epoch::text, ',') FROM shardway.fence_sales WHERE is_open"), "3");
  service.stop();
  EXPECT_EQ(service.failed(), 0) << service.first_failure();
  EXPECT_EQ(service.stale_reads(), 0);
  done(ask("verify", group));
  EXPECT_EQ(on_source("SELECT string_agg(DISTINCT result, ',') FROM shardway.certificate"), "equal");
}

struct heard_trouble final : events {
  void on_trouble(std::string_view what, error const& why) noexcept override {
    std::lock_guard const lock(mutex);
    heard.push_back(std::string(what) + ": " + std::string(name(why.code())));
  }
  std::mutex mutex;
  std::vector<std::string> heard;
};

class ending : public control {
 protected:
  void open_sessions() {
    source_ = value_of(connect({.node = "source", .conninfo = address(fleet_->source()) + " user=engine"}));
    for (std::size_t i = 0; i < 2; ++i)
      shards_.push_back(
          value_of(connect({.node = "shard", .conninfo = address(fleet_->shard(i)) + " user=engine"})));
  }
  std::vector<install_node> nodes() {
    return {{source_.get(), node_role::source, "source"},
            {shards_[0].get(), node_role::shard, "shard0"},
            {shards_[1].get(), node_role::shard, "shard1"}};
  }
  result<client> open_client(std::shared_ptr<events> listener = nullptr) {
    return client::open({.source = {.node = "source", .conninfo = address(fleet_->source()) + " user=app"},
                         .application = "service",
                         .listener = std::move(listener)});
  }
  std::unique_ptr<session> source_;
  std::vector<std::unique_ptr<session>> shards_;
};

TEST_F(ending, uninstall_waits_for_clients_closes_the_stale_copy_and_clients_say_once_that_it_is_over) {
  start();
  auto const increment =
      "SELECT seqincrement FROM pg_sequence WHERE seqrelid = 'shop.orders_id_seq'::regclass";
  auto const before = on_source(increment);
  {
    controller_process controller(file_);
    done(advance("dual_writing"));
    EXPECT_NE(on_source(increment), before);
    done(ask("guard", R"({"group": "sales", "mode": "refusing"})"));
    done(ask("verify", R"({"group": "sales"})"));
    done(ask("wave", R"({"group": "sales", "percent": 100, "approved_by": "test"})"));
    done(ask("finalize", R"({"group": "sales", "approved_by": "test"})"));
    controller.stop();
  }
  auto const listener = std::make_shared<heard_trouble>();
  auto service = value_of(open_client(listener));
  open_sessions();
  auto const refusal = uninstall(nodes(), "shop");
  ASSERT_FALSE(refusal);
  EXPECT_EQ(refusal.error().code(), error_code::precondition_failed);
  EXPECT_THAT(refusal.error().message(), AllOf(HasSubstr("clients are alive"), HasSubstr("service")));
  EXPECT_EQ(on_source("SELECT to_regnamespace('shardway') IS NOT NULL"), "t") << "nothing was removed";

  require(uninstall(nodes(), "shop", {.even_with_clients = true}));
  EXPECT_EQ(on_source("SELECT to_regnamespace('shardway') IS NULL"), "t");
  EXPECT_EQ(on_source(increment), before);
  EXPECT_NE(on_shard(0, increment), before) << "ids of shards stay apart";

  // The source's copy is stale: even its owner is refused, by a trigger that says why and how to drop it.
  auto const written = source_->simple("UPDATE shop.orders SET amount = 0 WHERE id = 1");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().sqlstate(), "25006");
  EXPECT_THAT(written.error().server_detail(), HasSubstr("DROP TRIGGER shardway_stale_copy ON shop.orders"));
  EXPECT_EQ(
      on_source(
          "SELECT string_agg(DISTINCT pg_get_userbyid(proowner), ',') FROM pg_proc WHERE pronamespace = "
          "'shardway_stale'::regnamespace"),
      "shop_owner");
  EXPECT_EQ(on_source("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'shardway_stale'"),
            "shop_owner");
  require(uninstall(nodes(), "shop"));  // again: nothing is left to remove

  auto const opened = open_client();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), error_code::migration_ended) << opened.error().to_string();
  EXPECT_THAT(opened.error().hint(), HasSubstr("without the library"));
  auto session = service.session();
  auto const wrote = session.execute("shop.orders", shard_key(std::int64_t{7}),
                                     "UPDATE shop.orders SET amount = 1 WHERE id = 7 AND customer_id = 7");
  ASSERT_FALSE(wrote);
  EXPECT_EQ(wrote.error().code(), error_code::migration_ended) << wrote.error().to_string();
  std::this_thread::sleep_for(3s);  // several polls and heartbeats
  std::lock_guard const lock(listener->mutex);
  EXPECT_EQ(
      std::count(listener->heard.begin(), listener->heard.end(), "the migration has ended: migration_ended"),
      1);
}

TEST_F(ending, uninstall_is_tried_again_while_writers_hold_locks) {
  start();
  {
    controller_process controller(file_);
    done(advance("dual_writing"));
    controller.stop();
  }
  open_sessions();
  auto holder = value_of(connect({.node = "source", .conninfo = fleet_->source().conninfo()}));
  require(holder->simple("BEGIN; LOCK TABLE shop.orders IN ROW EXCLUSIVE MODE"));
  auto const quick = uninstall(nodes(), "shop", {.lock_timeout = 100ms, .retry_budget = 300ms});
  ASSERT_FALSE(quick);
  EXPECT_EQ(quick.error().sqlstate(), "55P03");
  std::jthread const release([&] {
    std::this_thread::sleep_for(1s);
    (void)holder->simple("COMMIT");
  });
  require(uninstall(nodes(), "shop", {.lock_timeout = 100ms}));
  EXPECT_EQ(on_source("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'shardway%'"), "0");
}

// The doctor counts what each node has left. Onboarding refuses what cannot work even if that is accepted.
TEST_F(control, AS26_ids_without_room_stop_advance_before_anything_is_touched) {
  start();
  run_on(
      fleet_->source(),
      "SET ROLE shop_owner; CREATE TABLE shop.visits (id smallint GENERATED BY DEFAULT AS IDENTITY PRIMARY "
      "KEY, customer_id bigint NOT NULL)");
  auto visits = table("shop.visits", {"id"});
  visits.ids = id_strategy_kind::interleaved;
  require(apply_manifests(options_, {orders(), items(), visits}));
  controller_process controller(file_);
  refused(advance("copying"), "precondition_failed", "sequence_room shop.visits_id_seq");
  visits.accept = {{"sequence_room", "shop.visits_id_seq", "few visits"}};
  done(apply({orders(), items(), visits}));
  refused(advance("copying"), "precondition_failed", "has no room for interleaved ids: each node would have");
  EXPECT_EQ(on_source("SELECT count(*) FROM pg_publication"), "0") << "nothing was touched";
  EXPECT_EQ(on_shard(0, "SELECT coalesce(to_regclass('shop.orders')::text, '-')"), "-");
}

TEST_F(control, AS9_a_foreign_key_to_a_later_group_is_made_with_that_group) {
  start();
  run_on(fleet_->source(),
         "SET ROLE shop_owner; CREATE TABLE shop.couriers (name text PRIMARY KEY); INSERT INTO shop.couriers "
         "VALUES ('bike'), ('van'); CREATE TABLE shop.parcels (id bigint PRIMARY KEY, customer_id bigint NOT "
         "NULL, courier text NOT NULL CONSTRAINT parcels_courier REFERENCES shop.couriers);"
         "INSERT INTO shop.parcels SELECT id, customer_id, 'van' FROM shop.orders; GRANT SELECT, INSERT ON "
         "shop.parcels, shop.couriers TO app");
  auto parcels = table("shop.parcels", {"id"}), couriers = table("shop.couriers", {"name"});
  parcels.group = "sending";
  parcels.ids_given = true;
  parcels.accept = {{"reference_foreign_key", "parcels_courier", "couriers are never deleted"}};
  couriers.group = "catalogue";
  couriers.kind = table_kind::reference;
  couriers.shard_key.clear();
  require(apply_manifests(options_, {orders(), items(), parcels, couriers}));
  controller_process controller(file_);
  std::string const sending = R"({"group": "sending"})", catalogue = R"({"group": "catalogue"})";
  std::string const missing = "foreign key parcels_courier of shop.parcels";
  auto const made = [&](std::size_t shard) {
    return on_shard(shard,
                    "SELECT count(*) FROM pg_constraint WHERE conname = 'parcels_courier' AND convalidated");
  };
  done(ask("advance", R"({"group": "sending", "to": "dual_writing"})"));
  EXPECT_THAT(ask("gates", sending).result, HasSubstr(missing));
  EXPECT_EQ(made(0), "0");
  done(ask("advance", R"({"group": "catalogue", "to": "replicating"})"));
  EXPECT_THAT(ask("gates", sending).result, Not(HasSubstr(missing)));
  for (std::size_t shard = 0; shard < 2; ++shard) EXPECT_EQ(made(shard), "1");
  refused(ask("withdraw", catalogue), "precondition_failed", "parcels_courier");
  EXPECT_EQ(on_shard(0, "SELECT to_regclass('shop.couriers')"), "shop.couriers") << "nothing was touched";
  done(ask("withdraw", sending));
  done(ask("withdraw", catalogue));
}

// Each service has a role of its own. What one of them lacks on the source it lacks on shards too.
TEST_F(control, a_second_role_of_the_application_reads_and_writes_on_source_and_shards) {
  other_roles_ = {"jobs"};
  start();
  run_on(
      fleet_->source(),
      "GRANT USAGE ON SCHEMA shop TO jobs; GRANT SELECT, INSERT, UPDATE ON shop.orders TO jobs; GRANT USAGE "
      "ON ALL SEQUENCES IN SCHEMA shop TO jobs");
  controller_process controller(file_);
  done(advance("dual_writing"));
  auto jobs = value_of(
      client::open({.source = {.node = "source", .conninfo = address(fleet_->source()) + " user=jobs"},
                    .application = "jobs"}));
  auto session = jobs.session();
  auto const insert = [&](std::int64_t customer) {
    return session.execute("shop.orders", shard_key(customer),
                           "INSERT INTO shop.orders (customer_id) VALUES ($1::bigint)",
                           {std::to_string(customer)});
  };
  int applied = 0;
  for (std::int64_t customer = 1000; customer < 1010; ++customer) {
    auto const receipt = value_of(insert(customer));
    applied += receipt.dual_write == dual_write_state::applied;
    EXPECT_THAT(receipt.dual_write_reason, AnyOf("", "delivered", "newer_present"))
        << "the stream may be first";
  }
  EXPECT_GT(applied, 0);
  done(ask("guard", R"({"group": "sales", "mode": "refusing"})"));
  done(ask_until_done("verify", R"({"group": "sales"})"));
  done(ask_until_done("wave", R"({"group": "sales", "percent": 50, "approved_by": "test"})"));
  std::set<std::string> nodes;
  for (std::int64_t customer = 1000; customer < 1040; ++customer) {
    nodes.insert(value_of(insert(customer)).node);
    auto const read =
        value_of(session.read("shop.orders", shard_key(customer),
                              "SELECT current_user, count(*) FROM shop.orders WHERE customer_id "
                              "= $1::bigint GROUP BY 1",
                              {std::to_string(customer)}));
    EXPECT_EQ(read.returned.text(0, 0), "jobs");
    EXPECT_EQ(read.returned.text(0, 1), customer < 1010 ? "2" : "1");
  }
  EXPECT_GE(nodes.size(), 2u) << "the source and shards";
  for (std::size_t shard = 0; shard < 2; ++shard) {
    auto const direct = open(fleet_->shard(shard), "jobs");
    EXPECT_TRUE(direct->simple("SELECT nextval('shop.orders_id_seq')"));
    auto const items = direct->simple("SELECT 1 FROM shop.items");
    ASSERT_FALSE(items);
    EXPECT_EQ(items.error().sqlstate(), "42501");
  }
}

// Whoever follows a publication of all tables would get those of schema shardway, and may stop at them.
TEST_F(control, a_publication_of_all_tables_stops_apply_before_anything_is_installed) {
  start();
  auto source = open(fleet_->source(), "engine");
  auto first = open(fleet_->shard(0), "engine"), second = open(fleet_->shard(1), "engine");
  require(uninstall({{source.get(), node_role::source, "source"},
                     {first.get(), node_role::shard, "shard0"},
                     {second.get(), node_role::shard, "shard1"}},
                    "shop"));
  run_on(fleet_->source(), "CREATE PUBLICATION dbz FOR ALL TABLES");
  auto const refused = apply_manifests(options_, {orders(), items()});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::precondition_failed);
  EXPECT_THAT(refused.error().message(), HasSubstr("dbz"));
  EXPECT_EQ(on_source("SELECT to_regnamespace('shardway') IS NULL"), "t");
}

}  // namespace
}  // namespace shardway_test
