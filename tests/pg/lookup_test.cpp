// Lookups on the request path: mappings exist before rows, and a value of a unique lookup has one row,
// whichever process dies in between.
#include <future>
#include <thread>

#include <gmock/gmock.h>

#include "lookup_fixture.hpp"
#include "shardway/base/stop_point.hpp"

namespace {

using namespace shardway_test;
using ::testing::AnyOf;
using ::testing::IsEmpty;

std::string const insert_sql =
    "INSERT INTO shop.users (id, customer_id, email, phone, note) VALUES ($1, $2, $3, $4, $5)";
std::string const read_email = "SELECT id FROM shop.users WHERE email = $1 AND customer_id = $2";
std::string const read_phone = "SELECT id FROM shop.users WHERE phone = $1 AND customer_id = $2 ORDER BY id";

struct user {
  std::int64_t id{}, customer{};
  text_value email{}, phone{};
  std::string note{};
};

std::string fresh_email() {
  static int next = 0;
  return "user" + std::to_string(++next) + "@example.org";
}

class lookups : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { fleet_ = std::make_unique<lookup_fleet>(); }
  static void TearDownTestSuite() { fleet_.reset(); }
  static lookup_fleet& fleet() { return *fleet_; }

  void SetUp() override { app_ = std::make_unique<client>(fleet().open()); }
  client_session opened() { return app_->session(); }
  static result<write_receipt> insert(client_session& in, user const& one,
                                      write_options const& options = {}) {
    return in.execute("shop.users", one.customer, insert_sql,
                      {text(one.id), text(one.customer), one.email, one.phone, one.note}, options);
  }
  static std::string ids(rows const& found) {
    std::string out;
    for (std::size_t i = 0; i < found.size(); ++i) out += (i ? "," : "") + std::string(found.text(i, 0));
    return out;
  }
  static std::string ids_by_email(client_session& in, std::string const& email) {
    return ids(value_of(in.read_by("shop.users", "email", email, read_email, {email})).returned);
  }
  /// A user whose slot has moved to its shard.
  static std::int64_t moved_customer() {
    auto const customer = fresh_key();
    fleet().move(customer);
    return customer;
  }
  void refresh() { value_of(app_->refresh()); }

  inline static std::unique_ptr<lookup_fleet> fleet_;
  std::unique_ptr<client> app_;
};

TEST_F(lookups, a_row_is_found_by_its_value_while_the_source_has_authority) {
  auto in = opened();
  auto const customer = fresh_key();
  auto const email = fresh_email();
  auto const receipt = value_of(insert(in, {customer, customer, email, "1", ""}));
  EXPECT_EQ(receipt.affected, 1);
  EXPECT_EQ(receipt.dual_write, dual_write_state::applied) << "the frame still captures for the dual write";
  EXPECT_EQ(fleet().mapped("email", email), text(customer)) << "kept from dual_writing on";
  EXPECT_EQ(fleet().mapped("phone", "1"), text(customer));
  EXPECT_EQ(value_of(in.lookup("shop.users", "email", email)), std::vector<shard_key>{customer});
  EXPECT_EQ(ids_by_email(in, email), text(customer));
}

TEST_F(lookups, rows_of_one_value_are_found_on_the_source_and_on_shards) {
  auto const still = fresh_key(), moved = moved_customer();
  refresh();
  auto in = opened();
  value_of(insert(in, {still, still, fresh_email(), "2", ""}));
  EXPECT_NE(value_of(insert(in, {moved, moved, fresh_email(), "2", ""})).node, "source");
  auto const found = value_of(in.read_by("shop.users", "phone", std::string("2"), read_phone, {"2"}));
  EXPECT_EQ(found.returned.size(), 2U);
  EXPECT_EQ(found.keys_without_rows, 0U);
  EXPECT_THAT(found.nodes, ::testing::Contains("source"));
  EXPECT_THAT(found.nodes, ::testing::Contains(fleet().shard_of(slot_of(shard_key(moved))).name()));
}

