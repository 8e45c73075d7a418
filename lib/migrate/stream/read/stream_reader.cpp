#include "lib/migrate/stream/read/stream_reader.hpp"

#include <algorithm>
#include <utility>

#include "lib/migrate/nodes/pause.hpp"
#include "lib/migrate/nodes/reconnect.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

constexpr std::chrono::milliseconds event_wait{50};
constexpr std::chrono::milliseconds first_retry{20};

steady_time now() { return system_clock_source().now(); }

}  // namespace

stream_reader::stream_reader(stream_reader_options options, stream_consumer& consumer)
    : options_(std::move(options)),
      consumer_(consumer),
      assembler_(options_.origin, options_.transaction_bytes_max),
      back_off_(first_retry, options_.retry_delay_max) {}

result<> stream_reader::run() {
  while (!is_stopping_) {
    auto const outcome = read();
    is_connected_ = false;
    stream_.reset();
    consumer_.close();
    if (outcome || is_stopping_) return success();
    if (!nodes::may_reconnect(outcome.error())) return outcome.error();
    nodes::pause(back_off_.next(), [this] { return is_stopping(); });
  }
  return success();
}

result<> stream_reader::read() {
  assembler_.reset();
  BOOST_OUTCOME_TRY(stream_, consumer_.open());
  if (!stream_) return success();
  is_connected_ = true;
  while (!is_stopping_) {
    BOOST_OUTCOME_TRY(auto event, stream_->next(std::min(now() + event_wait, next_confirm_)));
    if (event) {
      BOOST_OUTCOME_TRYV(take(std::move(*event)));
    }
    BOOST_OUTCOME_TRYV(consumer_.idle(assembler_.is_open()));
    BOOST_OUTCOME_TRYV(maintain());
  }
  return success();
}

result<> stream_reader::take(stream_event event) {
  BOOST_OUTCOME_TRY(auto const read, assembler_.take(std::move(event)));
  if (auto const* complete = std::get_if<transaction_complete>(&read))
    return consumer_.take_transaction(complete->transaction);
  if (auto const* nothing = std::get_if<nothing_until>(&read))
    return consumer_.take_position(nothing->position);
  return success();
}

result<> stream_reader::maintain() {
  if (now() >= next_poll_) {
    next_poll_ = now() + options_.poll_every;
    BOOST_OUTCOME_TRYV(consumer_.poll());
  }
  if (now() < next_confirm_) return success();
  next_confirm_ = now() + options_.confirm_every;
  BOOST_OUTCOME_TRY(auto const position, consumer_.prepare_confirmation());
  if (position > confirmed_) back_off_.reset();
  confirmed_ = std::max(confirmed_, position);
  return position.is_set() ? confirm(confirmed_) : success();
}

result<> stream_reader::confirm(lsn position) { return stream_->confirm(position); }

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
