// What calls a client made: how many of them would stay on one shard, per table and call site, and which
// tables are written together. Plain data and pure functions. Holds no key, no row value and no SQL.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shardway {
inline namespace v0 {

enum class call_kind : unsigned char { execute, read, write };
std::string_view name(call_kind) noexcept;

/// What a statement does, according to its first word. `transaction` for a `write`.
enum class call_operation : unsigned char { select, insert, update, remove, other, transaction };
std::string_view name(call_operation) noexcept;

/// What a call would be if its table were on shards. Each call has exactly one shape.
enum class call_shape : unsigned char {
  single_shard,    ///< it names its shard key, and all that is known of it is on that key's shard
  without_key,     ///< no shard key was given
  crosses_shards,  ///< a transaction with keys that are placed on different shards
  crosses_groups,  ///< a transaction with tables of several groups, or of a group and of no manifest
  not_known,       ///< a transaction with a statement whose text does not show its tables or its shard key
  unlisted,        ///< its table is in no manifest
};
inline constexpr std::size_t call_shape_count = 6;
std::string_view name(call_shape) noexcept;

/// How many calls there were of each shape.
struct call_counts {
  std::uint64_t by_shape[call_shape_count]{};

  std::uint64_t operator[](call_shape shape) const noexcept {
    return by_shape[static_cast<std::size_t>(shape)];
  }
  std::uint64_t& operator[](call_shape shape) noexcept { return by_shape[static_cast<std::size_t>(shape)]; }
  std::uint64_t calls() const noexcept;
  call_counts& operator+=(call_counts const& more) noexcept;
  friend bool operator==(call_counts const&, call_counts const&) = default;
};

/// The calls of one place in a program. There is one entry for each table, call and kind of statement.
struct call_site_report {
  std::string table;  ///< as the call named it
  std::string site;   ///< "orders.cpp:88:place_order", or the label given in the options
  call_kind kind{};
  call_operation operation{};
  call_counts counts;
  friend bool operator==(call_site_report const&, call_site_report const&) = default;
};

struct table_report {
  std::string table;
  call_counts counts;
  call_counts other_sites;  ///< the share of `counts` from call sites beyond the bound
  friend bool operator==(table_report const&, table_report const&) = default;
};

/// A set of tables, and how many transactions wrote exactly these. A set of one table counts the transactions
/// that wrote nothing else.
struct tables_together {
  std::vector<std::string> tables;  ///< sorted
  std::uint64_t transactions{};
  friend bool operator==(tables_together const&, tables_together const&) = default;
};

/// Sorted by table, site, kind and operation.
struct call_report {
  std::vector<table_report> tables;
  std::vector<call_site_report> sites;
  std::vector<tables_together> together;
  call_counts other_tables;            ///< calls on tables beyond the bound
  std::uint64_t other_transactions{};  ///< transactions whose set of tables was beyond the bound
  friend bool operator==(call_report const&, call_report const&) = default;
};

/// Adds the counts of another report.
void merge(call_report& into, call_report const& more);

/// Tables that belong in one group, because transactions write them together.
struct proposed_group {
  std::vector<std::string> tables;  ///< sorted, at least two
  std::uint64_t transactions{};     ///< that wrote at least two of them
  friend bool operator==(proposed_group const&, proposed_group const&) = default;
};

/// Proposes groups from the sets of tables that transactions wrote. It puts two tables in one group if at
/// least `share_min` of the writes of the less often written table also wrote the other one. Largest group
/// first. Preconditions: 0 < share_min <= 1.
std::vector<proposed_group> propose_groups(call_report const&, double share_min = 0.05);

/// One JSON object: `tables`, `call_sites`, `written_together`, `other_tables`, `other_transactions`.
std::string to_json(call_report const&);

}  // namespace v0
}  // namespace shardway
