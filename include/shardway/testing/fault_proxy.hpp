// A TCP gate in front of one server that cuts, stalls and delays connections at an exact byte or protocol
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

enum class towards { server, client };

/// What happens to the connection on which a rule trips.
enum class proxy_fault {
  cut,    ///< both sides get a reset, as from a lost host
  stall,  ///< half open: both sides stay connected and hear nothing more until `resume`
};

/// When and how one connection breaks. Exactly one of `after_bytes` and `message` is set.
///
/// "COMMIT arrived, its reply is lost": `{.direction = towards::client, .message = 'C', .text = "COMMIT"}`.
/// "COMMIT never arrived": `{.direction = towards::server, .message = 'Q', .text = "COMMIT"}`.
struct proxy_rule {
  towards direction = towards::client;
  std::optional<std::uint64_t>
      after_bytes{};  ///< forwards that many bytes of one connection, counted from `arm`; then trips
  char message =
      0;  ///< type byte of a protocol message; the startup packet has none and counts as 'startup', type '\1'
  std::string
      text{};  ///< only messages whose command tag ('C') or SQL ('Q', 'P') begins with it; "" matches all
  bool after = false;    ///< trips after the message was forwarded; false swallows it
  unsigned nth = 1;      ///< trips at the nth match, counted over all connections; > 0
  bool repeats = false;  ///< trips at every match from the nth on; false: once
  proxy_fault fault = proxy_fault::cut;
};

/// Listens on a loopback port of its own and forwards to one server. TLS can't be looked into: connect with
/// sslmode=disable. Thread safety: safe; forwarding runs in a thread of the gate. Lifetime: destroying the
/// gate cuts its connections.
class fault_proxy {
 public:
  /// Errors: `precondition_failed` (no free port).
  static result<std::unique_ptr<fault_proxy>> open(std::uint16_t server_port);
  ~fault_proxy();
  fault_proxy(fault_proxy const&) = delete;
  fault_proxy& operator=(fault_proxy const&) = delete;

  std::uint16_t port() const noexcept;
  std::string conninfo(std::string_view database = "postgres", std::string_view user = "postgres") const;

  /// Replaces the rule; it counts for open and for new connections.
  /// Errors: `invalid_argument`.
  result<void> arm(proxy_rule rule);
  void disarm();
  /// Every byte is forwarded that much later.
  void set_delay(std::chrono::milliseconds delay);
  /// While true, new connections are refused as by a machine without a server; open ones go on.
  result<void> set_refusing(bool refusing);
  void stall();   ///< half open: all connections, new ones too
  void resume();  ///< ends every stall; what was held back is forwarded
  void cut_all();

  std::size_t open_connections() const;
  unsigned trips() const;  ///< how often a rule tripped since the gate was opened
  /// Waits until a rule has tripped that often. Errors: `deadline_exceeded`.
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
