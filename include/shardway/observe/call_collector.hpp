// Counts calls as they pass, in bounded memory and without a lock in the steady state.
#pragma once

#include <atomic>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>

#include "shardway/observe/call_report.hpp"

namespace shardway {
inline namespace v0 {

/// Where a call is made. A label wins over the place in the source. Lifetime: the label's text, for the call.
struct call_site {
  std::string_view label{};
  std::source_location where{};
};

/// How much a collector keeps. What comes past a bound is counted together.
struct call_bounds {
  std::size_t sites_max{512};  ///< > 0
  std::size_t tables_max{256};
  std::size_t sets_max{256};  ///< of tables written together
};

template <class Entry>
class insert_only_table;

/// A table as the collector knows it.
class observed_table {
 public:
  std::string_view name() const noexcept { return name_; }
  /// A note of whoever asks, to be found again with the next call; 0 at first. Thread safety: safe.
  std::atomic<std::uint64_t>& note() noexcept { return note_; }

 private:
  friend class call_collector;
  friend class insert_only_table<observed_table>;
  std::uint64_t hash{};
  std::string name_;
  std::atomic<std::uint64_t> note_{};
  std::atomic<std::uint64_t> counts_[call_shape_count]{};
  std::atomic<std::uint64_t> other_sites_[call_shape_count]{};
};

/// Thread safety: shared use is safe. Cost: some ten nanoseconds a call; allocates only for a table, site or
/// set of tables not seen before.
class call_collector {
 public:
  explicit call_collector(call_bounds bounds = {});
  ~call_collector();
  call_collector(call_collector const&) = delete;
  call_collector& operator=(call_collector const&) = delete;

  /// Nothing past the bound. Lifetime: the collector's.
  observed_table* table(std::string_view name);
  /// Counts one call. `on` may be nothing.
  void count(observed_table* on, call_site const& site, call_kind kind, call_operation operation,
             call_shape shape) noexcept;
  /// Counts one transaction that wrote these tables: sorts them by address and takes doubles away.
  /// `is_complete`: there were no others.
  void count_together(std::span<observed_table*> written, bool is_complete) noexcept;

  /// Everything since the collector was made. Calls that are being counted may be in one part and not yet in
  /// another.
  call_report report() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// "orders.cpp:88:place_order" from a place in the source: base name, line and the function's name without
/// its types; or the label.
std::string text_of(call_site const&);

}  // namespace v0
}  // namespace shardway
