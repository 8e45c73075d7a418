#include "lib/migrate/preflight/object_routine_rules.hpp"

#include <absl/container/flat_hash_map.h>
#include <absl/strings/match.h>
#include <absl/strings/str_join.h>

#include "lib/migrate/preflight/object_text.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

using absl::StrCat;

bool is_text(routine_object const& routine) {
  return !routine.is_of_extension && (routine.language == "sql" || routine.language == "plpgsql");
}

/// What a routine and all that it calls say together.
struct reading {
  std::set<std::string> written, read;  ///< relations of no manifest
  std::set<std::string> assigned;       ///< columns of NEW; of the routine itself
  std::set<std::string> unqualified;    ///< names that search_path decides, where no SET does
  std::set<std::string> node_local;
  std::set<std::string> unreadable;  ///< routines whose text is not known
  bool is_dynamic{}, notifies{};
};

/// Finds relations and routines by the names that texts have for them.
class text_index {
 public:
  explicit text_index(source_objects const& source) : source_(source) {
    for (auto const& relation : source.relations) relations_[relation.name].push_back(&relation);
    for (auto const& [identity, routine] : source.routines) routines_[routine.name].push_back(&routine);
  }

  reading read(std::string const& identity) const {
    reading out;
    std::set<std::string> seen;
    visit(identity, out, seen);
    return out;
  }
  // An unqualified name that search_path does not lead to may still be meant: each caller has its own.
  relation_object const* relation(object_name const& name, std::string const& search_path) const {
    auto const found = relations_.find(name.name);
    if (found == relations_.end()) return nullptr;
    auto const path = schemas_of_path(search_path);
    relation_object const* out = nullptr;
    for (auto const* one : found->second) {
      bool const fits = name.schema.empty()
                            ? path.empty() || std::count(path.begin(), path.end(), one->schema) > 0
                            : one->schema == name.schema;
      if (fits && (!out || one->is_ours)) out = one;
    }
    return out;
  }

 private:
  std::vector<routine_object const*> routines(object_name const& name) const {
    std::vector<routine_object const*> out;
    auto const found = routines_.find(name.name);
    if (found == routines_.end()) return out;
    for (auto const* one : found->second)
      if (name.schema.empty() || name.schema == one->schema) out.push_back(one);
    return out;
  }

  void visit(std::string const& identity, reading& out, std::set<std::string>& seen) const {
    auto const found = source_.routines.find(identity);
    if (found == source_.routines.end() || !seen.insert(identity).second) return;
    auto const& routine = found->second;
    if (!is_text(routine)) {
      if (!routine.is_of_extension) out.unreadable.insert(StrCat(identity, " in ", routine.language));
      return;
    }
    auto const body = read_body(routine.body);
    take_relations(body.written, routine, out.written, out);
    take_relations(body.read, routine, out.read, out);
    for (auto const& call : node_local_calls(body)) out.node_local.insert(call);
    if (seen.size() == 1) out.assigned = body.assigned;
    out.is_dynamic |= body.is_dynamic;
    out.notifies |= body.notifies;
    for (auto const& name : body.called) {
      auto const called = routines(name);
      if (!called.empty() && name.schema.empty() && routine.search_path.empty())
        out.unqualified.insert(name.name);
      for (auto const* one : called) visit(one->identity, out, seen);
    }
  }

  void take_relations(std::set<object_name> const& names, routine_object const& routine,
                      std::set<std::string>& target, reading& out) const {
    for (auto const& name : names) {
      auto const* one = relation(name, routine.search_path);
      if (!one) continue;
      if (name.schema.empty() && routine.search_path.empty()) out.unqualified.insert(name.name);
      if (!one->is_ours) target.insert(StrCat(one->schema, ".", one->name));
    }
  }

  source_objects const& source_;
  absl::flat_hash_map<std::string, std::vector<relation_object const*>> relations_;
  absl::flat_hash_map<std::string, std::vector<routine_object const*>> routines_;
};

std::string source_only(trigger_object const& trigger) {
  return fix::manifest(trigger.root, "triggers: SOURCE_ONLY");
}

std::string enabling(trigger_object const& trigger, std::string const& how) {
  return fix::sql(StrCat("ALTER TABLE ", trigger.quoted, " ", how, " TRIGGER ", names::quoted(trigger.name)));
}