TEST_F(lookups, a_null_has_no_mapping_and_a_changed_value_leads_nowhere) {
  auto const customer = moved_customer();
  refresh();
  auto in = opened();
  auto const before = fresh_email(), after = fresh_email();
  value_of(insert(in, {customer, customer, std::nullopt, "3", ""}));
  EXPECT_EQ(fleet().on(fleet().servers().shard(0), "SELECT count(*) FROM " +
                                                       names::lookup_table("shop.users", "email") +
                                                       " WHERE shard_key = '{" + text(customer) + "}'"),
            "0");
  auto const change = [&](std::string const& email) {
    value_of(in.execute("shop.users", customer, "UPDATE shop.users SET email = $1 WHERE id = $2",
                        {email, text(customer)}));
  };
  change(before);
  EXPECT_EQ(ids_by_email(in, before), text(customer));
  change(after);
  EXPECT_EQ(ids_by_email(in, after), text(customer));
  EXPECT_EQ(fleet().mapped("email", before), text(customer)) << "stale, and left to the repair";
  EXPECT_EQ(ids_by_email(in, before), "") << "a stale mapping finds nothing";
  change(before);
  EXPECT_EQ(ids_by_email(in, before), text(customer)) << "a value that comes back is found again";
}

TEST_F(lookups, a_transaction_maps_its_final_values_and_none_that_it_rolled_back) {
  auto in = opened();
  auto const customer = fresh_key();
  auto const kept = fresh_email(), undone = fresh_email();
  value_of(in.write("shop.users", customer, [&](write_transaction& within) -> result<> {
    BOOST_OUTCOME_TRYV(
        within.execute("shop.users", insert_sql, {text(customer), text(customer), kept, "4", ""}));
    BOOST_OUTCOME_TRYV(within.savepoint("s"));
    BOOST_OUTCOME_TRYV(within.execute("shop.users", "UPDATE shop.users SET email = $1 WHERE id = $2",
                                      {undone, text(customer)}));
    return within.rollback_to("s");
  }));
  EXPECT_EQ(fleet().mapped("email", kept), text(customer));
  EXPECT_EQ(fleet().mapped("email", undone), "");
}

TEST_F(lookups, a_unique_value_is_refused_on_every_node_and_freed_by_a_delete) {
  auto const first = fresh_key(), second = fresh_key(), third = moved_customer();
  refresh();
  auto in = opened();
  auto const email = fresh_email();
  value_of(insert(in, {first, first, email, "5", ""}));
  for (auto const other : {first + 1'000'000, second, third}) {
    auto const refused = insert(in, {other, other == first + 1'000'000 ? first : other, email, "5", ""});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), error_code::constraint_violation);
    EXPECT_EQ(refused.error().sqlstate(), "23505");
    EXPECT_THAT(refused.error().to_string(), ::testing::HasSubstr("\"email\" of shop.users"));
    EXPECT_THAT(refused.error().to_string(), ::testing::Not(::testing::HasSubstr(email)));
  }
  EXPECT_EQ(fleet().rows_with(email, {first, second, third}), 1);
  value_of(in.execute("shop.users", first, "DELETE FROM shop.users WHERE id = $1", {text(first)}));
  value_of(insert(in, {third, third, email, "5", ""}));
  EXPECT_EQ(fleet().mapped("email", email), text(third)) << "the stale mapping was taken over";
  EXPECT_EQ(ids_by_email(in, email), text(third));
  ASSERT_FALSE(insert(in, {second, second, email, "5", ""})) << "refused by a shard's row";
}

TEST_F(lookups, a_transaction_may_hand_a_unique_value_on) {
  auto in = opened();
  auto const customer = fresh_key();
  auto const email = fresh_email(), other = fresh_email();
  value_of(insert(in, {customer, customer, email, "6", ""}));
  value_of(insert(in, {customer + 1'000'000, customer, other, "6", ""}));
  auto const set_email = [](write_transaction& within, std::int64_t id, text_value value) {
    return within.execute("shop.users", "UPDATE shop.users SET email = $1 WHERE id = $2",
                          {std::move(value), text(id)});
  };
  value_of(in.write("shop.users", customer, [&](write_transaction& within) -> result<> {
    BOOST_OUTCOME_TRYV(set_email(within, customer, std::nullopt));
    BOOST_OUTCOME_TRYV(set_email(within, customer + 1'000'000, email));
    BOOST_OUTCOME_TRYV(set_email(within, customer, other));
    return success();
  }));
  EXPECT_EQ(ids_by_email(in, email), text(customer + 1'000'000));
  EXPECT_EQ(ids_by_email(in, other), text(customer));
}

