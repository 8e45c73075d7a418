#include <algorithm>
#include <map>

#include "shardway/manifest/plan.hpp"

namespace shardway {
inline namespace v0 {
namespace {

/// Names in quotes, so that no name with a comma in it looks like two.
std::string joined(std::vector<std::string> const& names) {
  std::string text;
  for (auto const& name : names) {
    text.append(text.empty() ? "\"" : ", \"");
    for (char const c : name) text.append(c == '"' ? 2 : 1, c);
    text.push_back('"');
  }
  return text;
}

/// A field's text, and whether it is fixed once copying has begun, with the reason.
struct field_view {
  char const* field;
  std::string (*text)(table_manifest const&);
  char const* fixed_because;  ///< null: may change at any time
};

constexpr char const* placed = "rows have been placed by it: roll the group back to observing first";

field_view const fields[] = {
    {"group", [](table_manifest const& t) { return t.group; }, placed},
    {"kind", [](table_manifest const& t) { return std::string{t.kind == table_kind::reference ? "REFERENCE" : "SHARDED"}; }, placed},
    {"shard_key", [](table_manifest const& t) { return joined(t.shard_key); }, placed},
    {"key", [](table_manifest const& t) { return joined(t.key); }, "the stream and the copy find rows by it: roll the group back to observing first"},
    {"stage_until", [](table_manifest const& t) { return std::string{name(t.stage_until)}; }, nullptr},
    {"dual_write.mode", [](table_manifest const& t) { return std::string{t.mode == dual_write_mode::async ? "ASYNC" : "SYNC"}; }, nullptr},
    {"dual_write.budget_ms", [](table_manifest const& t) { return std::to_string(t.budget.count()); }, nullptr},
    {"ids.strategy", [](table_manifest const& t) { return std::string{t.ids == id_strategy_kind::interleaved ? "INTERLEAVED" : "EXTERNAL"}; },
     "sequences are laid out by it: roll the group back to observing first"},
    {"ids.stride", [](table_manifest const& t) { return std::to_string(t.id_stride); },
     "sequences are laid out by it: roll the group back to observing first"},
    {"drop_foreign_key", [](table_manifest const& t) { return joined(t.drop_foreign_keys); }, nullptr},
    {"accept_unique", [](table_manifest const& t) { return joined(t.accept_unique); }, nullptr},
    {"triggers", [](table_manifest const& t) { return std::string{t.triggers == trigger_policy::source_only ? "SOURCE_ONLY" : "WHEN_AUTHORITATIVE"}; },
     nullptr},
};

bool has_begun(generation const& applied, std::string const& group) {
  auto const* found = applied.find_group(group);
  return found != nullptr && found->at != stage::observing;
}

manifest_change change_of(field_view const& view, generation const& applied, table_manifest const& was, table_manifest const& wanted) {
  manifest_change change{change_kind::option_changed, was.table, view.field, view.text(was), view.text(wanted), {}};
  if (view.fixed_because != nullptr && has_begun(applied, was.group)) {
    change.kind = change_kind::forbidden;
    change.reason = view.fixed_because;
  } else if (view.field == std::string_view{"group"} && has_begun(applied, wanted.group)) {
    change.kind = change_kind::forbidden;
    change.reason = "the group it would join has begun to copy: roll that group back to observing first";
  } else if (auto const* group = applied.find_group(was.group);
             view.field == std::string_view{"stage_until"} && group != nullptr && wanted.stage_until < group->at) {
    change.kind = change_kind::forbidden;
    change.reason = "the group is already at " + std::string{name(group->at)} + ": a rollback takes it back, not the manifest";
  }
  return change;
}

manifest_change added(generation const& applied, table_manifest const& table) {
  if (!has_begun(applied, table.group)) return {change_kind::table_added, table.table, "", "", "", ""};
  return {change_kind::forbidden, table.table, "", "", "added",
          "its group has begun to copy: roll the group back to observing first, or give the table a group of its own"};
}

manifest_change removed(generation const& applied, table_manifest const& table) {
  if (!has_begun(applied, table.group)) return {change_kind::table_removed, table.table, "", "", "", ""};
  return {change_kind::forbidden, table.table, "", "", "removed", "its rows are on the shards or on their way: roll the group back to observing first"};
}

}  // namespace

std::string_view name(change_kind kind) noexcept {
  switch (kind) {
    case change_kind::table_added: return "table_added";
    case change_kind::table_removed: return "table_removed";
    case change_kind::option_changed: return "option_changed";
    case change_kind::forbidden: return "forbidden";
  }
  return "unknown";
}

std::vector<manifest_change> diff(generation const& applied, std::vector<table_manifest> const& wanted) {
  std::map<std::string_view, std::pair<table_manifest const*, table_manifest const*>> by_name;  // in force, wanted
  for (auto const& table : applied.tables) by_name[table.manifest.table].first = &table.manifest;
  for (auto const& table : wanted) by_name[table.table].second = &table;
  std::vector<manifest_change> changes;
  for (auto const& [table, both] : by_name) {
    auto const [was, now] = both;
    if (was == nullptr) changes.push_back(added(applied, *now));
    else if (now == nullptr) changes.push_back(removed(applied, *was));
    else
      for (auto const& view : fields)
        if (view.text(*was) != view.text(*now)) changes.push_back(change_of(view, applied, *was, *now));
  }
  return changes;
}

}  // namespace v0
}  // namespace shardway
