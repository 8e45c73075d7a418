// A TCP proxy in front of one server. It cuts, stalls or delays connections at an exact byte or protocol
// message.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "shardway/base/result.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

/// The direction in which bytes travel.
enum class towards { server, client };

/// What happens to a connection when a rule trips on it.
enum class proxy_fault {
  cut,    ///< both sides get a reset, as from a lost host
  stall,  ///< half open: both sides stay connected and hear nothing more until `resume`
};

/// When and how a connection breaks. Exactly one of `after_bytes` and `message` is set.
///
/// "COMMIT arrived, its reply is lost": `{.direction = towards::client, .message = 'C', .text = "COMMIT"}`.
/// "COMMIT never arrived": `{.direction = towards::server, .message = 'Q', .text = "COMMIT"}`.
struct proxy_rule {
  towards direction = towards::client;

  /// Trips after that many bytes of one connection were forwarded, counted from `arm`.
  std::optional<std::uint64_t> after_bytes{};

  /// Trips at a protocol message with this type byte. The startup packet has no type byte; its type is '\1'
  /// here.
  char message = 0;

  /// Matches only messages whose command tag ('C') or SQL ('Q', 'P') begins with this text. "" matches all.
  std::string text{};

  /// True: trips after the message was forwarded. False: the message is dropped.
  bool after = false;

  /// Trips at the nth match, counted over all connections; > 0.
  unsigned nth = 1;

  /// True: trips at every match from the nth on. False: trips once.
  bool repeats = false;

  proxy_fault fault = proxy_fault::cut;
};

/// Listens on a loopback port of its own and forwards to one server. It cannot read TLS: connect with
/// sslmode=disable.
///
/// Thread safety: safe. A thread of the proxy forwards. Lifetime: the destructor cuts all connections.
class fault_proxy {
 public:
  /// Errors: `precondition_failed` (no free port).
  static result<std::unique_ptr<fault_proxy>> open(std::uint16_t server_port);
  ~fault_proxy();
  fault_proxy(fault_proxy const&) = delete;
  fault_proxy& operator=(fault_proxy const&) = delete;

  std::uint16_t port() const noexcept;
  std::string conninfo(std::string_view database = "postgres", std::string_view user = "postgres") const;

  /// Replaces the rule. It applies to open and to new connections. Errors: `invalid_argument`.
  result<void> arm(proxy_rule rule);
  void disarm();

  /// From now on, every byte is forwarded that much later.
  void set_delay(std::chrono::milliseconds delay);

  /// While true, new connections are refused, as by a machine without a server. Open connections go on.
  /// Errors: `precondition_failed` (the proxy cannot listen on its port again).
  result<void> set_refusing(bool refusing);

  /// Makes all connections half open, new ones too: they stay connected and nothing is forwarded.
  void stall();

  /// Ends every stall and forwards what was held back.
  void resume();

  void cut_all();

  std::size_t open_connections() const;

  /// How often a rule has tripped since the proxy was opened.
  unsigned trips() const;

  /// Waits until rules have tripped that often. Errors: `deadline_exceeded`.
  result<void> wait_for_trips(unsigned count = 1,
                              std::chrono::milliseconds timeout = std::chrono::seconds(10));

 private:
  class engine;
  explicit fault_proxy(std::unique_ptr<engine> fresh);
  std::unique_ptr<engine> engine_;
};

}  // namespace testing
}  // namespace v0
}  // namespace shardway