// AS23. A trigger of a partition that is as its parent's is reported there. False: it can't be brought along.
bool judge_firing(trigger_object const& trigger, std::string const& subject, object_findings& out) {
  bool const has_parent = trigger.parent_enabled != ' ';
  if (has_parent && trigger.enabled == trigger.parent_enabled) return false;
  if (trigger.enabled == 'A' || trigger.enabled == 'R') {
    out.fail(
        "trigger_replica", subject,
        trigger.enabled == 'A'
            ? "it is ENABLE ALWAYS: it would run again for rows that the stream, a copy or a mirror writes"
            : "it is ENABLE REPLICA: it would run for rows that a mirror writes, and shards do not get it",
        enabling(trigger, "ENABLE"));
    return false;
  }
  if (!has_parent) return true;
  out.fail("trigger_state", subject,
           trigger.enabled == 'D'
               ? "it is off on this partition and on for its table: shards would have it on"
               : "it is on for this partition and off for its table: shards would have it off",
           enabling(trigger, trigger.enabled == 'D' ? "ENABLE" : "DISABLE"));
  return false;
}

void judge_constraint_trigger(object_manifests const& manifests, trigger_object const& trigger,
                              object_findings& out) {
  auto const* table = manifests.find(trigger.root);
  if (table &&
      std::count(table->drop_foreign_keys.begin(), table->drop_foreign_keys.end(), trigger.constraint) > 0)
    return;
  out.fail(
      "trigger_state", StrCat(trigger.constraint, " on ", trigger.table),
      "a trigger of this foreign key is not in its usual state: rows may break it here, and shards would "
      "refuse them",
      enabling(trigger, "ENABLE"));
}

bool is_lo_manage(trigger_object const& trigger) { return absl::EndsWith(trigger.function, "lo_manage()"); }

void judge_relations(trigger_object const& trigger, reading const& said, text_index const& index,
                     std::string const& subject, object_findings& out) {
  std::set<std::string> names = said.written;
  names.insert(said.read.begin(), said.read.end());
  for (auto const& argument : trigger.arguments) {
    auto const dot = argument.find('.');
    object_name const name = dot == std::string::npos
                                 ? object_name{{}, argument}
                                 : object_name{argument.substr(0, dot), argument.substr(dot + 1)};
    auto const* relation = index.relation(name, {});
    if (relation && !relation->is_ours) names.insert(StrCat(relation->schema, ".", relation->name));
  }
  if (names.empty()) return;
  out.fail("trigger_relation", subject,
           StrCat(said.written.empty() ? "it names " : "it writes ", absl::StrJoin(names, ", "),
                  ", which is in no manifest: on a shard each write that fires it would fail"),
           fix::any_of({source_only(trigger), "or write a manifest for that table too"}));
}

void judge_key_changes(object_manifests const& manifests, trigger_object const& trigger, reading const& said,
                       std::string const& subject, object_findings& out) {
  auto const* table = manifests.find(trigger.root);
  if (!table || !trigger.is_before_row) return;
  std::set<std::string> keys(table->key.begin(), table->key.end());
  keys.insert(table->shard_key.begin(), table->shard_key.end());
  std::vector<std::string> changed;
  for (auto const& column : said.assigned)
    if (column == "*" || keys.count(column) > 0) changed.push_back(column == "*" ? "the whole row" : column);
  if (changed.empty()) return;
  out.warn(
      "trigger_changes_key", subject,
      StrCat("it sets ", absl::StrJoin(changed, ", "),
             " before the row is written: a write is sent where the key that the application gave belongs"),
      fix::any_of({source_only(trigger), "and let the application set it itself"}));
}

void judge_effects(trigger_object const& trigger, reading const& said, std::string const& subject,
                   object_findings& out) {
  if (said.is_dynamic || !said.unreadable.empty())
    out.fail(
        "trigger_unknown", subject,
        said.is_dynamic
            ? std::string("it runs SQL that it puts together: what it writes cannot be known")
            : StrCat("it runs ", absl::StrJoin(said.unreadable, ", "), ": what that writes cannot be known"),
        fix::any_of({out.accepting("trigger_unknown", subject), source_only(trigger)}));
  if (said.notifies)
    out.warn("trigger_notify", subject,
             "it notifies: after the wave that happens on a shard, where nobody may listen",
             "let listeners connect to each shard");
  if (!said.node_local.empty())
    out.warn("node_local_value", subject,
             StrCat("it calls ", absl::StrJoin(said.node_local, ", "), ": its answers belong to one node"),
             out.accepting("node_local_value", subject));
  if (!said.unqualified.empty())
    out.warn("function_search_path", subject,
             StrCat("its function names ", absl::StrJoin(said.unqualified, ", "),
                    " without a schema: each caller's search_path decides what that is"),
             out.accepting("function_search_path", subject));
}

