// Reconciles rows and mappings: a lookup is built, checked and repaired while writers go on. Then a whole
// migration with lookups.
#include <future>
#include <thread>

#include <gmock/gmock.h>

#include "lib/migrate/lookup/job.hpp"
#include "lookup_fixture.hpp"
#include "migration_fixture.hpp"

namespace shardway_test {
namespace {

using namespace shardway::migrate::lookup;

using ::testing::HasSubstr;

std::string const insert_sql =
    "INSERT INTO shop.users (id, customer_id, email, phone, note) VALUES ($1, $2, $3, $4, $5)";

class lookup_repairs : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { fleet_ = std::make_unique<lookup_fleet>(); }
  static void TearDownTestSuite() { fleet_.reset(); }
  static lookup_fleet& fleet() { return *fleet_; }

  void SetUp() override {
    for (auto* node : {&fleet().source(), &fleet().servers().shard(0), &fleet().servers().shard(1)})
      fleet().on(*node,
                 "BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM shop.users; COMMIT");
    for (auto const* name : {"email", "phone"})
      for (std::size_t i = 0; i < fleet().servers().shard_count(); ++i)
        fleet().on(fleet().servers().shard(i), "DELETE FROM " + names::lookup_table("shop.users", name));
    app_ = std::make_unique<client>(fleet().open());
    source_ = fleet().connected(fleet().source());
    shards_.clear();
    for (std::size_t i = 0; i < fleet().servers().shard_count(); ++i)
      shards_.push_back(fleet().connected(fleet().servers().shard(i)));
  }

  lookup_report run(std::string_view name, lookup_task task) {
    node_sessions nodes{.source = source_.get(), .shards = {}};
    for (auto const& shard : shards_) nodes.shards.push_back(shard.get());
    return value_of(run_lookup_task(nodes, fleet().current(), fleet().lookup(name), task, 0));
  }
  static result<write_receipt> insert(client_session& in, std::int64_t id, std::int64_t customer,
                                      std::string const& email, std::string note = "",
                                      write_options const& options = {}) {
    return in.execute("shop.users", customer, insert_sql,
                      {text(id), text(customer), email, "p", std::move(note)}, options);
  }
  /// Bypasses the library, so no mapping is written.
  static void foreign(shardway::testing::server& node, std::int64_t id, std::int64_t customer,
                      std::string const& email) {
    fleet().on(node, "INSERT INTO shop.users (id, customer_id, email, phone) VALUES (" + text(id) + ", " +
                         text(customer) + ", '" + email + "', 'p')");
  }
  static std::int64_t moved_customer() {
    auto const customer = fresh_key();
    fleet().move(customer);
    return customer;
  }

