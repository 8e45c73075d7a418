#include "lib/migrate/controller/withdrawal.hpp"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "lib/migrate/controller/group_rules.hpp"
#include "lib/migrate/nodes/json.hpp"
#include "lib/migrate/onboard/guard.hpp"
#include "lib/migrate/onboard/withdraw.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/catalog/audit.hpp"
#include "shardway/catalog/client_registry.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

constexpr std::chrono::milliseconds poll_interval{100};
// A call that chose its route by the older generation has sent its first statement by then.
constexpr std::chrono::milliseconds calls_in_flight{500};
constexpr std::chrono::seconds stream_patience{30};

bool is_streamed(group_state const& state) {
  return state.stage > stage::observing && state.stage < stage::finalized;
}

error withdrawn_error(std::string const& group, std::string what, std::string hint) {
  return error(error_code::precondition_failed,
               absl::StrCat("group ", group,
                            " is at observing again, but not everything is removed: ", std::move(what)),
               absl::StrCat(std::move(hint), "; then `shardway migrate withdraw --group ", group, "` again"));
}

}  // namespace

result<std::string> withdrawal::withdraw(withdraw_arguments const& asked) {
  BOOST_OUTCOME_TRY(auto const state, context_.group(asked.group));
  if (has_moved_slots(state))
    return error(
        error_code::precondition_failed,
        absl::StrCat("group ", asked.group, " cannot be withdrawn: shards have authority for its slots"),
        state.stage == stage::finalized
            ? std::string("there is no way back from finalized")
            : absl::StrCat("shardway wave rollback --group ", asked.group, " --all"));
  auto const tables = context_.tables_of(asked.group);
  if (!asked.keeps_shard_tables) {
    BOOST_OUTCOME_TRYV(check_dependents(tables));
  }
  BOOST_OUTCOME_TRYV(stages_.cancel_goal(asked.group, "group " + asked.group + " is withdrawn"));
  BOOST_OUTCOME_TRYV(publish_observing(state, tables));
  stop_point("withdraw_after_stage");
  BOOST_OUTCOME_TRYV(await_clients(asked.group));
  if (state.stage != stage::observing) sleep_for(calls_in_flight);
  BOOST_OUTCOME_TRYV(await_streams(asked.group));
  BOOST_OUTCOME_TRYV(clean(asked, tables));
  nodes::json const document{{"stage", name(stage::observing)},
                             {"shard_tables", asked.keeps_shard_tables ? "kept" : "dropped"}};
  return nodes::to_text(document);
}

result<> withdrawal::check_dependents(std::vector<table_state> const& tables) const {
  for (auto const& shard : context_.nodes.shard_nodes()) {
    BOOST_OUTCOME_TRY(auto const found, onboard::find_dependents(shard, tables));
    if (!found.empty())
      return error(error_code::precondition_failed,
                   absl::StrCat("on ", shard.name,
                                " these depend on tables of the group: ", absl::StrJoin(found, ", ")),
                   "withdraw their groups first, drop them, or give --keep-shard-tables")
          .at_node(shard.name);
  }
  return success();
}

// At observing the library's clients read no fence: a guard that refuses would refuse them, and one that
// records would name them.
result<> withdrawal::publish_observing(group_state const& state, std::vector<table_state> const& tables) {
  if (state.stage == stage::observing) return success();
  auto const onboard = context_.onboarding();
  auto const source = context_.nodes.source_node();
  BOOST_OUTCOME_TRYV(onboard::allow_foreign_writers(source, context_.nodes.shard_nodes(), tables, onboard));
  BOOST_OUTCOME_TRYV(return_to_observing(state));
  return onboard::drop_write_guard(source, tables, onboard);
}

result<> withdrawal::return_to_observing(group_state const& state) {
  generation next = *context_.current;
  for (auto& group : next.groups) {
    if (group.name != state.name) continue;
    group.stage = stage::observing;
    if (group.authority.size() > 1)
      group.authority = {
          {.slots = all_slots, .shard = std::nullopt, .epoch = first_epoch_of(state), .opened = {}}};
  }
  if (next == *context_.current) return success();
  BOOST_OUTCOME_TRYV(context_.publish(std::move(next)));
  nodes::json const detail{{"group", state.name}, {"stage", name(stage::observing)}};
  return append_audit(context_.nodes.source(), context_.options.holder, "stage", nodes::to_text(detail));
}

// A client of the older generation still reads the fence and writes the outbox.
result<> withdrawal::await_clients(std::string const& group) const {
  auto const& options = context_.options;
  auto& source = context_.nodes.source();
  auto const deadline = steady_now() + options.client_expiry + options.gate_patience;
  for (;;) {
    BOOST_OUTCOME_TRY(auto const behind,
                      clients_behind(source, context_.current->number, options.client_expiry));
    if (behind.empty()) return success();
    auto const append_client = [](std::string* text, client_entry const& client) {
      absl::StrAppend(text, client.application, " ", client.client_id, " on generation ", client.generation);
    };
    if (steady_now() >= deadline)
      return withdrawn_error(group,
                             "clients use an older generation: " + absl::StrJoin(behind, ", ", append_client),
                             "wait, or end them; a dead one expires by itself");
    sleep_for(poll_interval);
  }
}

// What was routed before the stage changed is still on its way to the shards' tables.
result<> withdrawal::await_streams(std::string const& group) const {
  auto* streams = context_.streams.get();
  if (!streams || streams->dispatcher_failure()) return success();
  auto const target = streams->decoded();
  auto const deadline = steady_now() + stream_patience;
  for (std::size_t i = 0; i < context_.options.migration.shards.size(); ++i) {
    for (;;) {
      auto const state = streams->stream(shard_id{static_cast<std::uint16_t>(i)});
      if (state.failure || state.queued == 0 || state.position.applied >= target) break;
      if (steady_now() >= deadline)
        return withdrawn_error(group, absl::StrCat("changes are still on their way to ", state.stream),
                               "look at that stream in `shardway migrate status`");
      sleep_for(poll_interval);
    }
  }
  return success();
}

result<> withdrawal::clean(withdraw_arguments const& asked, std::vector<table_state> const& tables) {
  auto const& migration = context_.options.migration;
  auto const onboard = context_.onboarding();
  auto const source = context_.nodes.source_node();
  BOOST_OUTCOME_TRYV(host_.ensure_mirrors());  // those that no group needs any more stop
  BOOST_OUTCOME_TRYV(onboard::leave_source(source, migration, tables, onboard));
  stop_point("withdraw_after_source");
  auto const fate = asked.keeps_shard_tables ? onboard::shard_tables::kept : onboard::shard_tables::dropped;
  for (auto const& shard : context_.nodes.shard_nodes()) {
    BOOST_OUTCOME_TRYV(onboard::leave_shard(shard, migration, tables, fate, onboard));
  }
  for (auto const& node : context_.nodes.all_nodes()) {
    BOOST_OUTCOME_TRYV(onboard::drop_fence(node, asked.group, onboard));
  }
  BOOST_OUTCOME_TRYV(end_stream_of_last_group());
  return onboard::forget_rows(source, asked.group, tables, onboard);
}

// Without a group to feed, the replication slot would keep the source's WAL for nothing.
result<> withdrawal::end_stream_of_last_group() {
  if (std::ranges::any_of(context_.current->groups, is_streamed)) return success();
  context_.streams.reset();
  return onboard::drop_forward_stream(context_.nodes.source_node(), context_.nodes.shard_nodes(),
                                      context_.options.migration, context_.onboarding());
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
