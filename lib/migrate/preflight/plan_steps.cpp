#include "shardway/migrate/preflight/plan_steps.hpp"

#include <algorithm>

namespace shardway {
inline namespace v0 {

namespace {

struct group_tables {
  std::string name;
  bool is_reference{true};
  stage until{stage::observing};
  std::string tables;
};

std::vector<group_tables> groups_of(std::vector<table_manifest> const& tables) {
  std::vector<group_tables> out;
  for (auto const& table : tables) {
    auto checked =
        std::find_if(out.begin(), out.end(), [&](auto const& group) { return group.name == table.group; });
    if (checked == out.end())
      checked = out.insert(out.end(), group_tables{.name = table.group, .tables = {}});
    checked->is_reference = checked->is_reference && table.kind == table_kind::reference;
    checked->until = std::max(checked->until, table.stage_until);
    checked->tables += (checked->tables.empty() ? "" : ", ") + table.table;
  }
  return out;
}

std::string withdraw(group_tables const& group) { return "shardway migrate withdraw --group " + group.name; }

class step_list {
 public:
  void add(std::string id, std::string group, std::string actor, std::string what, std::string changes,
           std::string undo) {
    steps_.push_back({static_cast<int>(steps_.size()) + 1, std::move(id), std::move(group), std::move(actor),
                      std::move(what), std::move(changes), std::move(undo)});
  }
  std::vector<plan_step> take() { return std::move(steps_); }

 private:
  std::vector<plan_step> steps_;
};

void add_beginning(step_list& list, migration_manifest const& migration) {
  auto const shards = std::to_string(migration.shards.size());
  list.add("roles", "", "operator", "Create the roles on the source and on " + shards + " shards",
           "roles and grants only", "drop the roles");
  list.add("preflight", "", "operator", "Run the doctor until nothing fails", "nothing", "nothing to undo");
  list.add("install", "", "operator", "Install schema shardway on every node",
           "schema shardway; no lock on any table of yours", "shardway uninstall");
}

void add_copying(step_list& list, group_tables const& group) {
  list.add("schema", group.name, "controller", "Bring the definitions of " + group.tables + " to the shards",
           "new tables on shards; nothing on the source", withdraw(group));
  list.add("join", group.name, "controller", "Let the tables join the stream",
           "source: publication, recording triggers (SHARE ROW EXCLUSIVE for an instant, given up after the "
           "lock timeout and tried again),"
           " one replication slot",
           withdraw(group) + "; with the last group the replication slot goes too");
  list.add("copy", group.name, "controller", "Copy the rows in chunks and catch up",
           "reads on the source; rows on the shards", withdraw(group));
  list.add("finish", group.name, "controller",
           "Build secondary indexes, foreign keys and triggers on the shards",
           "shards only; CONCURRENTLY and NOT VALID", withdraw(group));
}

void add_moving(step_list& list, group_tables const& group) {
  list.add("ids", group.name, "controller", "Interleave the sequences",
           "source: ALTER SEQUENCE; nextval waits for one short transaction",
           withdraw(group) + " gives the old increments back");
  list.add("dual_write", group.name, "controller", "The library also writes to the shards",
           "source: one row a write in shardway.outbox", withdraw(group));
  list.add("verify", group.name, "controller", "Prove source and shards equal, table by table",
           "certificates in the catalog", "nothing to undo");
  list.add("guard", group.name, "operator", "Refuse writers that bypass the library",
           "every node: the recording triggers now refuse (SHARE"
           " ROW EXCLUSIVE for an instant)",
           "shardway migrate unguard --group " + group.name + ", while the source has authority");
  list.add("reverse", group.name, "controller", "Prepare the mirrors",
           "shards: publication and a replication slot each", withdraw(group));
  for (auto const* share : {"0.1 %", "1 %", "10 %", "100 %"})
    list.add(
        "wave", group.name, "operator", std::string("Move authority for ") + share + " of the slots",
        "writers of the range wait for the stall budget at most; reads never wait",
        "shardway wave rollback --group " + group.name + " --all, without loss while the mirror is in step");
}

void add_group(step_list& list, group_tables const& group) {
  if (group.until >= stage::copying) add_copying(list, group);
  if (group.is_reference) return;  // its authority stays on the source
  if (group.until >= stage::dual_writing) add_moving(list, group);
  if (group.until >= stage::finalized)
    list.add("finalize", group.name, "operator", "Take away the mirrors and the helpers",
             "shards: version column, reverse replication"
             " slot; the source's copy stays closed",
             "none: this cannot be undone");
}

}  // namespace

std::vector<plan_step> plan(migration_manifest const& migration, std::vector<table_manifest> const& tables) {
  step_list list;
  add_beginning(list, migration);
  for (auto const& group : groups_of(tables)) add_group(list, group);
  return list.take();
}

std::string plan_text(std::vector<plan_step> const& steps) {
  std::string out;
  for (auto const& step : steps)
    out += std::to_string(step.number) + ". " + step.id +
           (step.group.empty() ? "" : " (" + step.group + ')') + ", by the " + step.actor + "\n   " +
           step.what + "\n   changes: " + step.changes + "\n   undo: " + step.undo + "\n";
  return out;
}

}  // namespace v0
}  // namespace shardway
