#include "lib/testing/proxied_connection.hpp"

#include <cerrno>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace shardway {
inline namespace v0 {
namespace testing {

namespace {

// Bytes read and not yet written, per direction. With more, the sender waits, as on a full network.
constexpr std::size_t held_max = 4u << 20;

void reset(int fd) {
  linger const at_once{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

proxied_connection::proxied_connection(int client, int server)
    : directions_{direction_state{client, server, towards::server, message_splitter(true)},
                  direction_state{server, client, towards::client, message_splitter(false)}} {}

proxied_connection::~proxied_connection() {
  ::close(directions_[0].input);
  ::close(directions_[0].output);
}

void proxied_connection::cut() {
  reset(directions_[0].input);
  reset(directions_[0].output);
  is_over_ = true;
}

// A reset makes the receiver drop what it has not read yet. But the bytes before the cut have to arrive.
void proxied_connection::end_after_delivery() {
  ::shutdown(directions_[0].input, SHUT_RDWR);
  ::shutdown(directions_[0].output, SHUT_RDWR);
  is_over_ = true;
}

void proxied_connection::add_polls(std::vector<pollfd>& polls, proxy_settings const& settings,
                                   proxy_clock::time_point now) const {
  if (is_stalled_ || settings.is_stalled) return;
  for (auto const& one : directions_) {
    if (!one.is_at_end && !tripped_ && one.held < held_max) polls.push_back({one.input, POLLIN, 0});
    if (!one.under_way.empty() && one.under_way.front().due <= now) polls.push_back({one.output, POLLOUT, 0});
  }
}

std::optional<proxy_clock::time_point> proxied_connection::next_due() const {
  std::optional<proxy_clock::time_point> earliest;
  for (auto const& one : directions_)
    if (!one.under_way.empty() && (!earliest || one.under_way.front().due < *earliest))
      earliest = one.under_way.front().due;
  return earliest;
}

void proxied_connection::work(proxy_settings& settings, proxy_clock::time_point now) {
  if (is_stalled_ || settings.is_stalled || is_over_) return;
  for (auto& one : directions_) {
    if (!tripped_) read_into(one, settings, now);
    if (!is_over_) write_from(one, now);
  }
  if (is_over_) return;
  bool const is_drained = directions_[0].under_way.empty() && directions_[1].under_way.empty();
  if (tripped_ && is_drained) {
    if (*tripped_ == proxy_fault::cut) return end_after_delivery();
    tripped_.reset();
    is_stalled_ = true;
    return;
  }
  is_over_ = is_drained && directions_[0].is_at_end && directions_[1].is_at_end;
}

void proxied_connection::read_into(direction_state& one, proxy_settings& settings,
                                   proxy_clock::time_point now) {
  char bytes[65536];
  split(one, settings, now);  // what a stall held back
  while (!one.is_at_end && !tripped_ && one.held < held_max) {
    auto const count = ::recv(one.input, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count < 0 && would_block()) break;
    if (count < 0) return cut();
    if (count == 0) {
      one.is_at_end = true;
      hand_over(one, one.splitter.take_rest(), settings, now);
      break;
    }
    one.splitter.feed({bytes, static_cast<std::size_t>(count)});
    split(one, settings, now);
  }
}

// Splits the input into whole messages, so that one can be dropped. A cut after a number of bytes divides a
// message in `hand_over`.
void proxied_connection::split(direction_state& one, proxy_settings& settings, proxy_clock::time_point now) {
  while (!tripped_) {
    auto message = one.splitter.next();
    if (!message) return;
    if (one.direction == towards::server && message->asks_for_encryption())
      directions_[1].splitter.expect_answer();
    bool const hit = matches(one, *message, settings);
    bool const passes = !hit || settings.armed->rule.after;
    if (passes) {
      bool const is_full = trips_by_bytes(one, message->bytes, settings);
      hand_over(one, std::move(message->bytes), settings, now);
      if (is_full) trip(settings);
    }
    if (hit) trip(settings);
  }
}

bool proxied_connection::trips_by_bytes(direction_state& one, std::string& bytes, proxy_settings& settings) {
  auto& armed = settings.armed;
  if (!armed || armed->is_spent || !armed->rule.after_bytes || armed->rule.direction != one.direction)
    return false;
  if (std::exchange(one.counted_for, armed->number) != armed->number) one.counted = 0;
  auto const limit = *armed->rule.after_bytes;
  one.counted += bytes.size();
  if (one.counted < limit) return false;
  bytes.resize(bytes.size() - (one.counted - limit));
  return true;
}

bool proxied_connection::matches(direction_state const& one, wire_message const& message,
                                 proxy_settings& settings) {
  auto& armed = settings.armed;
  if (!armed || armed->is_spent || armed->rule.message == 0) return false;
  auto const& rule = armed->rule;
  if (rule.direction != one.direction || rule.message != message.type ||
      !message.text().starts_with(rule.text))
    return false;
  return ++armed->matches >= rule.nth;
}

void proxied_connection::trip(proxy_settings& settings) {
  tripped_ = settings.armed->rule.fault;
  settings.armed->is_spent = !settings.armed->rule.repeats;
  ++settings.trips;
}

void proxied_connection::hand_over(direction_state& one, std::string bytes, proxy_settings const& settings,
                                   proxy_clock::time_point now) {
  if (bytes.empty()) return;
  one.held += bytes.size();
  one.under_way.push_back({now + settings.delay, std::move(bytes)});
}

void proxied_connection::write_from(direction_state& one, proxy_clock::time_point now) {
  while (!one.under_way.empty() && one.under_way.front().due <= now) {
    auto& bytes = one.under_way.front().bytes;
    auto const count = ::send(one.output, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && would_block()) return;
    if (count < 0) return cut();
    one.held -= static_cast<std::size_t>(count);
    bytes.erase(0, static_cast<std::size_t>(count));
    if (bytes.empty()) one.under_way.pop_front();
  }
  if (one.is_at_end && one.under_way.empty() && !std::exchange(one.end_was_passed_on, true))
    ::shutdown(one.output, SHUT_WR);
}

}  // namespace testing
}  // namespace v0
}  // namespace shardway
