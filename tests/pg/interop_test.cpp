// Code written for libpqxx works inside a transaction that a session of the library began.
#include "shardway/pg/interop.hpp"

#include <gmock/gmock.h>
#include <pqxx/nontransaction>
#include <pqxx/stream_to>
#include <pqxx/transaction>

#include "nodes.hpp"

namespace {

using namespace shardway;
using namespace shardway_test;

class interop_on : public on_version {
 protected:
  void SetUp() override {
    own = open();
    require(own->simple("DROP TABLE IF EXISTS public.lent; CREATE TABLE public.lent (id int PRIMARY KEY)"));
  }
  std::string seen_by_others() const { return value_of(node().query("SELECT count(*) FROM public.lent")); }
  std::unique_ptr<session> own;
};
INSTANTIATE_TEST_SUITE_P(servers, interop_on, ::testing::Values(13, 15), ::testing::PrintToStringParamName());

TEST_P(interop_on, pqxx_works_inside_our_transaction_and_our_session_goes_on) {
  require(own->query({"SELECT $1::int", {"1"}, "warm"}));
  require(own->simple("BEGIN"));
  {
    auto lent = value_of(lent_connection::lend(*own));
    EXPECT_FALSE(own->query({"SELECT 1"})) << "lent";
    pqxx::nontransaction work{*lent};
    work.exec("INSERT INTO public.lent VALUES (1)");
    EXPECT_EQ(work.query_value<int>("SELECT count(*) FROM public.lent"), 1);
  }
  EXPECT_TRUE(own->in_transaction());
  EXPECT_EQ(seen_by_others(), "0");
  require(own->query({"SELECT $1::int", {"2"}, "warm"}));
  require(own->query({"INSERT INTO public.lent VALUES (2)"}));
  EXPECT_EQ(own->commit().kind, commit_outcome_kind::committed);
  EXPECT_EQ(seen_by_others(), "2");
}

TEST_P(interop_on, an_exception_of_pqxx_leaves_the_session_to_roll_back) {
  require(own->simple("BEGIN"));
  {
    auto lent = value_of(lent_connection::lend(*own));
    pqxx::nontransaction work{*lent};
    EXPECT_THROW(work.exec("SELECT 1 / 0"), pqxx::sql_error);
  }
  EXPECT_EQ(own->commit().kind, commit_outcome_kind::rolled_back);
  EXPECT_TRUE(own->query({"SELECT 1"}));
}

TEST_P(interop_on, pqxx_runs_its_own_transactions_when_ours_is_idle) {
  require(own->query({"SELECT $1::int", {"1"}, "warm"}));
  {
    auto lent = value_of(lent_connection::lend(*own));
    pqxx::work work{*lent};
    work.exec("INSERT INTO public.lent VALUES (3)");
    work.exec("DEALLOCATE ALL");
    work.commit();
  }
  EXPECT_EQ(seen_by_others(), "1");
  require(own->query({"SELECT $1::int", {"2"}, "warm"}));
}

TEST_P(interop_on, a_connection_lost_while_lent_is_told) {
  auto lent = value_of(lent_connection::lend(*own));
  require(node().query("SELECT pg_terminate_backend(" + std::to_string(own->identity().backend_pid) + ")"));
  {
    pqxx::nontransaction work{*lent};
    EXPECT_ANY_THROW(work.exec("SELECT 1"));
  }
  auto const back = lent.give_back();
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code(), error_code::connection_lost);
  EXPECT_TRUE(own->is_broken());
}

TEST_P(interop_on, a_copy_of_pqxx_leaves_the_session_usable) {
  require(own->simple("BEGIN"));
  {
    auto lent = value_of(lent_connection::lend(*own));
    pqxx::nontransaction work{*lent};
    auto copy = pqxx::stream_to::table(work, {"public", "lent"}, {"id"});
    copy.write_values(7);
    copy.complete();
  }
  EXPECT_EQ(own->commit().kind, commit_outcome_kind::committed);
  EXPECT_EQ(seen_by_others(), "1");
}

TEST_P(interop_on, a_busy_or_lent_session_lends_nothing) {
  {
    auto const lent = value_of(lent_connection::lend(*own));
    EXPECT_FALSE(lent_connection::lend(*own));
  }
  auto const reader = value_of(own->copy_out("COPY public.lent TO STDOUT"));
  EXPECT_FALSE(lent_connection::lend(*own));
}

}  // namespace
