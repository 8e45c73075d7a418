// Counts calls by what they would be on shards. It sends nothing and changes nothing.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>

#include "lib/client/watch/generation_watch.hpp"
#include "lib/sql/statement_facts.hpp"
#include "shardway/observe/call_collector.hpp"
#include "shardway/observe/impl/insert_only_table.hpp"

namespace shardway {
inline namespace v0 {

/// What is known of a table by the generation in force.
struct table_standing {
  enum class place_type : unsigned char { sharded, reference, unlisted };
  place_type place{};
  std::uint16_t group{};
};

/// What one attempt of a transaction has touched so far.
class transaction_notes {
 public:
  void clear() noexcept { *this = {}; }

 private:
  friend class call_observer;
  static constexpr std::size_t tables_max =
      16;  // a transaction that writes more is counted, its set of tables is not kept
  static constexpr std::uint32_t none = 0xFFFFFFFF;

  void group(std::uint32_t one) noexcept {
    (group_ == none || group_ == one) ? void(group_ = one) : void(crosses_groups_ = true);
  }
  void shard(std::uint32_t one) noexcept {
    (shard_ == none || shard_ == one) ? void(shard_ = one) : void(crosses_shards_ = true);
  }
  void wrote(observed_table* table) noexcept;

  std::array<observed_table*, tables_max> written_{};
  std::size_t written_count_{};
  bool is_complete_{true};
  std::uint32_t group_{none};
  std::uint32_t shard_{none};
  bool crosses_groups_{};
  bool crosses_shards_{};
  bool is_unknown_{};
};

/// Thread safety: shared use is safe.
class call_observer {
 public:
  explicit call_observer(generation_watch const& generations);

  /// An `execute` or `read`. Cost: some ten nanoseconds.
  void call(call_kind kind, std::string_view table, bool has_key, std::string_view sql,
            call_site const& site);
  /// A statement of a transaction. `key` is null if the statement names none. An empty table: the library
  /// does not see what is sent.
  void statement(transaction_notes& notes, std::string_view table, shard_key const* key, std::string_view sql,
                 std::span<text_value const> parameters);
  /// A `write` that ended, with what its last attempt touched.
  void transaction(transaction_notes& notes, std::string_view table, shard_key const& key,
                   call_site const& site);

  call_report report() const { return collector_.report(); }

 private:
  struct known_statement {
    std::uint64_t hash{};
    std::string sql;
    statement_facts facts;
  };
  table_standing standing(std::string_view name, observed_table* table);
  statement_facts const* facts(std::string_view sql);
  void touch(transaction_notes& notes, routing_view const& view, std::string const& name, bool is_written);
  void keys(transaction_notes& notes, routing_view const& view, std::string_view table,
            statement_facts const& facts, std::span<text_value const> parameters);

  generation_watch const& generations_;
  call_collector collector_;
  insert_only_table<known_statement> statements_;
};

}  // namespace v0
}  // namespace shardway
