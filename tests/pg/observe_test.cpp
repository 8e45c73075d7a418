// The stage `observing`: calls go to the source as they are, and what they would be on shards is counted,
// uploaded and added up.
#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>

#include "client_fleet.hpp"
#include "counting_proxy.hpp"
#include "shardway/catalog/call_reports.hpp"
#include "shardway/pg/connect.hpp"

namespace {

using namespace shardway_test;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr auto insert_order = "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $2)";

class observing : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ = std::make_unique<client_fleet>(shardway::testing::cluster_options{
        .shards = 2, .settings = {{"log_statement", "all"}, {"log_line_prefix", "%a|"}}, .fast = true});
    fleet_->on(fleet_->servers().source(), "CREATE TABLE shop.audit (what text)");
  }
  static void TearDownTestSuite() { fleet_.reset(); }
  void SetUp() override {
    fleet().on(source(), "DELETE FROM shardway.call_report");
    fleet().publish(stage::observing);
  }
  static client_fleet& fleet() { return *fleet_; }
  static shardway::testing::server& source() { return fleet().servers().source(); }

  static write_options label(std::string text) { return {.call_site = std::move(text)}; }
  static std::int64_t key_of_shard(std::uint16_t shard) {
    for (;;)
      if (auto const key = fresh_key(); fleet().current().shard_of(slot_of(key)).value() == shard) return key;
  }
  static call_counts counts_of(call_report const& report, std::string const& site) {
    for (auto const& one : report.sites)
      if (one.site == site) return one.counts;
    return {};
  }
  /// One `write` of these statements under a label; its shape.
  static std::vector<call_shape> shapes_of(call_report const& report, std::string const& site) {
    std::vector<call_shape> shapes;
    auto const counts = counts_of(report, site);
    for (std::size_t i = 0; i < call_shape_count; ++i)
      if (counts.by_shape[i] > 0) shapes.push_back(static_cast<call_shape>(i));
    return shapes;
  }

  inline static std::unique_ptr<client_fleet> fleet_;
};

TEST_F(observing, a_call_without_a_key_goes_to_the_source_and_is_counted) {
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const done =
      value_of(session.execute("shop.orders", {}, insert_order, {text(key), text(key)}, label("keyless")));
  EXPECT_EQ(done.node, "source");
  EXPECT_EQ(done.affected, 1);
  EXPECT_EQ(
      value_of(session.read("shop.orders", {}, "SELECT 1 FROM shop.orders WHERE order_id = $1", {text(key)}))
          .returned.size(),
      1U);
  require(session.execute("shop.orders", key, "UPDATE shop.orders SET note = 'a' WHERE order_id = $1",
                          {text(key)}, label("keyed")));
  auto const report = app.report();
  EXPECT_THAT(shapes_of(report, "keyless"), ElementsAre(call_shape::without_key));
  EXPECT_THAT(shapes_of(report, "keyed"), ElementsAre(call_shape::single_shard));
  ASSERT_THAT(report.tables, SizeIs(1));
  EXPECT_EQ(report.tables[0].counts.calls(), 3U);
  EXPECT_EQ(report.tables[0].counts[call_shape::without_key], 2U);
  EXPECT_THAT(report.sites,
              Contains(::testing::Field(&call_site_report::site, ::testing::StartsWith("observe_test.cpp:"))))
      << "of the read";
}

TEST_F(observing, past_it_a_call_without_a_key_is_an_error_as_before) {  // W19
  fleet().publish(stage::copying);
  auto app = fleet().open();
  auto session = app.session();
  EXPECT_EQ(session.execute("shop.orders", {}, "DELETE FROM shop.orders").error().code(),
            error_code::shard_key_missing);
  EXPECT_EQ(session.read("shop.orders", {}, "SELECT 1 FROM shop.orders").error().code(),
            error_code::shard_key_missing);
  EXPECT_EQ(app.report().tables.at(0).counts[call_shape::without_key], 2U) << "counted nevertheless";
}

