// COMMIT was sent and its answer was lost: W1 and W2 on real servers.
#include <thread>

#include <gmock/gmock.h>

#include "lib/pg/in_doubt.hpp"
#include "nodes.hpp"
#include "shardway/testing/fault_proxy.hpp"

namespace {

using namespace shardway;
using namespace shardway::testing;
using namespace shardway_test;
using kind = commit_outcome_kind;

constexpr char tables[] =
    "CREATE SCHEMA IF NOT EXISTS shardway; DROP TABLE IF EXISTS shardway.outbox, public.written; "
    "CREATE TABLE shardway.outbox (write_id uuid NOT NULL); CREATE TABLE public.written (value int)";

// A transaction through a fault proxy, up to its COMMIT, which is not yet sent.
struct transaction {
  std::unique_ptr<session> on;
  in_doubt_evidence evidence;
};

transaction begin(std::string const& conninfo, std::optional<write_id> write = std::nullopt) {
  auto on = value_of(connect({.node = "source", .conninfo = conninfo}));
  std::vector<statement> steps{{"BEGIN"}, {"INSERT INTO public.written VALUES (1)"}, evidence_statement()};
  if (write) steps.push_back({"INSERT INTO shardway.outbox VALUES ($1)", {write->to_string()}});
  auto const answers = value_of(on->flush(steps));
  for (auto const& answer : answers) require(answer);
  auto evidence = value_of(evidence_of(on->identity(), answers[2].value(), write));
  return {std::move(on), std::move(evidence)};
}

class in_doubt_on : public on_version {
 protected:
  void SetUp() override {
    require(node().query(tables));
    front = value_of(fault_proxy::open(node().port()));
  }
  std::string written() const { return value_of(node().query("SELECT count(*) FROM public.written")); }
  commit_outcome resolve(in_doubt_evidence const& evidence, std::chrono::milliseconds within = 20s) {
    return value_of(resolve_commit(where(), evidence, in(within)));
  }
  void lose_reply() { require(front->arm({.direction = towards::client, .message = 'C', .text = "COMMIT"})); }
  void lose_commit() {
    require(front->arm({.direction = towards::server, .message = 'Q', .text = "COMMIT"}));
  }
  std::unique_ptr<fault_proxy> front;
};
INSTANTIATE_TEST_SUITE_P(servers, in_doubt_on, ::testing::Values(13, 15, 18),
                         ::testing::PrintToStringParamName());

TEST_P(in_doubt_on, the_reply_was_lost_and_it_is_committed) {
  for (auto const& write : {std::optional<write_id>{}, std::optional{write_id::make()}}) {
    auto tried = begin(front->conninfo(), write);
    lose_reply();
    EXPECT_EQ(tried.on->commit(in(20s)).kind, kind::in_doubt);
    EXPECT_EQ(resolve(tried.evidence).kind, kind::committed);
  }
  EXPECT_EQ(written(), "2");
}

TEST_P(in_doubt_on, the_commit_was_lost_and_nothing_remains) {
  for (auto const& write : {std::optional<write_id>{}, std::optional{write_id::make()}}) {
    auto tried = begin(front->conninfo(), write);
    lose_commit();
    EXPECT_EQ(tried.on->commit(in(20s)).kind, kind::in_doubt);
    EXPECT_EQ(resolve(tried.evidence).kind, kind::rolled_back);
  }
  EXPECT_EQ(written(), "0");
}

TEST_P(in_doubt_on, a_backend_that_still_holds_the_transaction_is_ended_first) {
  auto tried = begin(front->conninfo(), write_id::make());
  require(front->arm(
      {.direction = towards::server, .message = 'Q', .text = "COMMIT", .fault = proxy_fault::stall}));
  EXPECT_EQ(tried.on->commit(in(200ms)).kind, kind::in_doubt);
  EXPECT_EQ(resolve(tried.evidence).kind, kind::rolled_back);
  front->resume();  // the COMMIT that was held back arrives when the session has ended
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(written(), "0");
}

TEST_P(in_doubt_on, another_backend_of_the_same_pid_or_transaction_is_left_alone) {
  auto tried = begin(front->conninfo());
  auto other = tried.evidence;
  other.backend_start = "2001-01-01 00:00:00+00";
  EXPECT_EQ(resolve(other, 300ms).kind, kind::in_doubt) << "in progress, and not ours to end";
  other = tried.evidence;
  other.xid = std::to_string(std::stoull(other.xid) + 1000000);
  EXPECT_EQ(resolve(other, 2s).kind, kind::rolled_back) << "never reached";
  EXPECT_EQ(tried.on->commit().kind, kind::committed) << "its backend lives";
}

TEST_P(in_doubt_on, a_commit_that_waits_for_a_standby_is_not_ended) {
  require(node().query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'"));
  require(node().reload());
  auto tried = begin(front->conninfo(), write_id::make());
  EXPECT_EQ(tried.on->commit(in(300ms)).kind, kind::in_doubt);
  EXPECT_EQ(resolve(tried.evidence, 500ms).kind, kind::in_doubt);
  EXPECT_EQ(value_of(node().query("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")), "1")
      << "still waiting";
  require(node().query("ALTER SYSTEM RESET synchronous_standby_names"));
  require(node().reload());
  EXPECT_EQ(resolve(tried.evidence).kind, kind::committed);
}

TEST_P(in_doubt_on, the_outbox_must_agree_with_the_xid) {
  auto const write = write_id::make();
  auto tried = begin(front->conninfo(), write);
  lose_reply();
  EXPECT_EQ(tried.on->commit(in(20s)).kind, kind::in_doubt);
  require(node().query("DELETE FROM shardway.outbox"));
  auto const contradicted = resolve(tried.evidence);
  EXPECT_EQ(contradicted.kind, kind::in_doubt);
  EXPECT_THAT(contradicted.why->message(), ::testing::HasSubstr(write.to_string()));
}

TEST_P(in_doubt_on, the_server_is_down_until_the_deadline) {
  auto tried = begin(front->conninfo(), write_id::make());
  lose_reply();
  EXPECT_EQ(tried.on->commit(in(20s)).kind, kind::in_doubt);
  require(front->set_refusing(true));
  auto const through = connect_options{.node = "source", .conninfo = front->conninfo()};
  auto const begun = std::chrono::steady_clock::now();
  auto const unknown = value_of(resolve_commit(through, tried.evidence, in(300ms)));
  EXPECT_EQ(unknown.kind, kind::in_doubt);
  EXPECT_EQ(unknown.why->code(), error_code::in_doubt);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
  std::jthread const returning([&] {
    std::this_thread::sleep_for(200ms);
    (void)front->set_refusing(false);
  });
  EXPECT_EQ(value_of(resolve_commit(through, tried.evidence, in(20s))).kind, kind::committed);
}

TEST_P(in_doubt_on, evidence_that_is_incomplete_is_refused) {
  EXPECT_FALSE(resolve_commit(where(), {}, in(1s)));
  auto evidence = begin(front->conninfo()).evidence;
  EXPECT_FALSE(resolve_commit(where(), evidence, steady_time::max()));
  evidence.xid += "; DROP";
  EXPECT_FALSE(resolve_commit(where(), evidence, in(1s)));
}

class after_restart : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    folder = value_of(scratch_folder::make());
    primary =
        value_of(server::launch(folder->path(), {.name = "primary", .major = GetParam(), .fast = true}));
    require(primary->query(tables));
  }
  static commit_outcome resolve(server const& on, in_doubt_evidence const& evidence) {
    return value_of(resolve_commit({.node = "source", .conninfo = on.conninfo()}, evidence, in(30s)));
  }
  std::unique_ptr<scratch_folder> folder;
  std::unique_ptr<server> primary;
};
INSTANTIATE_TEST_SUITE_P(servers, after_restart, ::testing::Values(13, 15, 18),
                         ::testing::PrintToStringParamName());

