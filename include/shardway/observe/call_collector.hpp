// Counts the calls of a client. Memory is bounded; in the steady state it takes no lock.
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

/// Where a call is made. If there is a label, it stands for the place in the source code. Lifetime: the
/// label's text lives as long as the call.
struct call_site {
  std::string_view label{};
  std::source_location where{};
};

/// How much a collector keeps. Everything beyond a bound is counted together.
struct call_bounds {
  std::size_t sites_max{512};  ///< > 0
  std::size_t tables_max{256};
  std::size_t sets_max{256};  ///< sets of tables that are written together
};

template <class Entry>
class insert_only_table;

/// A table as the collector knows it.
class observed_table {
 public:
  std::string_view name() const noexcept { return name_; }

  /// A number for the caller to keep with the table and find again at the next call. It starts at 0. Thread
  /// safety: safe.
  std::atomic<std::uint64_t>& note() noexcept { return note_; }

 private:
  friend class call_collector;
  friend class insert_only_table<observed_table>;
  std::uint64_t hash{};  // NOLINT(readability-identifier-naming): insert_only_table calls it so
  std::string name_;
  std::atomic<std::uint64_t> note_{};
  std::atomic<std::uint64_t> counts_[call_shape_count]{};
  std::atomic<std::uint64_t> other_sites_[call_shape_count]{};
};

/// Counts calls per table, call site and set of tables.
///
/// Thread safety: shared use is safe. Cost: about ten nanoseconds per call; allocates only for a table, site
/// or set of tables that is new.
class call_collector {
 public:
  explicit call_collector(call_bounds bounds = {});
  ~call_collector();
  call_collector(call_collector const&) = delete;
  call_collector& operator=(call_collector const&) = delete;

  /// The entry of a table, or null beyond the bound. Lifetime: the collector's.
  observed_table* table(std::string_view name);

  /// Counts one call. `observed` may be null.
  void count(observed_table* observed, call_site const& site, call_kind kind, call_operation operation,
             call_shape shape) noexcept;

  /// Counts one transaction that wrote these tables. Sorts the given tables by address and removes
  /// duplicates. `is_complete`: the transaction wrote no other table.
  void count_together(std::span<observed_table*> written, bool is_complete) noexcept;

  /// Everything since the collector was made. A call that is being counted may already be in one number and
  /// not yet in another.
  call_report report() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// The label; without one, the place in the source code as "orders.cpp:88:place_order": the file's name, the
/// line and the function's name without its types.
std::string text_of(call_site const&);

}  // namespace v0
}  // namespace shardway
