// The loop that reads a stream, with scripted connections instead of a server.
#include "lib/migrate/stream/read/stream_reader.hpp"

#include <deque>
#include <functional>

#include <gtest/gtest.h>

namespace {

using namespace shardway;
using namespace shardway::migrate::stream;
using namespace std::chrono_literals;

error lost() { return {error_code::connection_lost, "the connection is gone"}; }

begin_event begin(std::uint32_t xid) { return {.final_lsn = lsn{90}, .xid = xid, .commit_time = 5}; }
commit_event commit(std::uint64_t end) { return {.commit_lsn = lsn{end - 8}, .end_lsn = lsn{end}}; }

// What one connection brings: events, then a failure.
struct script {
  std::vector<stream_event> events;
  error then = lost();
};

class scripted_stream final : public change_stream {
 public:
  scripted_stream(script lines, std::vector<lsn>& confirmed)
      : lines_(std::move(lines)), confirmed_(confirmed) {}
  result<std::optional<stream_event>> next(steady_time) override {
    if (position_ == lines_.events.size()) return lines_.then;
    return std::optional{lines_.events[position_++]};
  }
  result<> confirm(lsn position) override {
    confirmed_.push_back(position);
    return success();
  }

 private:
  script lines_;
  std::vector<lsn>& confirmed_;
  std::size_t position_{};
};

class reader : public ::testing::Test, public stream_consumer {
 protected:
  result<std::unique_ptr<change_stream>> open() override {
    ++opened_;
    if (scripts_.empty()) return error{error_code::stream_broken, "nothing is left to read"};
    auto next = std::move(scripts_.front());
    scripts_.pop_front();
    return std::unique_ptr<change_stream>{std::make_unique<scripted_stream>(std::move(next), confirmed_)};
  }
  void close() override { ++closed_; }
  result<> take_transaction(decoded_transaction const& transaction) override {
    ends_.push_back(transaction.end);
    return on_transaction_();
  }
  result<> take_position(lsn position) override {
    positions_.push_back(position);
    return success();
  }
  result<> poll() override {
    ++polls_;
    return success();
  }
  result<lsn> prepare_confirmation() override { return durable_; }
  result<> idle(bool is_open) override {
    was_open_.push_back(is_open);
    return success();
  }

  static std::vector<stream_event> transaction(std::uint64_t end) { return {begin(1), commit(end)}; }

  std::deque<script> scripts_;
  std::function<result<>()> on_transaction_ = [] { return result<>{success()}; };
  lsn durable_{};
  int opened_{}, closed_{}, polls_{};
  std::vector<lsn> ends_, positions_, confirmed_;
  std::vector<bool> was_open_;
  stream_reader reader_{{.origin = "source",
                         .transaction_bytes_max = 1000,
                         .retry_delay_max = 1ms,
                         .confirm_every = 0ms,
                         .poll_every = 0ms},
                        *this};
};

TEST_F(reader, brings_transactions_and_positions_in_order) {
  scripts_ = {{transaction(100)}, {{keepalive_event{lsn{150}}, begin(2)}}};
  auto const outcome = reader_.run();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), error_code::stream_broken);
  EXPECT_EQ(ends_, std::vector<lsn>{lsn{100}});
  EXPECT_EQ(positions_, std::vector<lsn>{lsn{150}});
  EXPECT_EQ(was_open_, (std::vector<bool>{true, false, false, true}));
  EXPECT_FALSE(reader_.is_connected());
}

TEST_F(reader, connects_again_and_forgets_the_half_of_a_transaction) {
  scripts_ = {{{begin(1)}}, {{commit(100)}}};
  auto const outcome = reader_.run();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), error_code::protocol_violation) << "the commit has no begin here";
  EXPECT_EQ(opened_, 2);
  EXPECT_EQ(closed_, 2) << "connections of a broken stream are not used again";
  EXPECT_TRUE(ends_.empty());
}

TEST_F(reader, gives_up_where_connecting_again_does_not_help) {
  scripts_ = {{{}, error{error_code::stream_broken, "the replication slot is lost"}}, {transaction(100)}};
  auto const outcome = reader_.run();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().message(), "the replication slot is lost");
  EXPECT_EQ(opened_, 1);
}

// I10
TEST_F(reader, confirms_only_what_its_consumer_has_made_durable) {
  scripts_ = {{transaction(100)}};
  durable_ = lsn{40};
  ASSERT_FALSE(reader_.run());
  ASSERT_FALSE(confirmed_.empty());
  for (auto const position : confirmed_) EXPECT_EQ(position, lsn{40});
  EXPECT_GT(polls_, 0);
}

TEST_F(reader, never_takes_a_confirmation_back) {
  scripts_ = {{transaction(100)}};
  durable_ = lsn{40};
  on_transaction_ = [&] {
    durable_ = lsn{10};
    return result<>{success()};
  };
  ASSERT_FALSE(reader_.run());
  EXPECT_EQ(confirmed_, (std::vector<lsn>{lsn{40}, lsn{40}}));
}

TEST_F(reader, ends_without_an_error_when_it_is_stopped) {
  scripts_ = {{transaction(100)}};
  on_transaction_ = [&]() -> result<> {
    reader_.stop();
    return error{error_code::cancelled, "the engine is stopping"};
  };
  EXPECT_TRUE(reader_.run());
  EXPECT_EQ(opened_, 1);
  EXPECT_EQ(closed_, 1);
}

}  // namespace