TEST_F(observing, a_table_of_no_manifest_is_an_error_unless_the_client_observes_it) {
  auto app = fleet().open();
  auto session = app.session();
  EXPECT_EQ(session.execute("shop.audit", {}, "INSERT INTO shop.audit VALUES ('a')").error().code(),
            error_code::unknown_table);
  auto options = fleet().options();
  options.observe_unknown_tables = true;
  for (auto at : {stage::observing, stage::dual_writing}) {
    fleet().publish(at);
    auto open_app = value_of(client::open(options));
    auto other = open_app.session();
    EXPECT_EQ(value_of(other.execute("shop.audit", {}, "INSERT INTO shop.audit VALUES ('b')")).node,
              "source");
    EXPECT_EQ(value_of(other.read("shop.audit", 7, "SELECT * FROM shop.audit")).node, "source");
    require(other.write("shop.audit", {}, [](write_transaction& in) -> result<> {
      BOOST_OUTCOME_TRYV(in.execute("shop.audit", "INSERT INTO shop.audit VALUES ('c')"));
      return success();
    }));
    auto const report = open_app.report();
    EXPECT_EQ(report.tables.at(0).counts[call_shape::unlisted], 3U);
  }
  EXPECT_EQ(fleet().on(source(), "SELECT count(*) FROM shop.audit"), "4");
}

// Each function writes the statements it names; the key of the call is always on shard 0.
struct transaction_case {
  char const* name;
  call_shape expected;
  std::function<result<>(write_transaction&, std::int64_t mine, std::int64_t other)> body;
};

result<> both(result<rows> const& first, result<rows> const& second) {
  if (!first) return first.error();
  if (!second) return second.error();
  return success();
}

TEST_F(observing, a_transaction_is_what_its_statements_are) {
  auto const mine_insert = [](write_transaction& in, std::int64_t key) {
    return in.execute("shop.orders", insert_order, {text(fresh_key()), text(key)});
  };
  std::vector<transaction_case> const cases{
      {"one key", call_shape::single_shard,
       [&](auto& in, auto mine, auto) { return both(mine_insert(in, mine), mine_insert(in, mine)); }},
      {"two shards", call_shape::crosses_shards,
       [&](auto& in, auto mine, auto other) { return both(mine_insert(in, mine), mine_insert(in, other)); }},
      {"two shards, one read", call_shape::crosses_shards,
       [&](auto& in, auto mine, auto other) {
         return both(mine_insert(in, mine),
                     in.query("SELECT 1 FROM shop.orders WHERE customer_id = $1", {text(other)}));
       }},
      {"two groups", call_shape::crosses_groups,
       [&](auto& in, auto mine, auto) {
         return both(mine_insert(in, mine),
                     in.execute("shop.currencies",
                                "INSERT INTO shop.currencies VALUES ('X', 'x') ON CONFLICT DO NOTHING"));
       }},
      {"a reference table read", call_shape::single_shard,
       [&](auto& in, auto mine, auto) {
         return both(mine_insert(in, mine), in.query("SELECT 1 FROM shop.currencies WHERE code = 'X'"));
       }},
      {"no manifest", call_shape::crosses_groups,
       [&](auto& in, auto mine, auto) {
         return both(mine_insert(in, mine), in.execute("shop.audit", "INSERT INTO shop.audit VALUES ('d')"));
       }},
      {"no key in the text", call_shape::not_known,
       [&](auto& in, auto mine, auto) {
         return both(
             mine_insert(in, mine),
             in.execute("shop.orders", "UPDATE shop.orders SET note = 'x' WHERE order_id = $1", {text(1)}));
       }},
  };
  auto app = fleet().open();
  auto session = app.session();
  for (auto const& one : cases) {
    auto const mine = key_of_shard(0), other = key_of_shard(1);
    require(session.write(
        "shop.orders", mine, [&](write_transaction& in) { return one.body(in, mine, other); },
        label(one.name)));
    EXPECT_THAT(shapes_of(app.report(), one.name), ElementsAre(one.expected)) << one.name;
  }
  auto const groups = propose_groups(app.report());
  ASSERT_THAT(groups, SizeIs(1));
  EXPECT_THAT(groups[0].tables, ElementsAre("shop.audit", "shop.currencies", "shop.orders"));
  EXPECT_EQ(groups[0].transactions, 2U);
}

