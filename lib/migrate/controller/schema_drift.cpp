#include "lib/migrate/controller/schema_drift.hpp"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/migrate/onboard/publication.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

using onboard::shape_difference;
using onboard::table_shape;

std::vector<table_state> tables_of(generation const& now, std::vector<std::string> const& groups) {
  std::vector<table_state> tables;
  for (auto const& table : now.tables)
    if (std::find(groups.begin(), groups.end(), table.manifest.group) != groups.end())
      tables.push_back(table);
  return tables;
}

stage stage_of(generation const& now, std::string const& group) {
  auto const* state = now.find_group(group);
  return state ? state->stage : stage::observing;
}

void append(std::vector<shape_difference>& all, std::vector<shape_difference> more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

onboard::shard_expectation shard_expectation_of(generation const& now, std::string const& shard,
                                                stage reached) {
  return {
      .shard = shard, .finished = reached >= stage::replicating, .is_on_shards = [&now](auto const& name) {
        auto const* table = now.find_table(name);
        return table && stage_of(now, table->manifest.group) >= stage::copying;
      }};
}

// What each node must have on the tables of a group at this stage.
onboard::node_expectation node_expectation_of(std::string const& node, bool is_shard, stage reached) {
  bool const moves = reached >= (is_shard ? stage::dual_writing : stage::copying);
  return {.node = node,
          .is_shard = is_shard,
          .guarded = !is_shard && moves,
          .captured = moves,
          .truncates_seen = moves};
}

std::vector<std::string> published_relations(generation const& now, std::string const& group, bool is_shard) {
  std::vector<std::string> relations{"shardway.marker", names::fence(group)};
  if (!is_shard) relations.insert(relations.end(), {"shardway.outbox", "shardway.stream_progress"});
  for (auto const& table : now.tables)
    if (table.manifest.group == group) relations.push_back(names::quoted_table(table.manifest.table));
  return relations;
}

std::string copy_again(std::string const& group) {
  return absl::StrCat("`shardway migrate withdraw --group ", group, "`, then copy it again");
}

// The name of a table as a manifest has it, if the relation is one of the group's.
std::string plain_name(generation const& now, std::string const& quoted) {
  for (auto const& table : now.tables)
    if (names::quoted_table(table.manifest.table) == quoted) return table.manifest.table;
  return quoted.empty() ? "(all)" : quoted;
}

result<std::vector<shape_difference>> publication_drift(session& node, generation const& now,
                                                        std::string const& group, bool is_shard) {
  auto const publication = names::publication(now.migration.name);
  BOOST_OUTCOME_TRY(auto const gaps,
                    onboard::publication_gaps(node, publication, published_relations(now, group, is_shard)));
  auto const& name = node.identity().name;
  std::vector<shape_difference> found;
  for (auto const& gap : gaps) {
    auto const object = absl::StrCat("publication ", publication, " of ", name);
    auto const what = gap.relation.empty() ? gap.what : absl::StrCat("lacks it: it ", gap.what);
    found.push_back(
        {.table = plain_name(now, gap.relation),
         .node = name,
         .object = object,
         .what = what,
         .way_out = absl::StrCat("changes may be missing on the other side: ", copy_again(group))});
  }
  return found;
}

struct reading {
  std::vector<table_shape> source;
  std::vector<std::vector<table_shape>> shards;
};

result<reading> read_shapes(node_sessions const& sessions, std::vector<table_state> const& tables,
                            bool with_shards) {
  reading found;
  BOOST_OUTCOME_TRY(found.source, onboard::read_table_shapes(*sessions.source, tables));
  if (!with_shards) return found;
  for (auto* shard : sessions.shards) {
    BOOST_OUTCOME_TRY(auto shapes, onboard::read_table_shapes(*shard, tables));
    found.shards.push_back(std::move(shapes));
  }
  return found;
}

void compare_table(generation const& now, table_state const& table, std::size_t position, reading const& seen,
                   std::string const& source_name, group_drift& drift) {
  auto const reached = stage_of(now, table.manifest.group);
  auto const& here = seen.source[position];
  append(drift.shape, onboard::generation_differences(table, here));
  append(drift.shape,
         onboard::node_differences(table, here, node_expectation_of(source_name, false, reached)));
  auto& trees = drift.trees[table.manifest.table];
  trees[source_name] = here.tree;
  if (reached < stage::copying) return;
  for (std::size_t i = 0; i < seen.shards.size(); ++i) {
    auto const& name = now.migration.shards[i].name;
    auto const& there = seen.shards[i][position];
    append(drift.shape,
           onboard::shard_differences(table, here, there, shard_expectation_of(now, name, reached)));
    append(drift.shape, onboard::node_differences(table, there, node_expectation_of(name, true, reached)));
    trees[name] = there.tree;
  }
}

result<> compare_publications(node_sessions const& sessions, generation const& now, std::string const& group,
                              group_drift& drift) {
  auto const reached = stage_of(now, group);
  if (reached < stage::copying) return success();
  BOOST_OUTCOME_TRY(auto found, publication_drift(*sessions.source, now, group, false));
  append(drift.publication, std::move(found));
  if (reached < stage::dual_writing) return success();
  for (auto* shard : sessions.shards) {
    BOOST_OUTCOME_TRY(auto more, publication_drift(*shard, now, group, true));
    append(drift.publication, std::move(more));
  }
  return success();
}

std::string_view name_of(onboard::drift_answer answer) {
  switch (answer) {
    case onboard::drift_answer::follow:
      return "follow";
    case onboard::drift_answer::pause:
      return "pause";
    case onboard::drift_answer::note:
      return "note";
  }
  return "pause";
}

}  // namespace

