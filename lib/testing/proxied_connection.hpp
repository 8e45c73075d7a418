// One connection through a fault proxy: two sockets and the bytes under way between them.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <poll.h>

#include "lib/testing/wire_framing.hpp"
#include "shardway/testing/fault_proxy.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

using proxy_clock = std::chrono::steady_clock;

/// The rule in force and how far it has counted. All connections of a proxy share it.
struct armed_rule {
  proxy_rule rule;
  std::uint64_t number = 0;  // grows with each `arm`: connections then count bytes from 0 again
  unsigned matches = 0;
  bool is_spent = false;
};

struct proxy_settings {
  std::optional<armed_rule> armed;
  std::chrono::milliseconds delay{0};
  bool is_stalled = false;
  unsigned trips = 0;
};

class proxied_connection {
 public:
  proxied_connection(int client, int server);
  ~proxied_connection();
  proxied_connection(proxied_connection const&) = delete;
  proxied_connection& operator=(proxied_connection const&) = delete;

  void add_polls(std::vector<pollfd>& polls, proxy_settings const& settings,
                 proxy_clock::time_point now) const;
  /// When the next delayed bytes are due.
  std::optional<proxy_clock::time_point> next_due() const;
  void work(proxy_settings& settings, proxy_clock::time_point now);
  void cut();
  void end_after_delivery();
  void resume() { is_stalled_ = false; }
  bool is_over() const { return is_over_; }

 private:
  struct chunk {
    proxy_clock::time_point due;
    std::string bytes;
  };
  // One direction of the connection: bytes that come in at one socket and go out at the other.
  struct direction_state {
    int input = -1;
    int output = -1;
    towards direction = towards::client;
    message_splitter splitter;
    std::deque<chunk> under_way{};
    std::size_t held = 0;
    std::uint64_t counted = 0;      // bytes since the rule was armed
    std::uint64_t counted_for = 0;  // the number of that rule
    bool is_at_end = false;
    bool end_was_passed_on = false;
  };

  void read_into(direction_state& one, proxy_settings& settings, proxy_clock::time_point now);
  void write_from(direction_state& one, proxy_clock::time_point now);
  void split(direction_state& one, proxy_settings& settings, proxy_clock::time_point now);
  void hand_over(direction_state& one, std::string bytes, proxy_settings const& settings,
                 proxy_clock::time_point now);
  bool trips_by_bytes(direction_state& one, std::string& bytes, proxy_settings& settings);
  bool matches(direction_state const& one, wire_message const& message, proxy_settings& settings);
  void trip(proxy_settings& settings);

  std::array<direction_state, 2> directions_;
  std::optional<proxy_fault> tripped_;  // takes effect once the bytes before it are written
  bool is_stalled_ = false;
  bool is_over_ = false;
};

}  // namespace testing
}  // namespace v0
}  // namespace shardway
