#include <algorithm>
#include <map>
#include <optional>

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

std::string shown(std::vector<accepted_finding> const& accepted) {
  std::vector<std::string> all;
  for (auto const& accept : accepted)
    all.push_back(accept.finding + (accept.subject.empty() ? "" : " of " + accept.subject) + ": " +
                  accept.reason);
  return joined(all);
}

constexpr char const* back_to_observing = "roll the group back to observing first";

/// A field's text, and the first stage at which it is fixed, with the reason.
struct field_view {
  char const* field;
  std::string (*text)(table_manifest const&);
  std::optional<stage> fixed_from{};  ///< nothing: may change at any time
  char const* because{};
};

constexpr char const* placed = "rows have been placed by it";
constexpr char const* sequences = "sequences are laid out by it";

std::string_view text_of(id_strategy_kind kind) {
  constexpr std::string_view names[] = {"EXTERNAL", "INTERLEAVED", "LEASED", "SLOT"};
  return names[static_cast<std::size_t>(kind)];
}
std::string number(std::uint64_t value) { return std::to_string(value); }
std::string truth(bool value) { return value ? "true" : "false"; }

field_view const fields[] = {
    {"group", [](table_manifest const& t) { return t.group; }, stage::copying, placed},
    {"kind",
     [](table_manifest const& t) {
       return std::string{t.kind == table_kind::reference ? "REFERENCE" : "SHARDED"};
     },
     stage::copying, placed},
    {"shard_key", [](table_manifest const& t) { return joined(t.shard_key); }, stage::copying, placed},
    {"key", [](table_manifest const& t) { return joined(t.key); }, stage::copying,
     "the stream and the copy find rows by it"},
    {"stage_until", [](table_manifest const& t) { return std::string{name(t.stage_until)}; }},
    {"dual_write.mode",
     [](table_manifest const& t) {
       return std::string{t.mode == dual_write_mode::async ? "ASYNC" : "SYNC"};
     }},
    {"dual_write.budget_ms", [](table_manifest const& t) { return std::to_string(t.budget.count()); }},
    {"ids.strategy", [](table_manifest const& t) { return std::string{text_of(t.ids)}; }, stage::copying,
     sequences},
    {"ids.strategy (written)", [](table_manifest const& t) { return truth(t.ids_given); }},
    {"ids.stride", [](table_manifest const& t) { return number(t.id_stride); }, stage::copying, sequences},
    {"ids.block", [](table_manifest const& t) { return number(t.id_block); }},
    {"drop_foreign_key", [](table_manifest const& t) { return joined(t.drop_foreign_keys); }},
    {"accept_unique", [](table_manifest const& t) { return joined(t.accept_unique); }},
    {"triggers",
     [](table_manifest const& t) {
       return std::string{t.triggers == trigger_policy::source_only ? "SOURCE_ONLY" : "WHEN_AUTHORITATIVE"};
     }},
    {"capture",
     [](table_manifest const& t) {
       return std::string{t.capture == capture_kind::trigger ? "TRIGGER" : "STATEMENT"};
     },
     stage::dual_writing,
     "clients of the old generation and of the new one would capture a change twice, or not at all"},
    {"reads.scatter", [](table_manifest const& t) { return truth(t.reads.scatter); }},
    {"reads.fan_out_max", [](table_manifest const& t) { return number(t.reads.fan_out_max); }},
    {"reads.scatter_budget_ms",
     [](table_manifest const& t) { return std::to_string(t.reads.scatter_budget.count()); }},
    {"reads.from_shards_percent",
     [](table_manifest const& t) { return number(t.reads.from_shards_percent); }},
    {"reads.shadow_percent", [](table_manifest const& t) { return number(t.reads.shadow_percent); }},
    {"classified_column", [](table_manifest const& t) { return joined(t.classified_columns); }},
    {"accept", [](table_manifest const& t) { return shown(t.accept); }},
};

/// The stage of a group; `observing` for one that is not there yet.
stage stage_of(generation const& applied, std::string const& group) {
  auto const* found = applied.find_group(group);
  return found == nullptr ? stage::observing : found->stage;
}

bool has_begun(generation const& applied, std::string const& group) {
  return stage_of(applied, group) != stage::observing;
}

void forbid(manifest_change& change, std::string reason) {
  change.kind = change_kind::forbidden;
  change.reason = std::move(reason);
}

