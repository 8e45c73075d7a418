// What the request path reports to its host, as it happens. The host implements `events`; `spdlog_events` is
// a ready implementation.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "shardway/base/error.hpp"
#include "shardway/base/ids.hpp"

namespace shardway {
inline namespace v0 {

/// A write that ended, with any outcome. Holds no key and no row value. Lifetime: views live as long as the
/// call.
struct write_event {
  std::string_view table;
  std::string_view node;  ///< the node with authority, which took the write
  slot_id slot{};
  shardway::epoch epoch{};
  std::string_view outcome;     ///< committed, committed_locally, rolled_back, in_doubt
  std::string_view dual_write;  ///< none, applied, pending, refused
  unsigned retries{};
  std::chrono::microseconds stalled{};
  std::chrono::microseconds took{};
};

/// A fence refused a write. Nothing was changed; the library waits and tries again.
struct refusal_event {
  std::string_view group;
  std::string_view node;
  slot_id slot{};
  epoch expected{};
  error_code code{};  ///< fence_closed or epoch_stale
};

/// The client uses another generation now.
struct generation_event {
  std::uint64_t before{};
  std::uint64_t after{};
  std::string_view node;  ///< where it was read
};

/// A newer generation cannot be used, and the client goes on with the one it has. Reported once per number.
struct refused_generation_event {
  std::uint64_t number{};
  std::uint64_t in_use{};
  std::string_view node;  ///< where it was read
  std::string_view why;   ///< safe to log
};

/// The breaker of a shard opened or closed.
struct breaker_event {
  std::string_view shard;
  bool open{};  ///< while open, dual writes to the shard are not tried and stay pending
};

/// A shadow read that was compared. Holds no key, no row value and no SQL.
struct shadow_event {
  std::string_view table;
  std::string_view found;       ///< equal, stale, different, not_comparable
  std::uint64_t fingerprint{};  ///< of the statement's text: FNV-1a, 64 bits
  slot_id slot{};               ///< the call's
};

/// Code that borrowed a connection changed rows that no dual write would capture. This is harmless before
/// `dual_writing`; from then on it is refused.
struct uncaptured_event {
  std::string_view table;  ///< the table that the call named
  std::string_view group;
  std::string_view node;
  std::int64_t rows{};  ///< from the server's statistics, which also count rows rolled back to a savepoint
};

/// Receives events. An implementation must not block and must not call the client.
///
/// Thread safety: called from any thread, several at once.
class events {
 public:
  virtual ~events() = default;
  virtual void on_write(write_event const&) noexcept {}
  virtual void on_refusal(refusal_event const&) noexcept {}
  virtual void on_generation(generation_event const&) noexcept {}
  virtual void on_generation_refused(refused_generation_event const&) noexcept {}
  virtual void on_breaker(breaker_event const&) noexcept {}
  virtual void on_uncaptured(uncaptured_event const&) noexcept {}
  virtual void on_shadow_read(shadow_event const&) noexcept {}

  /// Something failed in the background and no caller gets the error (a poll, the connection of a dual
  /// write). `what` is safe to log.
  virtual void on_trouble(std::string_view /*doing*/, error const& /*what*/) noexcept {}
};

}  // namespace v0
}  // namespace shardway
