// From events to transactions, without a server.
#include "lib/migrate/stream/read/transaction_assembler.hpp"

#include <gtest/gtest.h>

namespace {

using namespace shardway;
using namespace shardway::migrate::stream;

row_event insert(std::string text) {
  return {row_event::kind_type::insert,
          std::make_shared<stream_relation const>(),
          {},
          false,
          stream_tuple{{stream_value::kind_type::text, std::move(text)}}};
}

message_event message(bool transactional, std::string prefix) {
  return {.transactional = transactional, .position = lsn{95}, .prefix = std::move(prefix), .content = "m"};
}

class assembler : public ::testing::Test {
 protected:
  assembled take(stream_event event) { return assembler_.take(std::move(event)).value(); }
  error refused(stream_event event) {
    auto const outcome = assembler_.take(std::move(event));
    return outcome ? error{error_code::internal, "it was taken"} : outcome.error();
  }
  decoded_transaction complete(lsn end) {
    auto const read = take(commit_event{.commit_lsn = lsn{end.value() - 8}, .end_lsn = end});
    auto const* whole = std::get_if<transaction_complete>(&read);
    return whole ? whole->transaction : decoded_transaction{};
  }
  void begin(std::uint32_t xid) { take(begin_event{.final_lsn = lsn{90}, .xid = xid, .commit_time = 5}); }

  transaction_assembler assembler_{"source", 1000};
};

TEST_F(assembler, gives_a_transaction_whole_at_its_commit) {
  begin(7);
  EXPECT_TRUE(assembler_.is_open());
  EXPECT_TRUE(std::holds_alternative<std::monostate>(take(insert("a"))));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(take(relation_event{})));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(take(truncate_event{})));
  auto const whole = complete(lsn{100});
  EXPECT_EQ(whole.begin.xid, 7u);
  EXPECT_EQ(whole.end, lsn{100}) << "the end of the commit, not the commit record";
  ASSERT_EQ(whole.changes.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<row_event>(whole.changes[0]));
  EXPECT_TRUE(std::holds_alternative<truncate_event>(whole.changes[1]));
  EXPECT_FALSE(whole.has_message);
  EXPECT_FALSE(assembler_.is_open());
}

TEST_F(assembler, each_transaction_starts_empty) {
  begin(7);
  take(insert("a"));
  take(message(true, "shardway"));
  EXPECT_TRUE(complete(lsn{100}).has_message);
  begin(8);
  auto const second = complete(lsn{200});
  EXPECT_TRUE(second.changes.empty());
  EXPECT_EQ(second.bytes, 0u);
  EXPECT_FALSE(second.has_message);
}

TEST_F(assembler, only_a_transactional_message_of_ours_is_the_mark) {
  begin(7);
  take(message(false, "shardway"));
  take(message(true, "another"));
  EXPECT_FALSE(complete(lsn{100}).has_message);
}

// S6
TEST_F(assembler, a_keep_alive_counts_only_between_transactions) {
  auto const between = take(keepalive_event{lsn{50}});
  ASSERT_TRUE(std::holds_alternative<nothing_until>(between));
  EXPECT_EQ(std::get<nothing_until>(between).position, lsn{50});
  begin(7);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(take(keepalive_event{lsn{60}})));
}

TEST_F(assembler, refuses_events_outside_a_transaction) {
  EXPECT_EQ(refused(insert("a")).code(), error_code::protocol_violation);
  EXPECT_EQ(refused(commit_event{}).code(), error_code::protocol_violation);
}

// S18
TEST_F(assembler, stops_at_a_transaction_that_is_too_large_and_shows_no_value) {
  begin(7);
  auto const why = refused(insert(std::string(1000, 'v')));
  EXPECT_EQ(why.code(), error_code::stream_broken);
  EXPECT_NE(why.message().find("source"), std::string::npos);
  EXPECT_EQ(why.message().find("vvv"), std::string::npos);
}

TEST_F(assembler, forgets_an_open_transaction_when_the_stream_starts_again) {
  begin(7);
  take(insert("a"));
  assembler_.reset();
  EXPECT_FALSE(assembler_.is_open());
  begin(7);
  take(insert("a"));
  EXPECT_EQ(complete(lsn{100}).changes.size(), 1u);
}

}  // namespace