TEST_F(lookups, a_unique_value_requires_read_committed) {
  auto in = opened();
  auto const customer = fresh_key();
  EXPECT_EQ(insert(in, {customer, customer, fresh_email(), "7", ""},
                   {.isolation = isolation_level::repeatable_read})
                .error()
                .code(),
            error_code::statement_refused);
}

TEST_F(lookups, a_write_by_a_unique_value) {
  auto const customer = moved_customer();
  refresh();
  auto in = opened();
  auto const email = fresh_email();
  value_of(insert(in, {customer, customer, email, "8", ""}));
  auto const change = "UPDATE shop.users SET note = 'seen' WHERE email = $1 AND customer_id = $2";
  auto const done = value_of(in.execute_by("shop.users", "email", email, change, {email}));
  ASSERT_TRUE(done);
  EXPECT_EQ(done->affected, 1);
  EXPECT_FALSE(value_of(in.execute_by("shop.users", "email", fresh_email(), change, {email})));
  EXPECT_EQ(in.execute_by("shop.users", "phone", std::string("8"), change, {email}).error().code(),
            error_code::invalid_argument);
  EXPECT_EQ(
      in.execute_by("shop.users", "email", email, change, {email}, {.operation_id = "once"}).error().code(),
      error_code::invalid_argument);
}

TEST_F(lookups, what_is_no_lookup_is_refused) {
  auto in = opened();
  EXPECT_EQ(in.lookup("shop.none", "email", 1).error().code(), error_code::unknown_table);
  EXPECT_EQ(in.lookup("shop.users", "name", std::string("x")).error().code(), error_code::invalid_argument);
  EXPECT_EQ(in.lookup("shop.users", "email", 1).error().code(), error_code::invalid_argument)
      << "another type";
}

TEST_F(lookups, one_that_is_building_says_so_once_slots_have_moved) {
  auto const customer = moved_customer();
  refresh();
  auto in = opened();
  auto const email = fresh_email();
  value_of(insert(in, {customer, customer, email, "9", ""}));
  auto& node = fleet().holder_of(shard_key(email));
  require(node.query("UPDATE shardway.lookup SET is_ready = false"));
  EXPECT_EQ(in.lookup("shop.users", "email", email).error().code(), error_code::precondition_failed);
  require(node.query("UPDATE shardway.lookup SET is_ready = true"));
  EXPECT_EQ(ids_by_email(in, email), text(customer));
}

TEST_F(lookups, a_writer_that_fails_after_its_mapping_leaves_the_value_to_others) {
  auto in = opened();
  auto const failed = fresh_key(), other = moved_customer();
  refresh();
  auto const email = fresh_email();
  stop_points::select("lookup_after_mapping:error");
  EXPECT_EQ(insert(in, {failed, failed, email, "14", ""}).error().code(), error_code::cancelled);
  stop_points::select("");
  EXPECT_EQ(fleet().mapped("email", email), text(failed)) << "there before the row, which never came";
  EXPECT_EQ(ids_by_email(in, email), "");
  value_of(insert(in, {other, other, email, "14", ""}));
  EXPECT_EQ(ids_by_email(in, email), text(other));
}

TEST_F(lookups, a_batch_keeps_them_too) {
  auto in = opened();
  std::vector<batch_row> rows;
  std::vector<std::string> emails;
  for (int i = 0; i < 5; ++i) {
    auto const customer = fresh_key();
    emails.push_back(fresh_email());
    rows.push_back({customer, {text(customer), text(customer), emails.back(), "13", ""}});
  }
  EXPECT_EQ(value_of(in.execute_batch("shop.users", insert_sql, rows)).affected, 5);
  for (std::size_t i = 0; i < rows.size(); ++i)
    EXPECT_EQ(fleet().mapped("email", emails[i]), rows[i].key.text_of(0));
  rows[0].parameters[0] = text(77'000'000);
  auto const refused = value_of(in.execute_batch("shop.users", insert_sql, {rows.data(), 1}));
  ASSERT_TRUE(refused.parts.front().why);
  EXPECT_EQ(refused.parts.front().why->code(), error_code::constraint_violation);
}

// One connection per node suffices: work beside an open transaction has its own connection.
TEST_F(lookups, writers_with_one_connection_do_not_wait_for_themselves) {
  auto options = fleet().options();
  options.connections_max = 1;
  auto app = value_of(client::open(options));
  auto const customer = moved_customer();
  value_of(app.refresh());
  auto in = app.session();
  for (int i = 0; i < 6; ++i)
    value_of(insert(in, {customer + 1'000'000 * i, customer, fresh_email(), "10", ""}));
}

