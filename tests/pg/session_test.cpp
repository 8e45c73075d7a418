// The session on real servers.
#include <thread>

#include <gmock/gmock.h>

#include "nodes.hpp"
#include "shardway/testing/fault_proxy.hpp"

namespace {

using namespace shardway;
using namespace shardway_test;
using kind = commit_outcome_kind;

class session_on : public on_version {
 protected:
  void SetUp() override {
    own = open();
    require(own->simple(
        "DROP TABLE IF EXISTS public.kept; CREATE TABLE public.kept (id int PRIMARY KEY, note text)"));
  }
  std::string count() {
    return std::string{value_of(own->query({"SELECT count(*) FROM public.kept"})).text(0, 0)};
  }
  result<rows> named(std::string const& id) {
    return own->query({"SELECT * FROM public.kept WHERE id = $1", {id}, "by_id"});
  }
  std::vector<statement> write(std::string const& first, std::string const& second) {
    return {{"BEGIN"},
            {"INSERT INTO public.kept VALUES ($1)", {first}, "add"},
            {"INSERT INTO public.kept VALUES ($1)", {second}, "add"},
            {"COMMIT"}};
  }
  std::unique_ptr<session> own;
};
INSTANTIATE_TEST_SUITE_P(servers, session_on, ::testing::Values(13, 15, 18),
                         ::testing::PrintToStringParamName());

TEST_P(session_on, tells_who_the_server_is_and_makes_its_settings) {  // V4, P2
  auto const& who = own->identity();
  EXPECT_EQ(who.server_version / 10000, GetParam());
  EXPECT_EQ(std::to_string(who.system_identifier),
            value_of(node().query("SELECT system_identifier FROM pg_control_system()")));
  EXPECT_EQ(value_of(own->query({"SELECT pg_backend_pid()"})).integer(0, 0).value(), who.backend_pid);
  std::map<std::string, std::string> const expected{
      {"search_path", "pg_catalog, pg_temp"}, {"client_encoding", "UTF8"}, {"TimeZone", "UTC"},
      {"IntervalStyle", "postgres"},          {"bytea_output", "hex"},     {"extra_float_digits", "3"},
      {"standard_conforming_strings", "on"},  {"DateStyle", "ISO, MDY"},   {"application_name", "shardway"}};
  for (auto const& [name, value] : expected)
    EXPECT_EQ(value_of(own->query({"SELECT current_setting($1)", {name}})).text(0, 0), value) << name;
}

TEST_P(session_on, passes_values_and_nulls) {
  auto const answer =
      value_of(own->query({"SELECT $1::text, $2::text, $3::int", {"é'\\", std::nullopt, "7"}}));
  EXPECT_EQ(answer.at(0, 0), "é'\\");
  EXPECT_EQ(answer.at(0, 1), std::nullopt);
  EXPECT_EQ(answer.integer(0, 2).value(), 7);
  EXPECT_FALSE(own->query({"SELECT $1::text", {std::string{"a\0b", 3}}}));
  EXPECT_FALSE(own->query({"SELECT 1", std::vector<text_value>(65536)}));
  EXPECT_FALSE(own->is_broken());
}

TEST_P(session_on, a_named_statement_is_prepared_once_and_survives_ddl) {
  require(named("1"));
  require(named("2"));
  EXPECT_EQ(value_of(own->query({"SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'by_id%'"}))
                .text(0, 0),
            "1");
  require(own->simple("ALTER TABLE public.kept ADD extra int"));
  EXPECT_EQ(value_of(named("1")).columns().size(), 3u);
  require(own->simple("DEALLOCATE ALL"));
  EXPECT_EQ(value_of(named("1")).columns().size(), 3u);
}

TEST_P(session_on, a_lost_plan_inside_a_transaction_says_run_it_again) {
  require(named("1"));
  require(own->simple("ALTER TABLE public.kept ADD extra int; BEGIN"));
  auto const first = named("1");
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code(), error_code::serialization_failure);
  require(own->simple("ROLLBACK; BEGIN"));
  require(named("1"));
}