  inline static std::unique_ptr<lookup_fleet> fleet_;
  std::unique_ptr<client> app_;
  std::unique_ptr<session> source_;
  std::vector<std::unique_ptr<session>> shards_;
};

TEST_F(lookup_repairs, rows_from_before_get_their_mappings) {
  auto const moved = moved_customer();
  fleet().on(fleet().source(),
             "INSERT INTO shop.users (id, customer_id, email, phone) SELECT i, i, nullif('u' || i, 'u5'), "
             "'p' || i % 7 FROM generate_series(1, 2500) i");
  foreign(fleet().shard_of(slot_of(shard_key(moved))), 9000, moved, "moved");
  auto const seen = run("email", lookup_task::check);
  auto const elsewhere = seen.rows;  // some slots of these customers may have moved in other tests
  EXPECT_GT(elsewhere, 2400);
  EXPECT_EQ(seen.missing, seen.rows) << "counted as what they are: rows that can't be found";
  EXPECT_FALSE(seen.is_complete());
  for (auto const* name : {"email", "phone"}) {
    auto const built = run(name, lookup_task::build);
    EXPECT_TRUE(built.is_complete());
    EXPECT_EQ(run(name, lookup_task::check).missing, 0);
  }
  EXPECT_EQ(run("email", lookup_task::build).added, 0) << "again does nothing";
  value_of(app_->refresh());
  auto in = app_->session();
  EXPECT_EQ(value_of(in.lookup("shop.users", "email", std::string("moved"))), std::vector<shard_key>{moved});
  EXPECT_EQ(fleet().mapped("email", "u5"), "");
}

TEST_F(lookup_repairs, mappings_without_a_row_are_removed_and_missing_ones_are_added) {
  auto in = app_->session();
  auto const kept = fresh_key(), changed = fresh_key(), deleted = fresh_key(), unknown = fresh_key();
  for (auto const one : {kept, changed, deleted}) value_of(insert(in, one, one, "e" + text(one)));
  value_of(in.execute("shop.users", changed, "UPDATE shop.users SET email = 'other' WHERE id = $1",
                      {text(changed)}));
  value_of(in.execute("shop.users", deleted, "DELETE FROM shop.users WHERE id = $1", {text(deleted)}));
  foreign(fleet().source(), unknown, unknown, "unknown");
  // A mapping on a shard other than its value's.
  auto const home = lookup_shard(fleet().current(), shard_key("e" + text(kept))).value();
  fleet().on(fleet().servers().shard(home == 0 ? 1 : 0),
             "INSERT INTO " + names::lookup_table("shop.users", "email") + " VALUES ('e" + text(kept) +
                 "', '{" + text(kept) + "}', '{" + text(kept) + "}')");
  auto const seen = run("email", lookup_task::check);
  EXPECT_EQ(seen.missing, 1);
  EXPECT_EQ(seen.stale, 2);
  EXPECT_EQ(seen.misplaced, 1);
  EXPECT_EQ(seen.added + seen.removed, 0) << "a check changes nothing";
  auto const repaired = run("email", lookup_task::repair);
  EXPECT_EQ(repaired.added, 1);
  EXPECT_EQ(repaired.removed, 3);
  auto const after = run("email", lookup_task::check);
  EXPECT_EQ(after.missing + after.stale + after.misplaced + after.busy, 0);
  EXPECT_EQ(after.rows, after.mappings);
  EXPECT_EQ(fleet().mapped("email", "e" + text(kept)), text(kept));
}

TEST_F(lookup_repairs, values_that_two_rows_have_are_counted_and_a_stale_mapping_gives_way) {
  auto in = app_->session();
  auto const gone = fresh_key(), first = fresh_key(), second = moved_customer();
  value_of(insert(in, gone, gone, "twice"));
  value_of(in.execute("shop.users", gone, "DELETE FROM shop.users WHERE id = $1", {text(gone)}));
  foreign(fleet().source(), first, first, "twice");
  auto const taken_over = run("email", lookup_task::build);
  EXPECT_TRUE(taken_over.is_complete());
  EXPECT_EQ(fleet().mapped("email", "twice"), text(first));
  foreign(fleet().shard_of(slot_of(shard_key(second))), second, second, "twice");
  auto const built = run("email", lookup_task::build);
  EXPECT_EQ(built.duplicates, 1);
  EXPECT_FALSE(built.is_complete());
}

// A writer stands in COMMIT: its mapping is there, its row is not yet. The repair must leave it alone.
class repair_under_a_writer : public lookup_repairs {
 protected:
  lookup_report repaired_meanwhile() {
    customer_ = fresh_key();
    auto gate = fleet().connected(fleet().source());
    value_of(gate->query({.sql = "SELECT pg_advisory_lock(77, 77)"}));
    auto slow = std::async(std::launch::async, [&] {
      auto in = app_->session();
      return insert(in, customer_, customer_, "slow", "slow");
    });
    auto const is_waiting = [] {
      return fleet().on(fleet().source(),
                        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 77 AND NOT "
                        "granted") == "1";
    };
    while (!is_waiting() && slow.wait_for(5ms) != std::future_status::ready) continue;
    EXPECT_TRUE(is_waiting());
    auto const report = run(name_, lookup_task::repair);
    gate.reset();
    value_of(slow.get());
    return report;
  }
  std::string name_{"phone"};
  std::int64_t customer_{};
};

TEST_F(repair_under_a_writer, leaves_its_mapping) {
  for (auto const* name : {"phone", "email"}) {
    SetUp();
    name_ = name;
    auto const report = repaired_meanwhile();
    EXPECT_EQ(report.busy, 1);
    EXPECT_EQ(report.removed, 0);
    EXPECT_EQ(run(name_, lookup_task::check).missing, 0);
  }
}

TEST_F(repair_under_a_writer, would_remove_it_without_the_writers_lock) {
  setenv("SHARDWAY_GUARD_OFF", "lookup_lock", 1);
  auto const report = repaired_meanwhile();
  unsetenv("SHARDWAY_GUARD_OFF");
  EXPECT_EQ(report.removed, 1);
  EXPECT_EQ(run(name_, lookup_task::check).missing, 1) << "what the guard is for";
}

class lookup_migration : public migration_fixture {};

TEST_F(lookup_migration, a_wave_waits_for_complete_lookups_and_rows_are_found_in_every_stage) {
  start();
  auto items = table("shop.items", {"order_id", "line"});
  items.lookups = {{.name = "sku", .columns = {"sku"}, .unique = false}};
  value_of(apply_manifests(options_, {table("shop.orders", {"id"}), items}));
  auto controller = std::make_unique<controller_process>(file_, "lookup_before_ready");
  auto app = value_of(
      client::open({.source = {.node = "source", .conninfo = address(fleet_->source()) + " user=app"},
                    .application = "lookups"}));
  auto in = app.session();
  auto const rows_of = [&](std::string const& sku) {
    return value_of(in.read_by("shop.items", "sku", sku,
                               "SELECT order_id FROM shop.items WHERE sku = $1 AND customer_id = $2", {sku}))
        .returned.size();
  };
  EXPECT_EQ(rows_of("sku7"), 60U) << "observing";
  done(ask("advance", R"({"group": "sales", "to": "dual_writing"})"));
  auto const lookup = [&](std::string const& what) {
    return ask("lookup", R"({"table": "shop.items", "name": "sku", "do": ")" + what + "\"}");
  };
  EXPECT_EQ(lookup("build").error_code, "precondition_failed") << "foreign writers are not refused yet";
  done(ask("guard", R"({"group": "sales", "mode": "refusing"})"));
  done(ask("verify", R"({"group": "sales"})"));
  auto const refused = ask("wave", R"({"group": "sales", "percent": 10, "approved_by": "test"})");
  EXPECT_EQ(refused.error_code, "gate_red");
  EXPECT_THAT(refused.error_message, HasSubstr("lookups: not complete: shop.items sku"));
  auto const building = value_of(
      enqueue_request(*catalog_, "lookup", R"({"table": "shop.items", "name": "sku", "do": "build"})"));
  ASSERT_TRUE(controller->ended_within(60s));
  EXPECT_TRUE(controller->was_killed());
  controller = std::make_unique<controller_process>(file_);
  auto const built = value_of(wait_for_request(*catalog_, building, std::chrono::steady_clock::now() + 60s));
  done(built);
  EXPECT_THAT(built.result, HasSubstr(R"("ready")"));
  EXPECT_EQ(rows_of("sku7"), 60U) << "dual_writing";
  done(ask_until_done("wave", R"({"group": "sales", "percent": 10, "approved_by": "test"})"));
  EXPECT_EQ(rows_of("sku7"), 60U) << "some slots have moved";
  done(ask_until_done("wave", R"({"group": "sales", "percent": 100, "approved_by": "test"})"));
  value_of(in.execute("shop.items", 7,
                      "UPDATE shop.items SET sku = 'fresh' WHERE order_id = 7 AND customer_id = 7"));
  EXPECT_EQ(rows_of("fresh"), 1U);
  EXPECT_EQ(rows_of("sku7"), 59U);
  auto const checked = lookup("check");
  done(checked);
  EXPECT_EQ(std::string(
                run_on(fleet_->source(), "SELECT '" + checked.result + "'::jsonb ->> 'missing'").text(0, 0)),
            "0");
  done(lookup("repair"));
  done(ask_until_done("rollback", R"({"group": "sales", "approved_by": "test"})"));
  EXPECT_EQ(rows_of("fresh"), 1U) << "back on the source";
  // The manifest drops the lookup and adds it again: rows written in between have no mapping.
  auto const apply = [&](table_manifest const& wanted) {
    auto const documents = "jsonb_build_array($m$" + print(table("shop.orders", {"id"})) + "$m$::text, $m$" +
                           print(wanted) + "$m$::text)";
    done(ask("apply", on_source("SELECT jsonb_build_object('documents', " + documents + ")::text")));
  };
  apply(table("shop.items", {"order_id", "line"}));
  apply(items);
  auto const stale = lookup("check");
  done(stale);
  EXPECT_EQ(
      std::string(run_on(fleet_->source(), "SELECT '" + stale.result + "'::jsonb ->> 'ready'").text(0, 0)),
      "false");
  done(lookup("build"));
}

}  // namespace
}  // namespace shardway_test