TEST_F(observing, only_the_last_attempt_of_a_transaction_counts) {
  auto app = fleet().open();
  auto session = app.session();
  auto const mine = key_of_shard(0), other = key_of_shard(1);
  int attempts = 0;
  require(session.write(
      "shop.orders", mine,
      [&](write_transaction& in) -> result<> {
        BOOST_OUTCOME_TRYV(
            in.execute("shop.orders", insert_order, {text(fresh_key()), text(attempts == 0 ? other : mine)}));
        if (attempts++ == 0) return error{error_code::serialization_failure, "again"};
        return success();
      },
      label("again")));
  EXPECT_EQ(attempts, 2);
  EXPECT_THAT(shapes_of(app.report(), "again"), ElementsAre(call_shape::single_shard));
}

TEST_F(observing, a_transaction_of_an_observing_group_may_not_write_a_group_past_it) {
  fleet().current().groups[1].stage = stage::copying;
  fleet().publish();
  auto app = fleet().open();
  auto session = app.session();
  auto const refused = session.write("shop.orders", fresh_key(), [](write_transaction& in) -> result<> {
    BOOST_OUTCOME_TRYV(in.execute("shop.currencies", "INSERT INTO shop.currencies VALUES ('Y', 'y')"));
    return success();
  });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::statement_refused) << "it would pass that group's fence by";
}

