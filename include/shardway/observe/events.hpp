// What the request path tells its host, as it happens. The host brings the sink; `spdlog_events` in
// lib/observe is one.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "shardway/base/error.hpp"
#include "shardway/base/ids.hpp"

namespace shardway {
inline namespace v0 {

/// A write that ended, whatever became of it. Views live as long as the call. Holds no key and no row value.
struct write_event {
  std::string_view table;
  std::string_view node;  ///< the authority that took it
  slot_id slot{};
  shardway::epoch epoch{};
  std::string_view outcome;     ///< committed, committed_locally, rolled_back, in_doubt
  std::string_view dual_write;  ///< none, applied, pending, refused
  unsigned retries{};
  std::chrono::microseconds stalled{};
  std::chrono::microseconds took{};
};

/// A fence refused a write: nothing was changed, and the library waits and tries again.
struct refusal_event {
  std::string_view group;
  std::string_view node;
  slot_id slot{};
  epoch expected{};
  error_code code{};  ///< fence_closed or epoch_stale
};

struct generation_event {
  std::uint64_t before{};
  std::uint64_t after{};
  std::string_view node;  ///< where it was read
};

/// A newer generation could not be used; the client goes on with the one it has. Once for each number.
struct refused_generation_event {
  std::uint64_t number{};
  std::uint64_t in_use{};
  std::string_view node;  ///< where it was read
  std::string_view why;   ///< safe to log
};

struct breaker_event {
  std::string_view shard;
  bool open{};  ///< open: dual writes to the shard are not tried and stay pending
};

/// A shadow read that was judged. Holds no key, no row value and no SQL.
struct shadow_event {
  std::string_view table;
  std::string_view found;       ///< equal, stale, different, not_comparable
  std::uint64_t fingerprint{};  ///< of the statement's text: FNV-1a, 64 bits
  slot_id slot{};               ///< the call's
};

/// Code that borrowed a connection changed rows that no dual write would capture. Harmless before
/// `dual_writing`; refused from then on.
struct uncaptured_event {
  std::string_view table;  ///< the one the call named
  std::string_view group;
  std::string_view node;
  std::int64_t rows{};  ///< by the server's statistics: what was rolled back to a savepoint counts too
};

/// Receives events. Thread safety: called from any thread, several at once. Must not block and must not call
/// the client.
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
  /// Something failed in the background that no caller hears of (a poll, a dual write's connection). `what`
  /// is safe to log.
  virtual void on_trouble(std::string_view /*doing*/, error const& /*what*/) noexcept {}
};

}  // namespace v0
}  // namespace shardway
