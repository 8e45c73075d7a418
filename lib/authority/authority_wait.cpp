#include "lib/authority/authority_wait.hpp"

#include <algorithm>

#include <absl/cleanup/cleanup.h>
#include <absl/strings/str_cat.h>

#include "lib/protocol/fence.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds poll_interval{3};    // between two polls for a generation
constexpr milliseconds fence_interval{30};  // between two reads of the fence itself
constexpr milliseconds query_time{1000};

steady_time now() { return system_clock_source().now(); }

}  // namespace

error authority_wait::spent(call_target const& target, bool by_deadline) const {
  auto const waited = std::chrono::duration_cast<milliseconds>(now() - *since_).count();
  return error{by_deadline ? error_code::deadline_exceeded : error_code::stall_budget_spent,
               absl::StrCat("group ", target.group->name, " (slot ", target.slot.value(),
                            "): authority was still moving after ", waited, " ms; nothing was written"),
               "see `shardway wave status`: a wave is running, or its controller has died"}
      .at_node(target.node_name);
}

epoch authority_wait::expected(call_target const& target) const noexcept {
  for (auto const& seen : overrides_)
    if (seen.generation == target.current->number && seen.node == target.node && seen.slot == target.slot)
      return seen.epoch;
  return target.epoch;
}

result<> authority_wait::abandon(call_target const& target) {
  if (!target.node.is_source()) return success();  // only a controller gives a shard's range back
  BOOST_OUTCOME_TRY(auto lent, host_.lend(source_node, std::min(deadline_, now() + query_time)));
  BOOST_OUTCOME_TRYV(lent.link->query(abandon_statement(target.group->name, target.slot),
                                      std::min(deadline_, now() + query_time)));
  return success();
}

// The fence decides: if it is open under another epoch than the generation's, the call names that epoch.
result<authority_wait::fence_state> authority_wait::read_fence(call_target const& target) {
  auto const until = std::min(deadline_, now() + query_time);
  BOOST_OUTCOME_TRY(auto lent, host_.lend(target.node, until));
  BOOST_OUTCOME_TRY(auto const answer, lent.link->query(read_fence_statement(target.group->name), until));
  BOOST_OUTCOME_TRY(auto const fence, parse_fence(answer));
  lent = {};
  for (auto const& row : fence) {
    if (!row.slots.contains(target.slot)) continue;
    if (row.open) {
      std::erase_if(overrides_, [&](seen_epoch const& one) { return one.slot == target.slot; });
      overrides_.push_back({target.current->number, target.node, target.slot, row.epoch});
      return fence_state::open;
    }
    if (!row.past_deadline) return fence_state::closed;
    BOOST_OUTCOME_TRYV(abandon(target));
    return fence_state::abandoned;
  }
  return fence_state::closed;
}

result<> authority_wait::after(call_target const& target, error const& refusal) {
  host_.refused(target, refusal);
  auto const begun = now();
  if (!since_) since_ = begun;
  auto const budget_end = *since_ + host_.stall_budget();
  if (begun >= budget_end || begun >= deadline_) return spent(target, begun >= deadline_);
  // Reading the fence usually cures a stale epoch. A closed range is being moved: a new generation says when
  // that is over.
  auto next_fence_read = refusal.code() == error_code::epoch_stale ? begun : begun + fence_interval;
  absl::Cleanup const count_stall = [&] {
    stalled_ += std::chrono::duration_cast<std::chrono::microseconds>(now() - begun);
  };
  for (;;) {
    if (cancel_.stop_requested())
      return error{error_code::cancelled,
                   absl::StrCat("the caller stopped a call that waited for authority of group ",
                                target.group->name, "; nothing was written")};
    auto const newer = host_.refresh(target.current->number, std::min(deadline_, budget_end));
    if (newer && newer.value()) return success();
    if (now() >= next_fence_read) {
      auto const state = read_fence(target);
      next_fence_read = now() + fence_interval;
      if (state && state.value() == fence_state::open) return success();
      if (state && state.value() == fence_state::abandoned) next_fence_read = now() + poll_interval;
    }
    auto const time = now();
    if (time >= deadline_ || time >= budget_end) return spent(target, time >= deadline_);
    system_clock_source().sleep_until(std::min({deadline_, budget_end, time + poll_interval}));
  }
}

}  // namespace v0
}  // namespace shardway