TEST_P(after_restart, a_crash_leaves_it_to_the_outbox_whether_it_is_committed) {
  auto with = begin(primary->conninfo(), write_id::make());
  auto without = begin(primary->conninfo());
  EXPECT_EQ(with.on->commit().kind, kind::committed);
  EXPECT_EQ(without.on->commit().kind, kind::committed);
  auto lost = begin(primary->conninfo(), write_id::make());
  require(primary->kill_9());
  require(primary->start());
  EXPECT_EQ(resolve(*primary, with.evidence).kind, kind::committed);
  EXPECT_EQ(resolve(*primary, without.evidence).kind, kind::in_doubt) << "the xid may have been given again";
  EXPECT_EQ(resolve(*primary, lost.evidence).kind, kind::rolled_back);
}

TEST_P(after_restart, an_xid_given_again_after_a_crash_is_no_evidence) {
  auto lost = begin(primary->conninfo(), write_id::make());
  auto lost_too = lost.evidence;
  lost_too.write.reset();
  require(primary->kill_9());
  require(primary->start());
  bool given_again = false;
  for (int i = 0; i < 50 && !given_again; ++i) {
    given_again =
        value_of(primary->query("INSERT INTO public.written VALUES (2) RETURNING pg_current_xact_id()")) ==
        lost.evidence.xid;
  }
  ASSERT_TRUE(given_again) << "the case did not come about";
  EXPECT_EQ(resolve(*primary, lost.evidence).kind, kind::rolled_back);
  EXPECT_EQ(resolve(*primary, lost_too).kind, kind::in_doubt);
}

TEST_P(after_restart, a_clean_restart_keeps_the_xid_as_evidence) {
  auto tried = begin(primary->conninfo());
  EXPECT_EQ(tried.on->commit().kind, kind::committed);
  require(primary->restart());
  EXPECT_EQ(resolve(*primary, tried.evidence).kind, kind::committed);
}

TEST_P(after_restart, a_promoted_replica_tells_by_its_outbox) {
  auto const replica = value_of(primary->make_replica({.name = "replica"}));
  auto const kept = begin(primary->conninfo(), write_id::make());
  EXPECT_EQ(kept.on->commit().kind, kind::committed);
  auto const target = value_of(primary->query("SELECT pg_current_wal_flush_lsn()"));
  for (int tries = 0;
       tries < 500 && value_of(replica->query("SELECT pg_last_wal_replay_lsn() >= '" + target + "'")) != "t";
       ++tries) {
    std::this_thread::sleep_for(10ms);
  }
  require(replica->pause());
  auto const left_behind = begin(primary->conninfo(), write_id::make());
  EXPECT_EQ(left_behind.on->commit().kind, kind::committed);
  auto unknown = left_behind.evidence;
  unknown.write.reset();
  require(primary->kill_9());
  require(replica->resume());
  require(replica->promote());
  EXPECT_EQ(resolve(*replica, kept.evidence).kind, kind::committed);
  auto const outcome = resolve(*replica, left_behind.evidence).kind;
  auto const is_there = value_of(replica->query("SELECT count(*) FROM shardway.outbox WHERE write_id = '" +
                                                left_behind.evidence.write->to_string() + "'"));
  EXPECT_EQ(outcome, is_there == "1" ? kind::committed : kind::rolled_back);
  EXPECT_EQ(resolve(*replica, unknown).kind, kind::in_doubt);
}

}  // namespace