TEST_P(session_on, flush_answers_each_statement_and_an_error_rolls_the_block_back) {
  auto answers = value_of(own->flush(write("1", "2")));
  ASSERT_EQ(answers.size(), 4u);
  EXPECT_EQ(answers[1].value().affected(), 1);
  EXPECT_EQ(outcome_of_commit(answers[3]).kind, kind::committed);
  answers = value_of(own->flush(write("3", "1")));
  EXPECT_TRUE(answers[1]);
  EXPECT_EQ(answers[2].error().code(), error_code::constraint_violation);
  EXPECT_EQ(outcome_of_commit(answers[3]).kind, kind::rolled_back);
  EXPECT_FALSE(own->in_transaction());
  EXPECT_EQ(count(), "2");
}

TEST_P(session_on, statements_of_a_flush_stand_alone_without_begin) {
  std::vector<statement> const alone{
      {"INSERT INTO public.kept VALUES (1)"}, {"SELECT 1 / 0"}, {"INSERT INTO public.kept VALUES (2)"}};
  auto const answers = value_of(own->flush(alone));
  EXPECT_TRUE(answers[0] && answers[2]);
  EXPECT_EQ(answers[1].error().sqlstate(), "22012");
  EXPECT_EQ(count(), "2");
}

TEST_P(session_on, an_error_names_the_constraint_but_holds_no_value) {  // P4
  require(own->simple("INSERT INTO public.kept VALUES (4711)"));
  auto const again = own->query({"INSERT INTO public.kept VALUES (4711)"});
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message(),
              ::testing::AllOf(::testing::HasSubstr("kept_pkey"), ::testing::HasSubstr("23505"),
                               ::testing::HasSubstr("source")));
  EXPECT_EQ(again.error().to_string().find("4711"), std::string::npos);
  EXPECT_THAT(again.error().server_detail(), ::testing::HasSubstr("4711"));
}

TEST_P(session_on, commit_tells_a_deferred_failure_from_success) {
  require(
      own->simple("ALTER TABLE public.kept ADD CHECK (id > 0), ADD parent int REFERENCES public.kept "
                  "DEFERRABLE INITIALLY DEFERRED"));
  require(own->simple("BEGIN; INSERT INTO public.kept VALUES (1)"));
  EXPECT_EQ(own->commit().kind, kind::committed);
  require(own->simple("BEGIN; INSERT INTO public.kept (id, parent) VALUES (2, 99)"));
  auto const failed = own->commit();
  EXPECT_EQ(failed.kind, kind::rolled_back);
  EXPECT_EQ(failed.why->code(), error_code::constraint_violation);
  require(own->simple("BEGIN"));
  EXPECT_FALSE(own->simple("SELECT 1 / 0"));
  EXPECT_EQ(own->commit().kind, kind::rolled_back);
  EXPECT_EQ(own->commit().kind, kind::rolled_back) << "without a transaction";
  EXPECT_EQ(count(), "1");
}

TEST_P(session_on, a_statement_of_its_own_that_fails_at_its_commit_is_an_error) {
  require(own->simple(
      "ALTER TABLE public.kept ADD parent int REFERENCES public.kept DEFERRABLE INITIALLY DEFERRED"));
  statement const orphan{"INSERT INTO public.kept (id, parent) VALUES ($1, 99)", {"1"}};
  statement const named_orphan{"INSERT INTO public.kept (id, parent) VALUES ($1, 99)", {"2"}, "orphan"};
  for (auto const& one : {orphan, named_orphan, named_orphan}) {
    auto const asked = own->query(one);
    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().code(), error_code::constraint_violation);
    EXPECT_EQ(asked.error().sqlstate(), "23503");
  }
  std::vector<statement> const all{
      orphan, {"INSERT INTO public.kept VALUES (3)"}, named_orphan, {"SELECT 1"}};
  auto const answers = value_of(own->flush(all));
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_TRUE(!answers[0] && answers[1] && !answers[2] && answers[3]);
  EXPECT_EQ(answers[2].error().sqlstate(), "23503");
  EXPECT_EQ(count(), "1");
  EXPECT_FALSE(own->is_broken());
}

TEST_P(session_on, a_warning_raised_by_a_trigger_is_no_cancelled_wait) {  // W16
  require(
      own->simple("CREATE OR REPLACE FUNCTION public.warn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                  "RAISE WARNING 'canceling wait for "
                  "synchronous replication due to user request'; RETURN NULL; END $$; CREATE CONSTRAINT "
                  "TRIGGER warn AFTER INSERT ON public.kept "
                  "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.warn()"));
  require(own->simple("BEGIN; INSERT INTO public.kept VALUES (1)"));
  EXPECT_EQ(own->commit().kind, kind::committed);
}

