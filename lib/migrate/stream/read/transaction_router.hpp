// What one transaction of the source means for each shard. Decides without I/O. Keeps I1, I4 and I11.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib/migrate/stream/apply/apply_queue.hpp"
#include "lib/migrate/stream/read/copy_registry.hpp"
#include "lib/migrate/stream/read/fence_flips.hpp"
#include "lib/migrate/stream/read/table_catalog.hpp"
#include "lib/migrate/stream/read/transaction_assembler.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// The types of a relation's columns, as the origin names them.
using type_names_function = std::function<result<std::vector<std::string>>(stream_relation const&)>;

/// Turns transactions into items. Thread safety: not safe; the dispatcher's mutex guards it.
class transaction_router {
 public:
  transaction_router(copy_registry& copies, type_names_function type_names, std::size_t deferred_bytes_max)
      : copies_(copies), type_names_(std::move(type_names)), deferred_bytes_max_(deferred_bytes_max) {}

  void set_catalog(std::shared_ptr<table_catalog const> catalog) { catalog_ = std::move(catalog); }
  /// Groups whose changes are let go, each with the reason: what came differs from what is known, so that the
  /// group has to be copied again. The other groups go on.
  std::map<std::string, std::string> const& paused() const noexcept { return paused_; }
  void set_paused(std::map<std::string, std::string> paused) { paused_ = std::move(paused); }
  void resume(std::string const& group) { paused_.erase(group); }
  window_history& windows() noexcept { return windows_; }
  window_history const& windows() const noexcept { return windows_; }

  /// One item a shard, in the order of shards; empty ones say nothing. Flips are recorded in `windows()`.
  /// A change that contradicts what is known of its table pauses the group. Errors: `stream_broken` (a change
  /// outside its window, I1), `protocol_violation`.
  result<std::vector<shard_item>> route(decoded_transaction const&);
  static bool is_empty(shard_item const&) noexcept;

 private:
  struct outbox_entry {
    row_version version{};
    slot_id slot{};
  };
  struct routed_transaction;  // what is known so far of the transaction that is being routed

  result<> read_ours(routed_transaction&, row_event const&) const;
  result<> read_fence(routed_transaction&, row_event const&) const;
  result<> read_outbox(routed_transaction&, row_event const&) const;
  result<> read_marker(routed_transaction&, row_event const&) const;
  result<> route_row(routed_transaction&, row_event const&);
  result<> route_change(routed_transaction&, decoded_change const&);
  result<> route_truncate(routed_transaction&, truncate_event const&);
  void route_leaf_truncate(routed_transaction&, row_event const&);
  bool is_paused(table_ptr const&) const;
  void pause(routed_transaction&, std::string const& group, std::string const& reason);
  void check_outbox(routed_transaction&);
  result<> route_remove(routed_transaction&, row_event const&, table_ptr const&);
  result<> route_old_place(routed_transaction&, row_event const&, table_ptr const&,
                           std::vector<std::string> const& old_key, std::optional<std::size_t> now_on,
                           bool key_changed);
  result<std::optional<slot_id>> old_slot(routed_transaction&, row_event const&, followed_table const&,
                                          std::vector<std::string> const& old_key) const;
  result<> emit(routed_transaction&, stream_change change, std::optional<slot_id> slot);
  result<> emit_to(routed_transaction&, std::size_t shard, stream_change change);
  result<> check_window(followed_table const&, slot_id);
  void count(routed_transaction&, stream_change const&, std::size_t shard, std::optional<slot_id> slot) const;
  void finish_flips(routed_transaction&);
  std::shared_ptr<window_state const> windows_of(std::string const& group);
  result<table_ptr> known_table(std::shared_ptr<stream_relation const> const&);
  stream_change change_of(routed_transaction&, stream_change::kind_type, table_ptr const&,
                          std::vector<std::string> key, std::optional<slot_id> slot);

  copy_registry& copies_;
  type_names_function type_names_;
  std::size_t const deferred_bytes_max_;
  std::shared_ptr<table_catalog const> catalog_;
  window_history windows_;
  std::map<std::string, std::string> paused_;
  struct checked {
    std::shared_ptr<stream_relation const> relation;
    table_ptr table;
  };
  std::unordered_map<stream_relation const*, checked> checked_;
};

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
