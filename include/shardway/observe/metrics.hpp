// Numbers of the request path. The host implements `metrics` on top of its registry.
#pragma once

#include <string_view>

namespace shardway {
inline namespace v0 {

/// Receives numbers. Names and label values are few and fixed; see docs/PUBLIC_API.md. An implementation must
/// not block.
///
/// Thread safety: called from any thread, several at once.
class metrics {
 public:
  virtual ~metrics() = default;

  /// Adds to a counter.
  virtual void count(std::string_view name, std::string_view label, double amount) noexcept = 0;

  /// Sets a gauge.
  virtual void gauge(std::string_view name, std::string_view label, double value) noexcept = 0;

  /// Adds a duration, in seconds, to a histogram.
  virtual void observe(std::string_view name, std::string_view label, double seconds) noexcept = 0;
};

}  // namespace v0
}  // namespace shardway