TEST_F(observing, reports_of_all_clients_are_added_up_in_the_catalog) {
  auto options = fleet().options();
  options.report_interval = 20ms;
  auto a = value_of(client::open(options));
  options.application = "other";
  auto b = value_of(client::open(options));
  auto const spend = [&](client& app, int times) {
    auto session = app.session();
    for (int i = 0; i < times; ++i) {
      auto const mine = key_of_shard(0), other = key_of_shard(1);
      require(session.execute("shop.orders", {}, insert_order, {text(fresh_key()), text(mine)},
                              label("keyless")));
      require(session.write(
          "shop.orders", mine,
          [&](write_transaction& in) -> result<> {
            BOOST_OUTCOME_TRYV(in.execute("shop.orders", insert_order, {text(mine), text(mine)}));
            BOOST_OUTCOME_TRYV(
                in.execute_for(other, "shop.items",
                               "INSERT INTO shop.items (order_id, line, customer_id) VALUES ($1, 1, $2)",
                               {text(mine), text(other)}));
            return success();
          },
          label("crossing")));
    }
  };
  spend(a, 2);
  spend(b, 3);
  fleet().on(source(), write_guard_sql(write_guard::recording, "shop.orders", "shop", {}));
  fleet().on(source(),
             "SET application_name = 'nightly job'; UPDATE shop.orders SET note = 'nightly'; UPDATE "
             "shop.orders SET note = 'again'");
  auto expected = a.report();
  merge(expected, b.report());
  EXPECT_EQ(counts_of(expected, "crossing")[call_shape::crosses_shards], 5U);

  auto catalog = value_of(connect({.node = "source", .conninfo = fleet().servers().conninfo(source())}));
  auto const collect = [&] { return value_of(collect_call_reports(*catalog, 3600s)); };
  for (int i = 0; i < 500 && collect().calls != expected; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(collect().calls, expected) << to_json(collect().calls) << "\n" << to_json(expected);
  EXPECT_EQ(collect().clients, 2);
  EXPECT_THAT(collect().applications, ElementsAre("other", "test"));
  EXPECT_THAT(value_of(list_foreign_writers(*catalog, 3600s)),
              ElementsAre(::testing::AllOf(::testing::Field(&foreign_writer::relation, "shop.orders"),
                                           ::testing::Field(&foreign_writer::application, "nightly job"),
                                           ::testing::Field(&foreign_writer::operation, "update"),
                                           ::testing::Field(&foreign_writer::statements, 2))));
  fleet().on(source(), write_guard_sql(write_guard::absent, "shop.orders", "shop", {}));
  EXPECT_THAT(to_json(collect().calls), Not(HasSubstr("INSERT"))) << "no SQL, keys or values";
}

TEST_F(observing, a_client_uploads_its_last_calls_when_it_closes_and_nothing_without_any) {
  auto silent = fleet().open();
  auto app = fleet().open();
  auto session = app.session();
  require(session.execute("shop.orders", 1, "DELETE FROM shop.orders WHERE customer_id = $1", {"1"}));
  auto const expected = app.report();
  app.close();
  silent.close();
  auto catalog = value_of(connect({.node = "source", .conninfo = fleet().servers().conninfo(source())}));
  auto const found = value_of(collect_call_reports(*catalog, 3600s));
  EXPECT_EQ(found.calls, expected);
  EXPECT_EQ(found.clients, 1);
}

TEST_F(observing, a_catalog_that_takes_no_reports_disturbs_no_call) {
  fleet().on(source(), "ALTER FUNCTION shardway.report_calls(uuid, text, jsonb) RENAME TO report_calls_away");
  auto options = fleet().options();
  options.report_interval = 10ms;
  auto app = value_of(client::open(options));
  auto session = app.session();
  for (int i = 0; i < 3; ++i)
    require(session.execute("shop.orders", 1, "DELETE FROM shop.orders WHERE customer_id = $1", {"1"}));
  app.close();
  fleet().on(source(), "ALTER FUNCTION shardway.report_calls_away(uuid, text, jsonb) RENAME TO report_calls");
  EXPECT_EQ(fleet().on(source(), "SELECT count(*) FROM shardway.call_report"), "0");
}

TEST_F(observing, reports_are_bounded_by_age_and_number) {
  auto const put = [&](std::string const& expression) {
    fleet().on(source(), "SELECT shardway.report_calls(" + expression + ", 'a', '{}')");
  };
  fleet().on(source(),
             "INSERT INTO shardway.call_report (client_id, application, document, updated_at) SELECT "
             "md5(i::text)::uuid, 'a', '{}', "
             "clock_timestamp() - i * interval '20 minutes' FROM generate_series(1, 1100) i");
  put("md5('new')::uuid");
  EXPECT_EQ(fleet().on(source(),
                       "SELECT count(*) || ' ' || count(*) FILTER (WHERE updated_at < clock_timestamp() - "
                       "interval '14 days') FROM shardway.call_report"),
            "1000 0");
  EXPECT_EQ(source()
                .query("SELECT shardway.report_calls(md5('big')::uuid, 'a', to_jsonb(repeat('x', 5000000)))")
                .error()
                .sqlstate(),
            "54000");
}

// The statements that an application sent, from the server's log.
std::vector<std::string> statements_of(shardway::testing::server const& node,
                                       std::string const& application) {
  std::ifstream log(node.folder() / "server.log");
  std::vector<std::string> found;
  for (std::string line; std::getline(log, line);) {
    if (!line.starts_with(application + "|")) continue;
    auto const what = line.find(": ", line.find("LOG:  ") + 6);
    if (line.find("LOG:  execute ") != line.npos || line.find("LOG:  statement") != line.npos)
      found.push_back(line.substr(what + 2));
    else if (line.find("DETAIL:  parameters: ") != line.npos)
      found.push_back(line.substr(line.find("parameters: ")));
  }
  return found;
}

struct observed_run {
  std::vector<std::string> statements;
  std::uint64_t round_trips{};
};

constexpr int rounds = 5;
constexpr auto select_order = "SELECT note  FROM shop.orders /* as it is */ WHERE customer_id = $1 ";
constexpr auto update_order = "update shop.orders   SET note = $2 WHERE customer_id = $1";

class untouched : public observing {
 protected:
  /// Silences the background, so that every round trip belongs to a call.
  client_options quiet(counting_proxy const& proxy, std::string application, bool observe) {
    auto options = fleet().options();
    options.source.conninfo = proxy.conninfo("postgres");
    options.application = std::move(application);
    options.generation_interval = options.replica_interval = options.report_interval = 1h;
    options.observe = observe;
    options.listen = false;
    return options;
  }
  observed_run measured(counting_proxy const& proxy, std::string const& application,
                        std::function<void()> const& round) {
    round();                             // connects and prepares
    std::this_thread::sleep_for(300ms);  // the background's first check is over
    auto const before = statements_of(source(), application).size();
    auto const trips = proxy.round_trips();
    for (int i = 0; i < rounds; ++i) round();
    auto all = statements_of(source(), application);
    return {{all.begin() + static_cast<std::ptrdiff_t>(before), all.end()}, proxy.round_trips() - trips};
  }
  observed_run through_the_library(std::string const& application, bool observe) {
    counting_proxy proxy{source().port(), "shop.orders"};
    auto app = value_of(client::open(quiet(proxy, application, observe)));
    auto session = app.session();
    auto ran = measured(proxy, application, [&] {
      require(session.execute("shop.orders", 5, update_order, {"5", "a"}));
      require(session.read("shop.orders", 5, select_order, {"5"}));
      require(session.write("shop.orders", 5, [](write_transaction& in) -> result<> {
        BOOST_OUTCOME_TRYV(in.execute("shop.orders", update_order, {"5", "b"}));
        BOOST_OUTCOME_TRYV(in.query(select_order, {"5"}));
        return success();
      }));
    });
    EXPECT_EQ(app.report().tables.empty(), !observe);
    return ran;
  }
  observed_run bare() {
    counting_proxy proxy{source().port(), "shop.orders"};
    auto link = value_of(
        connect({.node = "source", .conninfo = proxy.conninfo("postgres"), .application_name = "bare"}));
    return measured(proxy, "bare", [&] {
      require(link->query({update_order, {"5", "a"}, "u"}));
      require(link->query({select_order, {"5"}, "s"}));
      for (auto const& one :
           {statement{"BEGIN ISOLATION LEVEL READ COMMITTED"}, statement{update_order, {"5", "b"}, "u"},
            statement{select_order, {"5"}, "s"}, statement{"COMMIT"}})
        require(link->query(one));
    });
  }
};

TEST_F(untouched, observing_sends_the_statements_as_they_are_in_no_more_round_trips_than_a_bare_connection) {
  auto const plain = bare();
  auto const seen = through_the_library("seen", true);
  EXPECT_EQ(plain.round_trips, 6U * rounds);
  EXPECT_EQ(seen.round_trips, plain.round_trips);
  // Beside the user's statements, in the same round trips: the position for the session's token and the
  // transaction's id.
  auto users = seen.statements;
  std::erase_if(users, [](auto const& one) {
    return one.find("pg_current_wal_insert_lsn()") != one.npos ||
           one.find("pg_current_xact_id_if_assigned()") != one.npos;
  });
  EXPECT_EQ(users, plain.statements);
  EXPECT_THAT(plain.statements, SizeIs(10U * rounds)) << "6 statements and the parameters of 4";
}

TEST_F(untouched, a_client_that_does_not_observe_sends_the_very_same) {
  auto const seen = through_the_library("seen2", true);
  auto const blind = through_the_library("blind", false);
  EXPECT_EQ(seen.statements, blind.statements);
  EXPECT_EQ(seen.round_trips, blind.round_trips);
}

}  // namespace
