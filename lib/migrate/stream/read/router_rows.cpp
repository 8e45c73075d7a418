// Reading decoded rows: ours by column name, users' by position.
#include <charconv>

#include "lib/migrate/stream/read/router.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

std::optional<std::uint16_t> small_number(std::string const* text) {
  std::uint16_t value{};
  if (!text) return std::nullopt;
  auto const [end, failure] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (failure != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return value;
}

}  // namespace

std::string const* field_of(stream_relation const& relation, stream_tuple const& tuple,
                            std::string_view column) noexcept {
  for (std::size_t i = 0; i < relation.columns.size() && i < tuple.size(); ++i)
    if (relation.columns[i].name == column)
      return tuple[i].kind == stream_value::kind_type::text ? &tuple[i].text : nullptr;
  return nullptr;
}

result<std::vector<std::string>> key_of(followed_table const& table, stream_tuple const& tuple) {
  std::vector<std::string> key;
  for (auto const at : table.key) {
    if (at >= tuple.size() || tuple[at].kind != stream_value::kind_type::text)
      return error{error_code::corrupt_data,
                   "the stream shows a row of table " + table.name() + " without its primary key",
                   "its replica identity must hold the primary key"};
    key.push_back(tuple[at].text);
  }
  return key;
}

result<std::optional<fence_flip>> fence_flip_of(row_event const& row) {
  constexpr std::string_view prefix = "fence_";
  auto const& relation = *row.relation;
  if (relation.schema != names::schema || !relation.name.starts_with(prefix) || !row.after)
    return std::optional<fence_flip>{};
  auto const first = small_number(field_of(relation, *row.after, "slot_from"));
  auto const last = small_number(field_of(relation, *row.after, "slot_to"));
  auto const at = small_number(field_of(relation, *row.after, "epoch"));
  auto const* open = field_of(relation, *row.after, "is_open");
  if (!first || !last || !at || !open || *last >= limits::slot_count || *first > *last ||
      *at > limits::epoch_max)
    return error{error_code::protocol_violation, "the stream shows a row of " + relation.schema + "." +
                                                     relation.name + " that is no fence row"};
  return std::optional{fence_flip{
      relation.name.substr(prefix.size()), {slot_id{*first}, slot_id{*last}}, epoch{*at}, *open == "t"}};
}

window_state first_windows(group_state const& group, std::optional<shard_id> node) {
  window_state state;
  for (auto const& range : group.authority) state.set(range.slots, range.epoch, range.shard == node);
  return state;
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