// A claimer stands in COMMIT, its mapping written and its row not yet there.
class slow_claim : public lookups {
 protected:
  void SetUp() override {
    lookups::SetUp();
    customer_ = fresh_key();
    rival_ = moved_customer();
    refresh();
    email_ = fresh_email();
    gate_ = fleet().connected(fleet().source());
    value_of(gate_->query({.sql = "SELECT pg_advisory_lock(77, 77)"}));
    slow_ = std::async(std::launch::async, [this] {
      auto in = opened();
      return insert(in, {customer_, customer_, email_, "11", "slow"});
    });
    while (fleet().on(fleet().source(), waiting) != "1" && slow_.wait_for(5ms) != std::future_status::ready)
      continue;
    ASSERT_EQ(fleet().on(fleet().source(), waiting), "1");
    EXPECT_EQ(fleet().mapped("email", email_), text(customer_));
  }
  void TearDown() override { open_gate(); }
  void open_gate() { gate_.reset(); }
  result<write_receipt> rival() {
    auto in = opened();
    return insert(in, {rival_, rival_, email_, "11", ""}, {.retries_max = 1});
  }
  static constexpr char waiting[] =
      "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 77 AND NOT granted";
  std::int64_t customer_{}, rival_{};
  std::string email_;
  std::unique_ptr<session> gate_;
  std::future<result<write_receipt>> slow_;
};

TEST_F(slow_claim, a_rival_on_another_node_waits_and_loses) {
  EXPECT_EQ(rival().error().code(), error_code::serialization_failure) << "not decided yet";
  open_gate();
  value_of(slow_.get());
  EXPECT_EQ(rival().error().code(), error_code::constraint_violation);
  EXPECT_EQ(fleet().rows_with(email_, {customer_, rival_}), 1);
}

TEST_F(slow_claim, killed_before_its_commit_it_leaves_the_value_to_a_rival) {
  fleet().on(fleet().source(),
             "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 77 "
             "AND NOT granted");
  open_gate();
  // The library may find that nothing was committed and run it again: exactly one of the two has the value in
  // the end.
  auto const won = rival();
  auto const lost = slow_.get();
  EXPECT_NE(won.has_value(), lost.has_value());
  EXPECT_EQ(fleet().rows_with(email_, {customer_, rival_}), 1);
}

TEST_F(slow_claim, without_the_lock_both_get_the_value) {
  setenv("SHARDWAY_GUARD_OFF", "lookup_lock", 1);
  auto const stolen = rival();
  unsetenv("SHARDWAY_GUARD_OFF");
  EXPECT_TRUE(stolen);
  open_gate();
  EXPECT_TRUE(slow_.get());
  EXPECT_EQ(fleet().rows_with(email_, {customer_, rival_}), 2) << "what the guard is for";
}

// Claimers of one value on the source and on shards, all at once: one wins in every round, and deletes free
// the value in between.
TEST_F(lookups, of_many_claimers_on_several_nodes_one_wins) {  // I13
  std::vector<std::int64_t> customers{fresh_key(), fresh_key(), moved_customer(), moved_customer()};
  refresh();
  for (int round = 0; round < 15; ++round) {
    auto const email = fresh_email();
    std::vector<std::future<bool>> running;
    for (auto const customer : customers)
      running.push_back(std::async(std::launch::async, [&, customer] {
        auto in = opened();
        auto const done = insert(in, {customer + 10'000 * (round + 1), customer, email, "12", ""});
        if (!done)
          EXPECT_THAT(done.error().code(),
                      AnyOf(error_code::constraint_violation, error_code::serialization_failure))
              << done.error().to_string();
        return done.has_value();
      }));
    int won = 0;
    for (auto& one : running) won += one.get() ? 1 : 0;
    EXPECT_EQ(fleet().rows_with(email, customers), won);
    ASSERT_EQ(won, 1);
    auto in = opened();
    auto const owner = value_of(in.lookup("shop.users", "email", email)).front();
    value_of(in.execute("shop.users", owner, "DELETE FROM shop.users WHERE email = $1", {email}));
  }
}

}  // namespace