TEST_P(session_on, a_cancelled_wait_for_a_standby_is_committed_locally) {  // W16
  require(own->simple("ALTER SYSTEM SET synchronous_standby_names = 'nobody'"));
  require(node().reload());
  auto waiting = open();
  auto const cancel = waiting->cancel_handle();
  auto const pid = std::to_string(waiting->identity().backend_pid);
  std::jthread const cancelling([&] {
    auto const look = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid = " + pid;
    for (int tries = 0; tries < 2000 && value_of(node().query(look)) == "0"; ++tries)
      std::this_thread::sleep_for(10ms);
    cancel();
  });
  // The server takes the setting a moment after it was asked to: until then a commit does not wait.
  auto ended = kind::committed;
  for (int id = 1; id <= 1000 && ended == kind::committed; ++id) {
    require(waiting->query({"BEGIN"}));
    require(waiting->query({"INSERT INTO public.kept VALUES ($1::int)", {std::to_string(id)}}));
    ended = waiting->commit(in(20s)).kind;
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(ended, kind::committed_locally);
  require(own->simple("ALTER SYSTEM RESET synchronous_standby_names"));
  require(node().reload());
}

TEST_P(session_on, a_deadline_breaks_the_session) {
  auto const late = own->query({"SELECT pg_sleep(30)"}, in(100ms));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), error_code::deadline_exceeded);
  EXPECT_TRUE(own->is_broken());
  EXPECT_EQ(own->query({"SELECT 1"}).error().code(), error_code::connection_lost);
}

TEST_P(session_on, cancel_ends_the_statement_and_not_the_session) {
  auto const cancel = own->cancel_handle();
  std::jthread const cancelling([&] {
    std::this_thread::sleep_for(200ms);
    cancel();
  });
  EXPECT_EQ(own->query({"SELECT pg_sleep(30)"}, in(20s)).error().sqlstate(), "57014");
  EXPECT_TRUE(own->query({"SELECT 1"}));
}

TEST_P(session_on, an_ended_backend_leaves_the_commit_in_doubt) {
  require(own->simple("BEGIN"));
  require(node().query("SELECT pg_terminate_backend(" + std::to_string(own->identity().backend_pid) + ")"));
  std::this_thread::sleep_for(100ms);
  auto const what = own->commit();
  EXPECT_EQ(what.kind, kind::in_doubt);
  EXPECT_EQ(what.why->code(), error_code::connection_lost);
  EXPECT_TRUE(own->is_broken());
}

TEST_P(session_on, a_flush_cut_after_each_message_is_an_outer_error_and_never_hangs) {
  auto const front = value_of(shardway::testing::fault_proxy::open(node().port()));
  for (unsigned nth = 1; nth <= 4; ++nth) {
    auto through = value_of(connect({.node = "source", .conninfo = front->conninfo()}));
    require(front->arm(
        {.direction = shardway::testing::towards::server, .message = 'S', .after = true, .nth = nth}));
    auto const answers =
        through->flush(write(std::to_string(10 * nth), std::to_string(10 * nth + 1)), in(20s));
    ASSERT_FALSE(answers) << nth;
    EXPECT_EQ(answers.error().code(), error_code::connection_lost);
    EXPECT_TRUE(through->is_broken());
  }
}

TEST_P(session_on, copy_carries_binary_rows_from_session_to_session) {
  require(
      own->simple("INSERT INTO public.kept SELECT g, repeat('x', g % 100) FROM generate_series(1, 50000) g; "
                  "DROP TABLE IF EXISTS public.copied; CREATE TABLE public.copied (LIKE public.kept)"));
  auto other = open();
  {
    auto reader = value_of(own->copy_out("COPY public.kept TO STDOUT (FORMAT binary)"));
    auto writer = value_of(other->copy_in("COPY public.copied FROM STDIN (FORMAT binary)"));
    EXPECT_FALSE(own->query({"SELECT 1"})) << "busy";
    for (auto piece = value_of(reader->read()); !piece.empty(); piece = value_of(reader->read()))
      require(writer->write(piece));
    EXPECT_LE(writer->pending_bytes(), copy_writer::buffer_bytes_max);
    EXPECT_EQ(writer->finish().value(), 50000);
    EXPECT_FALSE(writer->finish());
  }
  EXPECT_EQ(
      value_of(own->query({"SELECT count(*) FROM (TABLE public.kept EXCEPT ALL TABLE public.copied) x"}))
          .text(0, 0),
      "0");
}

