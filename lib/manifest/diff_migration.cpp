// What a new migration manifest would change.
#include <algorithm>

#include "shardway/manifest/plan.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr char const* no_way_back = ": roll every group back to observing first";

class migration_diff {
 public:
  explicit migration_diff(generation const& applied)
      : has_begun_(std::ranges::any_of(
            applied.groups, [](group_state const& group) { return group.stage != stage::observing; })) {}

  /// `fixed_because`: null where it may change at any time.
  void compare(std::string field, std::string const& was, std::string const& wanted,
               char const* fixed_because) {
    if (was == wanted) return;
    manifest_change change{change_kind::option_changed, "", std::move(field), was, wanted, {}};
    if (has_begun_ && fixed_because != nullptr) {
      change.kind = change_kind::forbidden;
      change.reason = std::string{fixed_because} + no_way_back;
    }
    changes_.push_back(std::move(change));
  }

  void compare_node(std::string const& path, node_definition const& was, node_definition const& wanted) {
    compare(path + ".name", was.name, wanted.name, "positions of streams are kept under the node's name");
    compare(path + ".conninfo", was.conninfo, wanted.conninfo, nullptr);
    compare(path + ".pinned_only", was.pinned_only ? "true" : "false", wanted.pinned_only ? "true" : "false",
            "rows have been placed by it");
    compare(path + ".replica", replicas(was), replicas(wanted), nullptr);
  }

  std::vector<manifest_change> take() { return std::move(changes_); }

 private:
  static std::string replicas(node_definition const& node) {
    std::string text;
    for (auto const& replica : node.replicas)
      text += (text.empty() ? "" : ", ") + replica.name + " (" + replica.conninfo + ")";
    return text;
  }

  bool has_begun_;
  std::vector<manifest_change> changes_;
};

/// Values are keys: only how many columns, the slot and the shard are shown.
std::string pins(migration_manifest const& migration) {
  std::vector<std::string> all;
  for (auto const& pin : migration.pins) {
    auto const slot = slot_of(pin);
    all.push_back("slot " + (slot ? std::to_string(slot.value().value()) : std::string{"?"}) + " on " +
                  pin.shard);
  }
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::string text;
  for (auto const& pin : all) text += (text.empty() ? "" : ", ") + pin;
  return text;
}

std::string accepted(migration_manifest const& migration) {
  std::string text;
  for (auto const& accept : migration.accept)
    text += (text.empty() ? "" : ", ") + accept.finding +
            (accept.subject.empty() ? "" : " of " + accept.subject) + ": " + accept.reason;
  return text;
}

std::string listed(std::vector<std::string> const& names) {
  std::string text;
  for (auto const& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::vector<manifest_change> diff(generation const& applied, migration_manifest const& wanted) {
  auto const& was = applied.migration;
  if (was.name.empty()) return {};  // the first one
  migration_diff changes{applied};
  changes.compare("name", was.name, wanted.name, "replication slots and publications carry it");
  changes.compare_node("source", was.source, wanted.source);
  auto const both = std::min(was.shards.size(), wanted.shards.size());
  for (std::size_t i = 0; i < both; ++i)
    changes.compare_node("shard[" + std::to_string(i) + "]", was.shards[i], wanted.shards[i]);
  for (std::size_t i = both; i < was.shards.size(); ++i)
    changes.compare("shard", was.shards[i].name, "", "its slots would have no place");
  for (std::size_t i = both; i < wanted.shards.size(); ++i)
    changes.compare("shard", "", wanted.shards[i].name,
                    "every slot has its shard already, and a new one would get none");
  changes.compare("application_role", was.application_role, wanted.application_role,
                  "rights on what is installed were given to it");
  changes.compare("other_application_role", listed(was.other_application_roles),
                  listed(wanted.other_application_roles), "rights on what is installed were given to them");
  changes.compare("engine_role", was.engine_role, wanted.engine_role, "it owns what is installed");
  changes.compare("mirror_role", was.mirror_role, wanted.mirror_role,
                  "rights on what is installed were given to it");
  changes.compare("pin", pins(was), pins(wanted), "rows have been placed by it");
  changes.compare("accept", accepted(was), accepted(wanted), nullptr);
  auto const catalog_of = [](migration_manifest const& migration) {
    return migration.catalog.empty() ? migration.source.name : migration.catalog;
  };
  changes.compare("catalog", catalog_of(was), catalog_of(wanted), "requests, waves and the lease are there");
  return changes.take();
}

}  // namespace v0
}  // namespace shardway
