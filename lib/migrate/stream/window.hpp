// Windows: where in one node's WAL it had authority, slot by slot. Pure. Fed only from that node's fence rows
// in WAL order (S22).
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/ids.hpp"
#include "shardway/base/lsn.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// The fence of one group on one node as of one position of its WAL. Every slot is closed at epoch 0 until it
/// is set. A value.
class window_state {
 public:
  struct slot_window {
    shardway::epoch epoch{};
    bool is_open{};
    friend bool operator==(slot_window, slot_window) noexcept = default;
  };

  void set(slot_range slots, epoch number, bool is_open) noexcept;
  slot_window of(slot_id slot) const noexcept { return slots_[slot.value()]; }
  bool is_open_everywhere() const noexcept;
  bool is_open_somewhere() const noexcept;
  /// The highest epoch of an open slot; 0 if none is open.
  epoch highest_open() const noexcept;
  /// Runs of open slots, in order.
  std::vector<slot_range> open_ranges() const;

  /// "0-2047:3:open,2048-4095:4:closed".
  std::string encode() const;
  /// Nothing if the text does not cover every slot exactly once, in order.
  static std::optional<window_state> decode(std::string_view text);
  friend bool operator==(window_state const&, window_state const&) = default;

 private:
  std::array<slot_window, limits::slot_count> slots_{};
};

/// The windows of all groups on one node, now and back to the position that a resend may start from.
///
/// A flip takes effect for the transactions after it. History is kept so that a stream that starts again from
/// an older confirmed position finds the windows as they were there. Thread safety: distinct objects: safe.
/// Shared object: not safe.
class window_history {
 public:
  /// The newest state of a group, or null if the group is not known.
  std::shared_ptr<window_state const> now(std::string_view group) const;
  bool is_open_somewhere() const;  ///< in any group, now
  /// Records a state that holds from `since` on. Preconditions: `since` is not below the group's newest one.
  void record(std::string_view group, lsn since, window_state);
  /// Forgets a group that is not streamed any more: its flips are not seen meanwhile.
  void forget(std::string_view group);
  /// Forgets what a stream that starts at `confirmed` or later can't need.
  void prune(lsn confirmed);
  /// Forgets what came after `position`: the stream goes on from there and will meet it again.
  void rewind(lsn position);

  /// Whether something was recorded or forgotten that is not saved yet.
  bool is_changed() const noexcept { return is_changed_; }
  void set_changed(bool changed) noexcept { is_changed_ = changed; }

  /// One line an entry: "group|lsn|state".
  std::vector<std::string> encode() const;
  /// Nothing if a line does not parse. What was decoded counts as saved.
  static std::optional<window_history> decode(std::vector<std::string> const& lines);

 private:
  struct entry {
    lsn since;
    std::shared_ptr<window_state const> state;
  };
  std::map<std::string, std::vector<entry>, std::less<>> groups_;
  bool is_changed_{};
};

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