std::vector<std::string> moving_groups(generation const& now) {
  std::vector<std::string> groups;
  for (auto const& group : now.groups)
    if (group.stage > stage::observing && group.stage < stage::finalized) groups.push_back(group.name);
  return groups;
}

result<drift_by_group> read_drift(node_sessions const& sessions, generation const& now,
                                  std::vector<std::string> const& groups) {
  drift_by_group drift;
  std::vector<std::string> compared;
  bool with_shards = false;
  for (auto const& group : groups) {
    auto const reached = stage_of(now, group);
    if (reached == stage::finalized) continue;
    compared.push_back(group);
    with_shards = with_shards || reached >= stage::copying;
  }
  auto const tables = tables_of(now, compared);
  BOOST_OUTCOME_TRY(auto const seen, read_shapes(sessions, tables, with_shards));
  for (std::size_t i = 0; i < tables.size(); ++i)
    compare_table(now, tables[i], i, seen, now.migration.source.name, drift[tables[i].manifest.group]);
  for (auto const& group : compared) {
    BOOST_OUTCOME_TRYV(compare_publications(sessions, now, group, drift[group]));
  }
  return drift;
}

void add_paused_groups(drift_by_group& drift, std::map<std::string, std::string> const& paused) {
  for (auto const& [group, reason] : paused)
    if (auto const found = drift.find(group); found != drift.end())
      found->second.shape.push_back({.table = "(all)",
                                     .node = {},
                                     .object = "the stream",
                                     .what = "lets the changes of group " + group + " go: " + reason,
                                     .way_out = copy_again(group)});
}

nodes::json to_json(std::vector<shape_difference> const& differences) {
  auto all = nodes::json::array();
  for (auto const& one : differences)
    all.push_back({{"table", one.table},
                   {"node", one.node},
                   {"object", one.object},
                   {"difference", one.what},
                   {"way_out", one.way_out},
                   {"answer", name_of(one.answer)}});
  return all;
}

nodes::json trees_json(group_drift const& drift, std::string const& table) {
  auto trees = nodes::json::object();
  if (auto const found = drift.trees.find(table); found != drift.trees.end())
    for (auto const& [node, tree] : found->second) trees[node] = tree;
  return trees;
}

bool has_same_trees(std::string const& certificate_detail, group_drift const& drift,
                    std::string const& table) {
  auto const detail = nodes::json::parse(certificate_detail, nullptr, false);
  if (!detail.is_object() || !detail.contains("trees") || !detail["trees"].is_object()) return false;
  auto const found = drift.trees.find(table);
  if (found == drift.trees.end() || detail["trees"].size() != found->second.size()) return false;
  for (auto const& [node, tree] : found->second)
    if (!detail["trees"].contains(node) || detail["trees"][node] != tree) return false;
  return true;
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
