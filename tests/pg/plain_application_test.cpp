// Nothing that onboarding does on the source makes a statement of an application fail.
#include <atomic>
#include <thread>

#include <libpq-fe.h>

#include "onboard_shapes_fixture.hpp"

namespace shardway {
namespace {

class plain_libpq : public shapes {};

// --- An application that knows nothing of us, beside each step

struct libpq_closer {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};

// One connection of plain libpq. The first statement that fails is kept.
class plain_application {
 public:
  plain_application(std::string const& conninfo, bool knows_merge)
      : connection_(PQconnectdb(conninfo.c_str())), knows_merge_(knows_merge) {
    run("SET lock_timeout = '3s'; SET statement_timeout = '20s'");
    run("PREPARE change (bigint, text) AS UPDATE shop.plain SET note = $2 WHERE tenant = $1");
  }
  std::string const& failure() const { return failure_; }
  void forget() { failure_.clear(); }

  /// Every kind of statement, on each table of the schema below.
  void round() {
    auto const n = std::to_string(++rounds_);
    for (std::string const table : {"plain", "\"Odd Names\"", "full", "late_unique", "excluding", "logged"})
      for (auto const& sql : std::initializer_list<std::string>{
               "INSERT INTO shop." + table + " (tenant, note) VALUES (" + n + ", 'a'), (" + n +
                   ", 'b') RETURNING id",
               "INSERT INTO shop." + table + " AS t (id, tenant, note) SELECT max(id), " + n +
                   ", 'c' FROM shop." + table + " ON CONFLICT (id) DO UPDATE SET note = excluded.note",
               "UPDATE shop." + table + " SET note = note || 'x' WHERE tenant = " + n,
               "UPDATE shop." + table +
                   " SET tenant = tenant + 1000000 WHERE id = (SELECT max(id) FROM shop." + table + ")",
               "DELETE FROM shop." + table + " WHERE tenant = " + n,
               "DELETE FROM shop." + table + " WHERE false"})
        run(sql);
    run("INSERT INTO shop.counted (tenant) VALUES (" + n + ")");
    run("DELETE FROM shop.counted WHERE tenant < " + n);
    run("INSERT INTO shop.parts (id, tenant, note) VALUES (" + n + ", 1, 'a'), (" + n +
        " + 1000000, 1, 'b')");
    run("UPDATE shop.parts SET id = id + 2000000 WHERE id = " + n);
    run("UPDATE shop.low SET note = 'c'");
    run("DELETE FROM shop.parts WHERE id >= 1000000");
    run("EXECUTE change (" + n + ", 'p')");
    run("BEGIN; DECLARE c CURSOR FOR SELECT * FROM shop.plain FOR UPDATE; FETCH 1 FROM c; UPDATE shop.plain "
        "SET "
        "note = 'd' WHERE CURRENT OF c; COMMIT");
    run("BEGIN; SAVEPOINT s; DELETE FROM shop.plain WHERE tenant > 0; ROLLBACK TO s; COMMIT");
    run("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(tenant) FROM shop.plain; INSERT INTO shop.plain "
        "(tenant) "
        "VALUES (" +
        n + "); COMMIT");
    run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM shop.full; UPDATE shop.full SET note = "
        "'r'; "
        "COMMIT");
    run("BEGIN; INSERT INTO shop.parents (id, tenant) VALUES (" + n +
        ", 1); INSERT INTO shop.children (id, parent, "
        "tenant) VALUES (" +
        n + ", " + n + ", 1); UPDATE shop.parents SET id = id + 1000000 WHERE id = " + n +
        "; DELETE FROM shop.parents WHERE id > 1000000; COMMIT");
    run("BEGIN; UPDATE shop.late_unique SET place = place + 1; COMMIT");
    run("TRUNCATE shop.own; INSERT INTO shop.own VALUES (1); SELECT * FROM shop.own FOR UPDATE");
    run("CREATE TEMP TABLE mine (a int); INSERT INTO mine VALUES (1); DROP TABLE mine");
    if (knows_merge_)
      run("MERGE INTO shop.plain p USING (SELECT max(id) AS id FROM shop.plain) s ON p.id = s.id WHEN "
          "MATCHED THEN "
          "UPDATE SET note = 'm' WHEN NOT MATCHED THEN INSERT (tenant) VALUES (1)");
    copy_in("COPY shop.plain (tenant, note) FROM STDIN", n + "\tcopied\n");
  }
  void run(std::string const& sql) {
    std::unique_ptr<PGresult, decltype(&PQclear)> const answer{PQexec(connection_.get(), sql.c_str()),
                                                               &PQclear};
    note_failure(answer.get(), sql);
  }
  void copy_in(std::string const& sql, std::string const& rows) {
    std::unique_ptr<PGresult, decltype(&PQclear)> const begun{PQexec(connection_.get(), sql.c_str()),
                                                              &PQclear};
    if (PQresultStatus(begun.get()) != PGRES_COPY_IN) return note_failure(begun.get(), sql);
    PQputCopyData(connection_.get(), rows.data(), static_cast<int>(rows.size()));
    PQputCopyEnd(connection_.get(), nullptr);
    while (auto* next = PQgetResult(connection_.get())) {
      note_failure(next, sql);
      PQclear(next);
    }
  }