void judge_trigger(object_manifests const& manifests, trigger_object const& trigger, text_index const& index,
                   object_findings& out) {
  auto const subject = StrCat(trigger.name, " on ", trigger.table);
  if (trigger.is_internal) return judge_constraint_trigger(manifests, trigger, out);
  if (!judge_firing(trigger, subject, out)) return;
  if (is_lo_manage(trigger))
    out.fail("large_object", subject, "it manages large objects, which are not carried",
             fix::sql(StrCat("DROP TRIGGER ", names::quoted(trigger.name), " ON ", trigger.quoted)));
  auto const* table = manifests.find(trigger.root);
  if (table && table->triggers == trigger_policy::source_only) return;
  auto const said = index.read(trigger.function);
  judge_relations(trigger, said, index, subject, out);
  judge_key_changes(manifests, trigger, said, subject, out);
  judge_effects(trigger, said, subject, out);
}

// A copy, an index build or a check runs under the engine's search_path, and under none in maintenance.
void judge_evaluated(reached_object const& used, routine_object const& routine, reading const& said,
                     object_findings& out) {
  std::set<std::string> relations = said.written;
  relations.insert(said.read.begin(), said.read.end());
  if (!relations.empty())
    out.fail("function_relation", used.identity,
             StrCat("table ", used.user, " uses it (", absl::StrJoin(used.uses, ", "), "), and it names ",
                    absl::StrJoin(relations, ", "), ", which is in no manifest and not on shards"),
             fix::any_of({out.accepting("function_relation", used.identity),
                          "or write a manifest for that table too"}));
  if (said.unqualified.empty()) return;
  bool const is_default_only = used.uses.count("default") > 0 && used.uses.size() <= 2 &&
                               (used.uses.size() == 1 || used.uses.count("routine") > 0);
  out.add("function_search_path", is_default_only ? finding_level::warn : finding_level::fail, used.identity,
          StrCat("it names ", absl::StrJoin(said.unqualified, ", "),
                 " without a schema: where the engine or maintenance runs it, search_path leads elsewhere"),
          fix::sql(StrCat("ALTER FUNCTION ", used.identity,
                          " SET search_path = ", names::quoted(routine.schema), ", pg_catalog")));
}

}  // namespace

void judge_triggers(object_manifests const& manifests, source_objects const& source, object_findings& out) {
  text_index const index(source);
  for (auto const& trigger : source.triggers) {
    out.set_table(trigger.root);
    judge_trigger(manifests, trigger, index, out);
  }
  out.set_table({});
}

void judge_routines(source_objects const& source, object_findings& out) {
  text_index const index(source);
  for (auto const& one : source.reached) {
    if (one.catalog != "pg_proc" || !one.extension.empty()) continue;
    auto const found = source.routines.find(one.identity);
    if (found == source.routines.end()) continue;
    auto const& routine = found->second;
    if (routine.language == "c")
      out.add("c_function", one.is_optional() ? finding_level::warn : finding_level::fail, one.identity,
              "it is in a library of the server that no extension brings: each shard needs that file",
              fix::any_of(
                  {fix::sql(StrCat("SELECT probin FROM pg_proc WHERE oid = ", names::literal(one.identity),
                                   "::regprocedure")),
                   "bring this file to each shard, then", out.accepting("c_function", one.identity)}));
    auto uses = one.uses;
    for (auto const* use : {"routine", "schema", "trigger"}) uses.erase(use);
    if (uses.empty()) continue;
    auto const said = index.read(one.identity);
    judge_evaluated(one, routine, said, out);
    if (!said.node_local.empty())
      out.warn("node_local_value", one.identity,
               StrCat("it calls ", absl::StrJoin(said.node_local, ", "), ": its answers belong to one node"),
               out.accepting("node_local_value", one.identity));
    if (!said.unreadable.empty() || said.is_dynamic)
      out.warn("function_unknown", one.identity,
               StrCat("table ", one.user, " uses it, and what it reads cannot be known from its text"),
               out.accepting("function_unknown", one.identity));
  }
  for (auto const& one : source.defaults) {
    out.set_table(one.table);
    auto const calls = node_local_calls(read_body(one.detail));
    if (!calls.empty())
      out.warn("node_local_value", StrCat(one.table, ".", one.name),
               StrCat("its default calls ", absl::StrJoin(calls, ", "), ": its answers belong to one node"),
               out.accepting("node_local_value", StrCat(one.table, ".", one.name)));
  }
  out.set_table({});
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
