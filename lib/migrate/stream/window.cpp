#include "lib/migrate/stream/window.hpp"

#include <algorithm>
#include <charconv>

#include "absl/strings/str_cat.h"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

slot_id slot_at(std::uint32_t value) { return slot_id{static_cast<std::uint16_t>(value)}; }

// Takes "<number><mark>" off the front.
std::optional<std::uint16_t> take_number(std::string_view& text, char mark) {
  std::uint16_t value{};
  auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end == text.data() + text.size() || *end != mark) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return value;
}

}  // namespace

void window_state::set(slot_range slots, epoch number, bool is_open) noexcept {
  for (std::uint32_t slot = slots.first.value(); slot <= slots.last.value() && slot < slots_.size(); ++slot)
    slots_[slot] = {number, is_open};
}

bool window_state::is_open_everywhere() const noexcept {
  return std::all_of(slots_.begin(), slots_.end(), [](slot_window const& slot) { return slot.is_open; });
}

bool window_state::is_open_somewhere() const noexcept {
  return std::any_of(slots_.begin(), slots_.end(), [](slot_window const& slot) { return slot.is_open; });
}

epoch window_state::highest_open() const noexcept {
  epoch highest{};
  for (auto const& slot : slots_)
    if (slot.is_open) highest = std::max(highest, slot.epoch);
  return highest;
}

std::vector<slot_range> window_state::open_ranges() const {
  std::vector<slot_range> ranges;
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (!slots_[slot].is_open) continue;
    if (!ranges.empty() && ranges.back().last.value() + 1u == slot)
      ranges.back().last = slot_at(slot);
    else
      ranges.push_back({slot_at(slot), slot_at(slot)});
  }
  return ranges;
}

std::string window_state::encode() const {
  std::string text;
  for (std::uint32_t first = 0; first < slots_.size();) {
    std::uint32_t last = first;
    while (last + 1 < slots_.size() && slots_[last + 1] == slots_[first]) ++last;
    absl::StrAppend(&text, text.empty() ? "" : ",", first, "-", last, ":", slots_[first].epoch.value(),
                    slots_[first].is_open ? ":open" : ":closed");
    first = last + 1;
  }
  return text;
}

std::optional<window_state> window_state::decode(std::string_view text) {
  window_state state;
  std::uint32_t expected = 0;
  while (!text.empty()) {
    auto const first = take_number(text, '-');
    auto const last = first ? take_number(text, ':') : std::nullopt;
    auto const number = last ? take_number(text, ':') : std::nullopt;
    if (!number || *first != expected || *last < *first || *last >= limits::slot_count ||
        *number > limits::epoch_max)
      return std::nullopt;
    auto const word = text.substr(0, text.find(','));
    if (word != "open" && word != "closed") return std::nullopt;
    state.set({slot_at(*first), slot_at(*last)}, epoch{*number}, word == "open");
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    expected = *last + 1u;
  }
  if (expected != limits::slot_count) return std::nullopt;
  return state;
}

std::shared_ptr<window_state const> window_history::now(std::string_view group) const {
  auto const found = groups_.find(group);
  return found == groups_.end() ? nullptr : found->second.back().state;
}

bool window_history::is_open_somewhere() const {
  return std::any_of(groups_.begin(), groups_.end(),
                     [](auto const& group) { return group.second.back().state->is_open_somewhere(); });
}

void window_history::record(std::string_view group, lsn since, window_state state) {
  auto& entries = groups_[std::string(group)];
  entries.push_back({since, std::make_shared<window_state const>(std::move(state))});
  is_changed_ = true;
}

void window_history::forget(std::string_view group) {
  auto const found = groups_.find(group);
  if (found == groups_.end()) return;
  groups_.erase(found);
  is_changed_ = true;
}

void window_history::prune(lsn confirmed) {
  for (auto& [group, entries] : groups_) {
    while (entries.size() > 1 && entries[1].since <= confirmed) entries.erase(entries.begin());
  }
}

void window_history::rewind(lsn position) {
  for (auto& [group, entries] : groups_) {
    while (entries.size() > 1 && entries.back().since > position) entries.pop_back();
  }
}

std::vector<std::string> window_history::encode() const {
  std::vector<std::string> lines;
  for (auto const& [group, entries] : groups_)
    for (auto const& one : entries)
      lines.push_back(absl::StrCat(group, "|", one.since.to_string(), "|", one.state->encode()));
  return lines;
}

std::optional<window_history> window_history::decode(std::vector<std::string> const& lines) {
  window_history history;
  for (auto const& line : lines) {
    auto const last = line.rfind('|');
    auto const middle =
        last == std::string::npos || last == 0 ? std::string::npos : line.rfind('|', last - 1);
    if (middle == std::string::npos) return std::nullopt;
    auto const since = lsn::parse(std::string_view(line).substr(middle + 1, last - middle - 1));
    auto state = window_state::decode(std::string_view(line).substr(last + 1));
    if (!since || !state) return std::nullopt;
    history.record(line.substr(0, middle), *since, std::move(*state));
  }
  history.is_changed_ = false;
  return history;
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