TEST_P(session_on, copies_given_up_leave_the_session_usable) {
  {
    auto reader = value_of(
        own->copy_out("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 10000000)) TO STDOUT"));
    require(reader->read());
  }
  EXPECT_TRUE(own->query({"SELECT 1"}));
  std::string const row = "1\tx\n";
  {
    auto writer = value_of(own->copy_in("COPY public.kept FROM STDIN"));
    require(writer->write(std::as_bytes(std::span{row})));
  }
  EXPECT_EQ(count(), "0");
  EXPECT_FALSE(own->copy_out("SELECT 1"));
  EXPECT_FALSE(own->copy_in("COPY public.absent FROM STDIN"));
  auto writer = value_of(own->copy_in("COPY public.kept FROM STDIN"));
  for (int twice = 0; twice < 2; ++twice) require(writer->write(std::as_bytes(std::span{row})));
  EXPECT_EQ(writer->finish().error().code(), error_code::constraint_violation);
  EXPECT_EQ(count(), "0");
}

TEST_P(session_on, a_stalled_server_bounds_what_a_copy_buffers) {
  auto const front = value_of(shardway::testing::fault_proxy::open(node().port()));
  auto through = value_of(connect({.node = "source", .conninfo = front->conninfo()}));
  auto writer = value_of(through->copy_in("COPY public.kept FROM STDIN"));
  front->stall();
  std::string const big = std::string(1 << 20, ' ');
  std::jthread const releasing([&] {
    std::this_thread::sleep_for(300ms);
    front->cut_all();
  });
  result<> written = success();
  for (int i = 0; i < 64 && written; ++i) {
    written = writer->write(std::as_bytes(std::span{big}));
    EXPECT_LE(writer->pending_bytes(), copy_writer::buffer_bytes_max + (1U << 16));
  }
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), error_code::connection_lost);
}

TEST_P(session_on, notifications_arrive_and_the_wait_ends) {
  require(own->simple("LISTEN news"));
  EXPECT_TRUE(value_of(own->notifications(in(50ms))).empty());
  require(node().query("SELECT pg_notify('news', 'generation 7')"));
  auto const arrived = value_of(own->notifications(in(5s)));
  ASSERT_EQ(arrived.size(), 1u);
  EXPECT_EQ(arrived[0], (std::pair<std::string, std::string>{"news", "generation 7"}));
}

TEST_P(session_on, quoted_text_means_itself_and_broken_text_fails) {  // P1
  std::string const nasty = "it's \\ \"x\" é";
  EXPECT_EQ(value_of(own->simple("SELECT " + own->quote_literal(nasty))).text(0, 0), nasty);
  EXPECT_EQ(value_of(own->simple("SELECT 1 AS " + own->quote_identifier(nasty))).columns()[0].name, nasty);
  for (auto const& broken : {std::string{"a\0b", 3}, std::string{"a\xC3"}})
    EXPECT_FALSE(own->simple("SELECT " + own->quote_literal(broken)));
}

TEST_P(session_on, copy_as_a_statement_is_refused) {
  EXPECT_FALSE(own->simple("COPY public.kept TO STDOUT"));
  EXPECT_TRUE(own->is_broken());
  auto other = open();
  EXPECT_FALSE(other->query({"COPY public.kept FROM STDIN"}, in(10s)));
  EXPECT_TRUE(other->is_broken());
}

TEST_P(session_on, refused_connections_say_why) {
  auto options = where();
  options.conninfo = node().conninfo("no_such_database");
  EXPECT_EQ(connect(options).error().code(), error_code::invalid_argument);
  options.conninfo = node().conninfo("postgres", "no_such_role");
  EXPECT_EQ(connect(options).error().code(), error_code::authentication_failed);
}

TEST_P(session_on, a_silent_server_is_given_up_in_time) {
  auto const front = value_of(shardway::testing::fault_proxy::open(node().port()));
  front->stall();
  auto const begin = std::chrono::steady_clock::now();
  auto const made = connect({.node = "source", .conninfo = front->conninfo(), .connect_timeout = 300ms});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), error_code::node_unreachable);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

}  // namespace
