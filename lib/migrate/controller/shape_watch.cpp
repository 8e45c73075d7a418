#include "lib/migrate/controller/shape_watch.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "lib/migrate/onboard/follow_shape.hpp"
#include "shardway/catalog/audit.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

using onboard::drift_answer;
using onboard::shape_difference;

constexpr std::chrono::seconds watch_every{2};
// A new partition, then our own objects on it.
constexpr int rounds_max = 3;

std::vector<std::string> texts_of(group_drift const& drift) {
  std::vector<std::string> texts;
  for (auto const* list : {&drift.shape, &drift.publication})
    for (auto const& one : *list)
      if (one.answer == drift_answer::pause) texts.push_back(onboard::describe(one));
  return texts;
}

}  // namespace

result<> shape_watch::watch() {
  auto const now = steady_now();
  if (now - last_ < watch_every) return success();
  last_ = now;
  auto const before = std::move(context_.drift);
  context_.drift.clear();
  auto const groups = moving_groups(*context_.current);
  if (groups.empty()) return success();
  for (int round = 1; round <= rounds_max; ++round) {
    BOOST_OUTCOME_TRY(context_.drift, read_drift(context_.nodes.sessions(), *context_.current, groups));
    if (context_.streams) add_paused_groups(context_.drift, context_.streams->paused_groups());
    bool followed = false;
    for (auto& [group, drift] : context_.drift) {
      BOOST_OUTCOME_TRY(bool const some, follow(group, drift));
      followed = followed || some;
    }
    if (!followed) break;
  }
  return record_pauses(before);
}

// One step serves all differences of its kind on a table of a node. What cannot be followed pauses.
result<bool> shape_watch::follow(std::string const& group, group_drift& drift) {
  std::set<std::tuple<std::string, std::string, onboard::shape_kind>> done;
  bool followed = false;
  for (auto& one : drift.shape) {
    if (one.answer != drift_answer::follow) continue;
    bool const is_new = done.emplace(one.node, one.table, one.kind).second;
    if (!is_new && one.kind != onboard::shape_kind::relation) continue;
    auto const made = follow_one(one);
    if (!made && made.error().code() == error_code::not_leader) return made.error();
    if (!made) {
      BOOST_OUTCOME_TRYV(context_.nodes.refresh());
      one.answer = drift_answer::pause;
      absl::StrAppend(&one.what, ", and could not be made: ", made.error().to_string());
      continue;
    }
    followed = true;
    nodes::json const detail{{"group", group}, {"followed", onboard::describe(one)}};
    BOOST_OUTCOME_TRYV(append_audit(context_.nodes.source(), context_.options.holder, "shape_followed",
                                    nodes::to_text(detail)));
  }
  return followed;
}

result<> shape_watch::follow_one(shape_difference const& difference) {
  auto const* table = context_.current->find_table(difference.table);
  if (!table) return success();
  // One turn of the controller's loop waits at most this long for a lock; the next one tries again.
  auto options = context_.onboarding();
  options.retry_budget = std::chrono::seconds{1};
  auto const& role = context_.options.migration.application_role;
  for (auto const& node : context_.nodes.all_nodes()) {
    if (node.name != difference.node) continue;
    bool const is_source = node.name == context_.options.migration.source.name;
    return onboard::follow_difference(node, is_source ? node_role::source : node_role::shard, *table, role,
                                      difference, options);
  }
  return success();
}

result<> shape_watch::record_pauses(drift_by_group const& before) {
  for (auto const& [group, drift] : context_.drift) {
    auto const earlier = before.find(group);
    auto const texts = texts_of(drift);
    if (earlier != before.end() && texts_of(earlier->second) == texts) continue;
    if (texts.empty() && (earlier == before.end() || !earlier->second.pauses())) continue;
    nodes::json const detail{{"group", group}, {"differences", texts}};
    BOOST_OUTCOME_TRYV(append_audit(context_.nodes.source(), context_.options.holder,
                                    texts.empty() ? "group_resumed" : "group_paused",
                                    nodes::to_text(detail)));
  }
  return success();
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
