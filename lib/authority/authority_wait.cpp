#include "lib/authority/authority_wait.hpp"

#include <algorithm>

#include "lib/protocol/fence.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds pause{3};         // between two looks for a generation
constexpr milliseconds fence_every{30};  // between two looks at the fence itself
constexpr milliseconds look_time{1000};

steady_time now() { return system_clock_source().now(); }

}  // namespace

error authority_wait::spent(write_target const& at, bool by_deadline) const {
  auto const waited = std::chrono::duration_cast<milliseconds>(now() - *since_).count();
  return error{by_deadline ? error_code::deadline_exceeded : error_code::stall_budget_spent,
               "group " + at.group->name + " (slot " + std::to_string(at.slot.value()) +
                   "): authority did not settle within " + std::to_string(waited) +
                   " ms; nothing was written",
               "see `shardway wave status`: a wave is running, or its controller has died"}
      .at_node(at.node_name);
}

epoch authority_wait::expected(write_target const& at) const noexcept {
  for (auto const& seen : overrides_)
    if (seen.generation == at.current->number && seen.node == at.node && seen.slot == at.slot)
      return seen.epoch;
  return at.epoch;
}

result<> authority_wait::abandon(write_target const& at) {
  if (!at.node.is_source()) return success();  // a shard's range is given back by a controller only
  BOOST_OUTCOME_TRY(auto lent, host_.lend(source_node, std::min(deadline_, now() + look_time)));
  BOOST_OUTCOME_TRYV(
      lent.link->query(abandon_statement(at.group->name, at.slot), std::min(deadline_, now() + look_time)));
  return success();
}

// The fence decides: where it is open under another epoch than the generation says, that epoch is the one to
// name.
result<authority_wait::fence_news> authority_wait::look(write_target const& at) {
  auto const until = std::min(deadline_, now() + look_time);
  BOOST_OUTCOME_TRY(auto lent, host_.lend(at.node, until));
  BOOST_OUTCOME_TRY(auto const answer, lent.link->query(read_fence_statement(at.group->name), until));
  BOOST_OUTCOME_TRY(auto const fence, parse_fence(answer));
  lent = {};
  for (auto const& row : fence) {
    if (!row.slots.contains(at.slot)) continue;
    if (row.open) {
      std::erase_if(overrides_, [&](seen_epoch const& one) { return one.slot == at.slot; });
      overrides_.push_back({at.current->number, at.node, at.slot, row.epoch});
      return fence_news::open;
    }
    if (!row.past_deadline) return fence_news::none;
    BOOST_OUTCOME_TRYV(abandon(at));
    return fence_news::abandoned;
  }
  return fence_news::none;
}

result<> authority_wait::after(write_target const& at, error const& refusal) {
  host_.refused(at, refusal);
  auto const begun = now();
  if (!since_) since_ = begun;
  auto const budget_end = *since_ + host_.stall_budget();
  if (begun >= budget_end || begun >= deadline_) return spent(at, begun >= deadline_);
  // A stale epoch is most often cured by a look; a closed range is being moved, and its end is told by a new
  // generation.
  auto next_fence_look = refusal.code() == error_code::epoch_stale ? begun : begun + fence_every;
  auto const done = [&] { stalled_ += std::chrono::duration_cast<std::chrono::microseconds>(now() - begun); };
  for (;;) {
    if (cancel_.stop_requested())
      return done(),
             error{error_code::cancelled, "the caller stopped a call that waited for authority of group " +
                                              at.group->name + "; nothing was written"};
    auto const newer = host_.refresh(at.current->number, std::min(deadline_, budget_end));
    if (newer && newer.value()) return done(), success();
    if (now() >= next_fence_look) {
      auto const news = look(at);
      next_fence_look = now() + fence_every;
      if (news && news.value() == fence_news::open) return done(), success();
      if (news && news.value() == fence_news::abandoned) next_fence_look = now() + pause;
    }
    auto const time = now();
    if (time >= deadline_ || time >= budget_end) return done(), spent(at, time >= deadline_);
    system_clock_source().sleep_until(std::min({deadline_, budget_end, time + pause}));
  }
}

}  // namespace v0
}  // namespace shardway
