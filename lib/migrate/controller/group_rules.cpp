#include "lib/migrate/controller/group_rules.hpp"

#include <algorithm>

#include <absl/strings/str_cat.h>

namespace shardway {
inline namespace v0 {
namespace migrate::control {

bool has_moved_slots(group_state const& group) noexcept {
  return std::ranges::any_of(group.authority,
                             [](authority_range const& range) { return range.shard.has_value(); });
}

epoch first_epoch_of(group_state const& group) noexcept {
  epoch highest{1};
  for (auto const& range : group.authority) highest = std::max(highest, range.epoch);
  return highest;
}

result<> check_may_guard(group_state const& group, std::vector<table_state> const& tables) {
  bool const is_reference = std::ranges::any_of(
      tables, [](table_state const& table) { return table.manifest.kind == table_kind::reference; });
  auto const needed = is_reference ? stage::replicating : stage::dual_writing;
  if (group.stage >= needed) return success();
  return error(
      error_code::precondition_failed,
      absl::StrCat("group ", group.name, " is at ", std::string(name(group.stage)), ": the guard belongs to ",
                   std::string(name(needed)),
                   ". At observing it would refuse the library's own clients, which read no fence yet"),
      absl::StrCat("shardway migrate advance --group ", group.name, " --to ", std::string(name(needed))));
}

result<> check_may_unguard(group_state const& group) {
  if (!has_moved_slots(group)) return success();
  return error(error_code::precondition_failed,
               absl::StrCat("shards have authority for slots of group ", group.name,
                            ": without its guard, a foreign write to the source's copy would be lost"),
               group.stage == stage::finalized
                   ? std::string("the source's copy of a finalized group stays closed")
                   : absl::StrCat("shardway wave rollback --group ", group.name, " --all, then try again"));
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
