// What a mirror does with a change whose key the source itself has given out, for another place (AP10).
#include <algorithm>
#include <map>

#include "lib/migrate/stream/mirror/mirror.hpp"
#include "lib/migrate/stream/mirror/sql.hpp"
#include "lib/migrate/stream/read/decoded_row.hpp"
#include "lib/protocol/conflict.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

constexpr char holds_key[] = "a row of the source has the primary key of a shard's row";
constexpr char holds_value[] = "a row of the source has a unique value of a shard's row";
constexpr char still_missing[] = "a shard's row whose key was in conflict is missing on the source";

}  // namespace

// The engine's role asks: the mirror's may not read fences.
result<std::optional<std::string>> mirror::holder_of(planned_change const& change, stream_tuple const& row,
                                                     std::string const& expressions) {
  if (expressions.empty()) return std::optional<std::string>{};
  BOOST_OUTCOME_TRY(auto const source, connect(options_.catalog));
  BOOST_OUTCOME_TRY(auto const answer,
                    source->query(mirror_holder_statement(*change.table, row, expressions)));
  auto const slot = answer.at(0, 0);
  return slot ? std::optional{std::string(*slot)} : std::nullopt;
}

// True: the change that did not fit is a note now. The old row of an update goes where its key has changed:
// it is not on the shard any more.
result<bool> mirror::set_aside(std::vector<planned_change>& changes, try_result const& tried) {
  using enum planned_change::kind_type;
  if (!tried.misfit || guard_off("key_and_place")) return false;
  auto const change = changes[*tried.misfit];
  if (!change.must_change()) return false;
  BOOST_OUTCOME_TRY(auto const old_key, key_of(*change.table, change.old_row));
  BOOST_OUTCOME_TRY(auto const new_key, key_of(*change.table, change.image));
  bool const by_index = !tried.taken.empty();
  auto const& row = change.kind == update && !by_index ? change.old_row : change.image;
  auto const& key = change.kind == update && !by_index ? old_key : new_key;
  BOOST_OUTCOME_TRY(auto const holder,
                    holder_of(change, row, by_index ? tried.taken : key_expressions(*change.table)));
  if (!holder) {
    // The row that held the key may have gone since the conflict was noted.
    if (change.kind != update || by_index || !has_conflicts_) return false;
    BOOST_OUTCOME_TRY(auto const noted, source_->query(has_conflict_on_statement(options_.shard.node,
                                                                                 change.table->name(), key)));
    if (!noted.boolean(0, 0)) return false;
  }
  bool const moved = old_key != new_key;
  BOOST_OUTCOME_TRY(auto const slot, slot_of_tuple(*change.table, change.old_row));
  std::vector<planned_change> instead;
  for (auto& sql : note_conflict_statements({.stream = options_.shard.node,
                                             .relation = change.table->name(),
                                             .key = key,
                                             .slot = slot ? std::to_string(slot->value()) : "",
                                             .held_slot = holder.value_or(""),
                                             .version = {},
                                             .held_version = {},
                                             .reason = !holder              ? still_missing
                                                       : by_index && !moved ? holds_value
                                                                            : holds_key}))
    instead.push_back({.kind = note, .sql = std::move(sql)});
  if (moved && by_index)
    instead.push_back({.kind = remove,
                       .sql = mirror_delete_statement(*change.table, change.old_row),
                       .table = change.table,
                       .old_row = change.old_row});
  auto const place = changes.begin() + static_cast<std::ptrdiff_t>(*tried.misfit);
  changes.insert(changes.erase(place), instead.begin(), instead.end());
  has_conflicts_ = true;
  return true;
}

// What this transaction still cannot write is noted anew.
void mirror::forget_conflicts(std::vector<planned_change>& changes) const {
  if (!has_conflicts_) return;
  std::map<std::string, std::vector<std::vector<std::string>>> keys;
  for (auto const& change : changes)
    for (auto const* row : {&change.old_row, &change.image}) {
      if (row->empty()) continue;
      if (auto key = key_of(*change.table, *row))
        keys[change.table->name()].push_back(std::move(key).value());
    }
  std::vector<planned_change> first;
  for (auto const& [relation, list] : keys)
    first.push_back({.kind = planned_change::kind_type::note,
                     .sql = forget_conflicts_statement(options_.shard.node, relation, list)});
  changes.insert(changes.begin(), first.begin(), first.end());
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
