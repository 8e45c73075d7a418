// A hash table of fixed size. Entries are added and never removed, so a search takes no lock.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace shardway {
inline namespace v0 {

/// An entry has a member `hash`. Thread safety: shared use is safe. Lifetime: an entry keeps its address as
/// long as the table lives.
template <class Entry>
class insert_only_table {
 public:
  /// Preconditions: entries_max > 0.
  explicit insert_only_table(std::size_t entries_max)
      : entries_max_(entries_max),
        mask_(std::bit_ceil(entries_max * 2) - 1),
        places_(new std::atomic<Entry*>[mask_ + 1] {}) {}

  /// The entry with this hash for which `is` returns true. Without one, a new entry from `make`, or null if
  /// the table is full.
  template <class Is, class Make>
  Entry* find_or_add(std::uint64_t hash, Is const& is, Make const& make) {
    if (auto* found = find(hash, is)) return found;
    if (full_.load(std::memory_order_relaxed)) return nullptr;
    std::lock_guard const lock{mutex_};
    if (auto* found = find(hash, is)) return found;
    if (owned_.size() >= entries_max_) return nullptr;
    owned_.push_back(make());
    auto* fresh = owned_.back().get();
    auto place = hash & mask_;
    while (places_[place].load(std::memory_order_relaxed)) place = (place + 1) & mask_;
    places_[place].store(fresh, std::memory_order_release);
    if (owned_.size() >= entries_max_) full_.store(true, std::memory_order_relaxed);
    return fresh;
  }

  template <class Each>
  void for_each(Each const& each) const {
    std::lock_guard const lock{mutex_};
    for (auto const& one : owned_) each(*one);
  }

 private:
  // At most half of the places are taken, so every search ends at an empty one.
  template <class Is>
  Entry* find(std::uint64_t hash, Is const& is) const {
    for (auto place = hash & mask_;; place = (place + 1) & mask_) {
      auto* held = places_[place].load(std::memory_order_acquire);
      if (!held || (held->hash == hash && is(*held))) return held;
    }
  }

  std::size_t const entries_max_;
  std::size_t const mask_;
  std::unique_ptr<std::atomic<Entry*>[]> places_;
  std::atomic<bool> full_{};
  mutable std::mutex mutex_;  ///< guards owned_ and the adding of entries
  std::vector<std::unique_ptr<Entry>> owned_;
};

/// Spreads the bits of a value.
constexpr std::uint64_t mixed_hash(std::uint64_t value) noexcept {
  value ^= value >> 32;
  value *= 0x9e3779b97f4a7c15ULL;
  return value ^ (value >> 29);
}

}  // namespace v0
}  // namespace shardway