manifest_change change_of(field_view const& view, generation const& applied, table_manifest const& was,
                          table_manifest const& wanted) {
  manifest_change change{change_kind::option_changed, was.table, view.field, view.text(was),
                         view.text(wanted),           {}};
  auto const stage_now = stage_of(applied, was.group);
  if (view.fixed_from && stage_now >= *view.fixed_from)
    forbid(change, std::string{view.because} + ": " + back_to_observing);
  else if (view.field == std::string_view{"group"} && has_begun(applied, wanted.group))
    forbid(change, "the group it would join has begun to copy: roll that group back to observing first");
  else if (view.field == std::string_view{"stage_until"} && applied.find_group(was.group) != nullptr &&
           wanted.stage_until < stage_now)
    forbid(change, "the group is already at " + std::string{name(stage_now)} +
                       ": a rollback takes it back, not the manifest");
  return change;
}

std::string text_of(lookup_index const* lookup) {
  if (lookup == nullptr) return {};
  return joined(lookup->columns) + (lookup->unique ? " unique" : "");
}

/// A lookup may leave at any time. One that comes after rows were written to a shard alone would not know
/// them.
void add_lookup_changes(generation const& applied, table_manifest const& was, table_manifest const& wanted,
                        std::vector<manifest_change>& changes) {
  std::map<std::string_view, std::pair<lookup_index const*, lookup_index const*>> by_name;
  for (auto const& lookup : was.lookups) by_name[lookup.name].first = &lookup;
  for (auto const& lookup : wanted.lookups) by_name[lookup.name].second = &lookup;
  for (auto const& [lookup, both] : by_name) {
    manifest_change change{
        change_kind::option_changed, was.table, "lookup." + std::string{lookup}, text_of(both.first),
        text_of(both.second),        {}};
    if (change.before == change.after) continue;
    if (both.second != nullptr && stage_of(applied, was.group) >= stage::sharded)
      forbid(change,
             "slots have moved, and rows of theirs were written without it: roll the group back to "
             "dual_writing first");
    changes.push_back(std::move(change));
  }
}

manifest_change added(generation const& applied, table_manifest const& table) {
  if (!has_begun(applied, table.group)) return {change_kind::table_added, table.table, "", "", "", ""};
  return {change_kind::forbidden,
          table.table,
          "",
          "",
          "added",
          "its group has begun to copy: roll the group back to observing first, or give the table a group of "
          "its own"};
}

manifest_change removed(generation const& applied, table_manifest const& table) {
  if (!has_begun(applied, table.group)) return {change_kind::table_removed, table.table, "", "", "", ""};
  return {change_kind::forbidden,
          table.table,
          "",
          "",
          "removed",
          "its rows are on the shards or on their way: roll the group back to observing first"};
}

void add_field_changes(generation const& applied, table_manifest const& was, table_manifest const& now,
                       std::vector<manifest_change>& changes) {
  for (auto const& view : fields)
    if (view.text(was) != view.text(now)) changes.push_back(change_of(view, applied, was, now));
  add_lookup_changes(applied, was, now, changes);
}

}  // namespace

std::string_view name(change_kind kind) noexcept {
  switch (kind) {
    case change_kind::table_added:
      return "table_added";
    case change_kind::table_removed:
      return "table_removed";
    case change_kind::option_changed:
      return "option_changed";
    case change_kind::forbidden:
      return "forbidden";
  }
  return "unknown";
}

std::string describe(manifest_change const& change) {
  std::string text{name(change.kind)};
  text += " " + (change.table.empty() ? std::string{"migration"} : change.table);
  if (!change.field.empty()) text += " " + change.field + ": " + change.before + " -> " + change.after;
  return change.reason.empty() ? text : text + " (" + change.reason + ")";
}

std::vector<manifest_change> diff(generation const& applied, std::vector<table_manifest> const& wanted) {
  std::map<std::string_view, std::pair<table_manifest const*, table_manifest const*>>
      by_name;  // in force, wanted
  for (auto const& table : applied.tables) by_name[table.manifest.table].first = &table.manifest;
  for (auto const& table : wanted) by_name[table.table].second = &table;
  std::vector<manifest_change> changes;
  for (auto const& [table, both] : by_name) {
    auto const [was, now] = both;
    if (was == nullptr)
      changes.push_back(added(applied, *now));
    else if (now == nullptr)
      changes.push_back(removed(applied, *was));
    else
      add_field_changes(applied, *was, *now, changes);
  }
  return changes;
}

}  // namespace v0
}  // namespace shardway
