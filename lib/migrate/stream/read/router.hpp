// What one transaction of the source means for each shard. Decides without I/O. Keeps I1, I4 and I11.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib/migrate/stream/apply/queue.hpp"
#include "lib/migrate/stream/read/chunk_registry.hpp"
#include "shardway/manifest/generation.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// A decoded transaction, whole.
struct decoded_transaction {
  begin_event begin;
  lsn end{};
  std::vector<std::variant<row_event, truncate_event>> changes{};
  bool has_message{};  ///< it carries our mark of a shard
  std::size_t bytes{};
};

/// The tables of a generation by name.
class table_catalog {
 public:
  /// Errors: as `follow_table`.
  static result<std::shared_ptr<table_catalog const>> make(std::shared_ptr<generation const>,
                                                           table_catalog const* before);
  table_ptr find(std::string const& name) const;
  generation const& routing() const noexcept { return *routing_; }
  std::size_t shard_of(slot_id slot) const { return shards_[slot.value()]; }
  std::size_t shard_count() const noexcept { return routing_->migration.shards.size(); }
  std::map<std::string, table_ptr> const& tables() const noexcept { return tables_; }

 private:
  std::shared_ptr<generation const> routing_;
  std::map<std::string, table_ptr> tables_;
  std::vector<std::uint16_t> shards_;
};

using type_names_function = std::function<result<std::vector<std::string>>(stream_relation const&)>;

/// Turns transactions into items. Thread safety: not safe; the dispatcher's mutex guards it.
class transaction_router {
 public:
  transaction_router(copy_registry& copies, type_names_function type_names, std::size_t deferred_bytes_max)
      : copies_(copies), type_names_(std::move(type_names)), deferred_bytes_max_(deferred_bytes_max) {}

  void set_catalog(std::shared_ptr<table_catalog const> catalog) { catalog_ = std::move(catalog); }
  window_history& windows() noexcept { return windows_; }
  /// Whether a window was recorded since the last call.
  bool take_windows_changed() noexcept { return std::exchange(windows_changed_, false); }

  /// One item a shard, in the order of shards; empty ones say nothing. Flips are recorded in `windows()`.
  /// Errors: `stream_broken` (a change outside its window, I1), `schema_drift`, `corrupt_data`,
  /// `protocol_violation`.
  result<std::vector<shard_item>> route(decoded_transaction const&);
  static bool is_empty(shard_item const&) noexcept;

 private:
  struct outbox_entry {
    row_version version{};
    slot_id slot{};
  };
  struct work;  // what is known of the transaction at hand

  result<> read_ours(work&, row_event const&) const;
  result<> read_fence(work&, row_event const&) const;
  result<> read_outbox(work&, row_event const&) const;
  result<> read_marker(work&, row_event const&) const;
  result<> route_row(work&, row_event const&);
  result<> route_truncate(work&, truncate_event const&);
  result<> route_remove(work&, row_event const&, table_ptr const&);
  result<> route_old_place(work&, row_event const&, table_ptr const&, std::vector<std::string> const& old_key,
                           std::optional<std::size_t> now_on, bool key_changed);
  result<std::optional<slot_id>> old_slot(work&, row_event const&, followed_table const&,
                                          std::vector<std::string> const& old_key) const;
  result<> emit(work&, stream_change change, std::optional<slot_id> slot);
  result<> emit_to(work&, std::size_t shard, stream_change change);
  result<> check_window(work&, followed_table const&, slot_id) const;
  void count(work&, stream_change const&, std::size_t shard, std::optional<slot_id> slot) const;
  void finish_flips(work&);
  std::shared_ptr<window_state const> windows_of(std::string const& group);
  result<table_ptr> known_table(std::shared_ptr<stream_relation const> const&);
  stream_change change_of(work&, stream_change::kind_type, table_ptr const&, std::vector<std::string> key,
                          std::optional<slot_id> slot);

  copy_registry& copies_;
  type_names_function type_names_;
  std::size_t const deferred_bytes_max_;
  std::shared_ptr<table_catalog const> catalog_;
  window_history windows_;
  bool windows_changed_{};
  struct checked {
    std::shared_ptr<stream_relation const> relation;
    table_ptr table;
  };
  std::unordered_map<stream_relation const*, checked> checked_;
};

/// The column's value in a tuple of the relation; null if there is no such column or it is NULL.
std::string const* field_of(stream_relation const&, stream_tuple const&, std::string_view column) noexcept;
/// Values of the primary key. Errors: `corrupt_data` if one is missing from the tuple.
result<std::vector<std::string>> key_of(followed_table const&, stream_tuple const&);
/// The fence row of an insert or update of a fence table, as (group, range, epoch, open); nothing for other
/// relations and deletes.
struct fence_flip {
  std::string group;
  slot_range slots{};
  shardway::epoch epoch{};
  bool is_open{};
};
result<std::optional<fence_flip>> fence_flip_of(row_event const&);
/// The windows that a generation starts a group with on a node: all its authority ranges, open where the node
/// has authority.
window_state first_windows(group_state const&, std::optional<shard_id> node);

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