 private:
  void note_failure(PGresult const* answer, std::string const& sql) {
    auto const status = PQresultStatus(answer);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return;
    if (failure_.empty()) failure_ = sql + ": " + PQresultErrorMessage(answer);
    if (PQtransactionStatus(connection_.get()) == PQTRANS_INERROR)
      PQclear(PQexec(connection_.get(), "ROLLBACK"));
  }
  std::unique_ptr<PGconn, libpq_closer> connection_;
  bool knows_merge_;
  std::int64_t rounds_{};
  std::string failure_;
};

constexpr char const* application_schema = R"sql(
SET client_min_messages = error; SET ROLE owner; CREATE SCHEMA shop;
CREATE TABLE shop.plain (id bigserial PRIMARY KEY, tenant bigint NOT NULL, note text);
CREATE TABLE shop."Odd Names" (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, tenant bigint NOT NULL, note text, "held" int);
CREATE TABLE shop.full (id bigserial PRIMARY KEY, tenant bigint NOT NULL, note text); ALTER TABLE shop.full REPLICA IDENTITY FULL;
CREATE TABLE shop.late_unique (id bigserial PRIMARY KEY, tenant bigint NOT NULL, note text, place bigint DEFAULT (random() * 1e15)::bigint UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE shop.excluding (id bigserial PRIMARY KEY, tenant bigint NOT NULL, note text, during int8range DEFAULT int8range((random() * 1e15)::bigint, NULL, '()') * 'empty'::int8range, EXCLUDE USING gist (during WITH &&));
CREATE TABLE shop.counted (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant bigint NOT NULL);
CREATE TABLE shop.parts (id bigint, tenant bigint NOT NULL, note text, PRIMARY KEY (id, tenant)) PARTITION BY RANGE (id);
CREATE TABLE shop.low PARTITION OF shop.parts FOR VALUES FROM (0) TO (1000000);
CREATE TABLE shop.rest PARTITION OF shop.parts DEFAULT;
CREATE TABLE shop.parents (id bigint PRIMARY KEY, tenant bigint NOT NULL);
CREATE TABLE shop.children (id bigint PRIMARY KEY, parent bigint REFERENCES shop.parents ON UPDATE CASCADE ON DELETE CASCADE, tenant bigint NOT NULL);
CREATE TABLE shop.log (at timestamptz DEFAULT now(), what text);
CREATE TABLE shop.logged (id bigserial PRIMARY KEY, tenant bigint NOT NULL, note text);
CREATE FUNCTION shop.log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO shop.log (what) VALUES (TG_OP); RETURN NULL; END $$;
CREATE TRIGGER a_log AFTER INSERT OR UPDATE OR DELETE ON shop.logged FOR EACH ROW EXECUTE FUNCTION shop.log();
CREATE TRIGGER zz_log AFTER INSERT OR UPDATE OR DELETE ON shop.logged FOR EACH STATEMENT EXECUTE FUNCTION shop.log();
CREATE TABLE shop.own (a int);
GRANT USAGE ON SCHEMA shop TO app; GRANT ALL ON ALL TABLES IN SCHEMA shop TO app; GRANT USAGE ON ALL SEQUENCES IN SCHEMA shop TO app;
)sql";

TEST_P(plain_libpq, AS1_no_step_makes_a_statement_of_a_plain_application_fail) {
  on_source(application_schema);
  std::vector<table_manifest> manifests;
  for (std::string const name :
       {"plain", "Odd Names", "full", "late_unique", "excluding", "counted", "parents", "children", "logged"})
    manifests.push_back(table("shop." + name));
  manifests.push_back(table("shop.parts", {"id", "tenant"}));
  manifests[0].ids = id_strategy_kind::interleaved;
  manifests[1].ids = id_strategy_kind::leased;
  install_for(manifests);

  plain_application application(source_server().conninfo(source_database_, "app"), GetParam().source >= 15);
  application.round();
  ASSERT_EQ(application.failure(), "") << "the test's own statements";
  std::atomic<int> rounds{0};
  auto beside = std::make_unique<std::jthread>([&](std::stop_token stop) {
    while (!stop.stop_requested() && application.failure().empty()) {
      application.round();
      ++rounds;
    }
  });
  auto const step = [&](char const* what, auto const& act) {
    must(act());
    int const wanted = rounds + 2;
    for (int i = 0; i < 400 && rounds < wanted; ++i) std::this_thread::sleep_for(50ms);
    EXPECT_GE(rounds, wanted) << what << " stands in the way: " << application.failure();
  };
  step("groups", [&] { return prepare_groups(source(), {shard()}, {"g"}, "app", options_); });
  step("schema", [&]() -> result<> {
    BOOST_OUTCOME_TRYV(create_schema_on_shard(source(), shard(), migration_, tables_, options_));
    return success();
  });
  step("join", [&]() -> result<> {
    BOOST_OUTCOME_TRYV(join_publication(source(), migration_, {"g"}, tables_, options_));
    return success();
  });
  step("capture", [&] { return raise_capture(source(), node_role::source, tables_, options_); });
  step("blocks", [&] { return prepare_id_blocks(source(), tables_, options_); });
  step("ids", [&] { return prepare_ids(source(), {shard()}, tables_, options_); });
  auto by_trigger = tables_;
  for (auto& one : by_trigger) one.manifest.capture = capture_kind::trigger;
  step("triggers", [&] { return raise_capture(source(), node_role::source, by_trigger, options_); });
  step("again", [&] { return raise_capture(source(), node_role::source, tables_, options_); });
  beside.reset();
  EXPECT_EQ(application.failure(), "");

  must(refuse_foreign_writers({source()}, tables_, options_));
  application.run(
      "SELECT count(*) FROM shop.plain; INSERT INTO shop.own VALUES (2); SELECT * FROM shop.parts");
  EXPECT_EQ(application.failure(), "")
      << "the guard refuses writes of the tables that move, and nothing else";
  application.round();
  EXPECT_THAT(application.failure(), HasSubstr("written through the shardway library only"));
  application.forget();
  must(drop_write_guard(source(), tables_, options_));
  must(drop_capture(source(), tables_, options_));
  application.round();
  EXPECT_EQ(application.failure(), "");
}

TEST_P(plain_libpq, AS1_readers_do_not_hold_a_step_up_and_are_not_held_up) {
  on_source(application_schema);
  install_for({table("shop.plain"), table("shop.parts", {"id", "tenant"})});
  must(prepare_groups(source(), {}, {"g"}, "app", options_));
  auto const report = open(source_server(), source_database_, "app", "source");
  must(report->simple("BEGIN; SELECT count(*) FROM shop.plain; SELECT count(*) FROM shop.parts"));
  options_.retry_budget = 1s;
  must(join_publication(source(), migration_, {"g"}, tables_, options_));
  must(raise_capture(source(), node_role::source, tables_, options_));
  must(report->simple("SELECT count(*) FROM shop.plain; COMMIT"));
}

INSTANTIATE_TEST_SUITE_P(servers, plain_libpq,
                         ::testing::Values(versions{13, 15}, versions{15, 15}, versions{13, 18}), name_of);

}  // namespace
}  // namespace shardway
