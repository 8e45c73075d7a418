#include "lib/migrate/stream/read/fence_flips.hpp"

#include <map>

#include "absl/strings/str_cat.h"
#include "lib/migrate/stream/number_of.hpp"
#include "lib/migrate/stream/read/decoded_row.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

std::optional<std::uint16_t> small_number(std::string const* text) {
  return text ? number_of<std::uint16_t>(*text) : std::nullopt;
}

}  // namespace

result<std::optional<fence_flip>> fence_flip_of(row_event const& row) {
  constexpr std::string_view prefix = "fence_";
  auto const& relation = *row.relation;
  if (relation.schema != names::schema || !relation.name.starts_with(prefix) || !row.after)
    return std::optional<fence_flip>{};
  auto const first = small_number(field_of(relation, *row.after, "slot_from"));
  auto const last = small_number(field_of(relation, *row.after, "slot_to"));
  auto const number = small_number(field_of(relation, *row.after, "epoch"));
  auto const* open = field_of(relation, *row.after, "is_open");
  if (!first || !last || !number || !open || *last >= limits::slot_count || *first > *last ||
      *number > limits::epoch_max)
    return error{error_code::protocol_violation, absl::StrCat("the stream shows a row of ", relation.schema,
                                                              ".", relation.name, " that is no fence row")};
  return std::optional{fence_flip{
      relation.name.substr(prefix.size()), {slot_id{*first}, slot_id{*last}}, epoch{*number}, *open == "t"}};
}

window_state first_windows(group_state const& group, std::optional<shard_id> node) {
  window_state state;
  for (auto const& range : group.authority) state.set(range.slots, range.epoch, range.shard == node);
  return state;
}

void record_flips(window_history& windows, std::span<fence_flip const> flips, lsn end) {
  std::map<std::string, window_state> flipped;
  for (auto const& flip : flips) {
    auto const known = windows.now(flip.group);
    auto const [state, is_new] = flipped.try_emplace(flip.group, known ? *known : window_state{});
    state->second.set(flip.slots, flip.epoch, flip.is_open);
  }
  for (auto& [group, state] : flipped) {
    if (auto const known = windows.now(group); known && state == *known) continue;
    windows.record(group, end, std::move(state));
  }
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
