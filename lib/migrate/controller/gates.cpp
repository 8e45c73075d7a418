#include "lib/migrate/controller/gates.hpp"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "lib/migrate/controller/doctor.hpp"
#include "lib/migrate/controller/schema_gate.hpp"
#include "lib/migrate/lookup/job.hpp"
#include "lib/migrate/onboard/missing.hpp"
#include "lib/migrate/wave/flip.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/catalog/certificate.hpp"
#include "shardway/catalog/client_registry.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

using gates = std::vector<gate>;

gate verdict_of(std::string name, bool green, std::string detail, std::string fix) {
  return {.name = std::move(name),
          .green = green,
          .detail = std::move(detail),
          .fix = green ? std::string() : std::move(fix)};
}

/// Green if the query finds no row; else column 0 of the first rows says what is in the way.
result<gate> none_found(session& node, std::string name, statement const& query, std::string fix) {
  constexpr std::size_t shown_max = 5;
  BOOST_OUTCOME_TRY(auto const found, node.query(query));
  std::vector<std::string> shown;
  for (std::size_t row = 0; row < std::min(found.size(), shown_max); ++row)
    shown.emplace_back(found.text(row, 0));
  auto detail = absl::StrCat(node.identity().name, ": ", found.empty() ? "none" : absl::StrJoin(shown, "; "));
  return verdict_of(std::move(name), found.empty(), std::move(detail), std::move(fix));
}

std::vector<std::string> relations_of(gate_inputs const& inputs) {
  std::vector<std::string> relations;
  for (auto const& table : inputs.current.tables)
    if (table.manifest.group == inputs.group) relations.push_back(table.manifest.table);
  return relations;
}

std::vector<session*> source_then_shards(node_sessions const& sessions) {
  auto nodes = sessions.shards;
  nodes.insert(nodes.begin(), sessions.source);
  return nodes;
}

std::vector<shard_id> shards_of(gate_inputs const& inputs) {
  std::vector<shard_id> shards;
  for (std::size_t i = 0; i < inputs.sessions.shards.size(); ++i)
    shards.push_back(shard_id{static_cast<std::uint16_t>(i)});
  return shards;
}

/// Adds the gate that `check` gives for each node, the source first.
template <class Check>
result<> on_each_node(gate_inputs const& inputs, gates& found, Check const& check) {
  for (auto* node : source_then_shards(inputs.sessions)) {
    BOOST_OUTCOME_TRY(auto one, check(*node));
    found.push_back(std::move(one));
  }
  return success();
}

result<> stage_gate(gate_inputs const& inputs, gates& found) {
  auto const* group = inputs.current.find_group(inputs.group);
  bool const green = group && (group->stage == stage::dual_writing || group->stage == stage::sharded);
  found.push_back(verdict_of(
      "stage", green,
      absl::StrCat("group ", inputs.group, " is in stage ", std::string(group ? name(group->stage) : "none")),
      absl::StrCat("shardway migrate advance --group ", inputs.group, " --to dual_writing")));
  return success();
}

gate stream_gate(std::string name, stream_state const& state, std::int64_t lag_max) {
  bool const green = state.is_running && state.is_connected && !state.failure && state.lag_bytes <= lag_max;
  auto detail = absl::StrCat(state.stream, ": lag ", state.lag_bytes, " bytes",
                             state.is_connected ? "" : ", not connected");
  if (state.failure) absl::StrAppend(&detail, ", stopped: ", state.failure->to_string());
  return verdict_of(std::move(name), green, std::move(detail),
                    "wait until the stream has caught up; `shardway migrate status` shows it");
}

result<> stream_gates(gate_inputs const& inputs, gates& found) {
  for (auto const shard : shards_of(inputs))
    found.push_back(stream_gate("stream", inputs.streams.stream(shard), inputs.options.lag_bytes_max));
  return success();
}

result<> mirror_gates(gate_inputs const& inputs, gates& found) {
  for (auto const shard : shards_of(inputs))
    found.push_back(stream_gate("mirror", inputs.streams.mirror(shard), inputs.options.lag_bytes_max));
  return success();
}

result<> prepared_transactions_gates(gate_inputs const& inputs, gates& found) {
  return on_each_node(inputs, found, [](session& node) {
    return none_found(node, "prepared_transactions",
                      {"SELECT 'prepared by ' || owner || ' ' || round(extract(epoch FROM "
                       "clock_timestamp() - prepared)::numeric) || ' s ago' FROM pg_prepared_xacts"},
                      "COMMIT PREPARED or ROLLBACK PREPARED them");
  });
}

result<> old_transactions_gates(gate_inputs const& inputs, gates& found) {
  return on_each_node(inputs, found, [&](session& node) {
    return none_found(
        node, "old_transactions",
        {"SELECT 'pid ' || pid || ', application ' || application_name || ', ' || "
         "round(extract(epoch FROM clock_timestamp() - xact_start)::numeric) || ' s' "
         "FROM pg_stat_activity WHERE backend_type = 'client backend' AND backend_xid IS NOT NULL "
         "AND xact_start < clock_timestamp() - $1::int8 * interval '1 second'",
         {std::to_string(inputs.options.transaction_age_max.count())}},
        "end the transactions named");
  });
}

result<> parked_gates(gate_inputs const& inputs, gates& found) {
  auto const relations = relations_of(inputs);
  return on_each_node(inputs, found, [&](session& node) {
    return none_found(
        node, "parked",
        {"SELECT relation || ': ' || reason FROM shardway.parked WHERE relation = ANY ($1::text[])",
         {text_array(relations)}},
        "repair the rows named with `shardway reconcile`");
  });
}

// AP10: keys that two nodes claim. A verification that finds the table equal takes the notes away.
result<> conflicts_gates(gate_inputs const& inputs, gates& found) {
  return on_each_node(inputs, found, [](session& node) {
    return none_found(
        node, "conflicts",
        {"SELECT relation || ': ' || reason || ', ' || count(*) || ' keys' FROM shardway.conflict "
         "GROUP BY relation, reason ORDER BY relation, reason"},
        "give one of the rows another key, then `shardway reconcile` and `shardway migrate verify`; "
        "shardway.conflict on the node has the digests of the keys");
  });
}

// X12: a row written on the shard has to arrive on the source, through replication slot, decoder and apply.
result<> mirror_probe_gates(gate_inputs const& inputs, gates& found) {
  for (std::size_t i = 0; i < inputs.sessions.shards.size(); ++i) {
    BOOST_OUTCOME_TRY(auto const id, wave::write_marker(*inputs.sessions.shards[i], "probe", inputs.token));
    auto const& shard = inputs.current.migration.shards[i].name;
    auto const arrived =
        wave::await_marker(*inputs.sessions.source, shard, id, steady_now() + std::chrono::seconds{5});
    if (!arrived && arrived.error().code() != error_code::stall_budget_spent) return arrived.error();
    found.push_back(
        verdict_of("mirror_proved", arrived.has_value(),
                   absl::StrCat(shard, arrived ? ": a probe row arrived on the source"
                                               : ": a probe row did not arrive within 5 s"),
                   absl::StrCat("look at the mirror of ", shard, " in `shardway migrate status`")));
  }
  return success();
}

result<> copy_closed_gate(gate_inputs const& inputs, gates& found) {
  BOOST_OUTCOME_TRY(auto copied,
                    none_found(*inputs.sessions.source, "copy_closed",
                               {"SELECT relation || ': ' || count(*) || ' chunks are not closed' FROM "
                                "shardway.chunk WHERE state <> 'closed' AND relation = ANY ($1::text[]) "
                                "GROUP BY relation",
                                {text_array(relations_of(inputs))}},
                               "wait for the copy, or look at its failure in `shardway migrate status`"));
  found.push_back(std::move(copied));
  return success();
}

// One reading serves the three: shape, publications, and what the certificates saw.
result<> schema_gates(gate_inputs const& inputs, gates& found) {
  BOOST_OUTCOME_TRY(auto drift, read_drift(inputs.sessions, inputs.current, {inputs.group}));
  add_paused_groups(drift, inputs.streams.paused_groups());
  auto const& of_group = drift[inputs.group];
  found.push_back(schema_gate(inputs.group, of_group));
  found.push_back(publication_gate(inputs.group, of_group));
  BOOST_OUTCOME_TRY(auto const gaps, tree_gaps(*inputs.sessions.source, relations_of(inputs), of_group));
  found.push_back(verdict_of("partitions", gaps.empty(),
                             gaps.empty() ? "as the certificates saw them" : absl::StrJoin(gaps, "; "),
                             "shardway migrate verify --group " + inputs.group));
  return success();
}

result<> certificates_gate(gate_inputs const& inputs, gates& found) {
  BOOST_OUTCOME_TRY(auto const gaps, certificate_gaps(*inputs.sessions.source, relations_of(inputs),
                                                      inputs.options.certificate_age_max));
  auto const append_gap = [](std::string* text, certificate_gap const& gap) {
    absl::StrAppend(text, gap.relation, ": ", gap.why);
  };
  found.push_back(
      verdict_of("certificates", gaps.empty(),
                 gaps.empty() ? "every table was found equal" : absl::StrJoin(gaps, "; ", append_gap),
                 "shardway migrate verify --group " + inputs.group));
  return success();
}

result<> clients_gate(gate_inputs const& inputs, gates& found) {
  BOOST_OUTCOME_TRY(auto const behind, clients_behind(*inputs.sessions.source, inputs.current.number,
                                                      inputs.options.client_expiry));
  auto const append_client = [](std::string* text, auto const& client) {
    absl::StrAppend(text, client.application, " ", client.client_id, " on generation ", client.generation);
  };
  found.push_back(verdict_of("clients", behind.empty(),
                             behind.empty() ? absl::StrCat("all on generation ", inputs.current.number)
                                            : absl::StrJoin(behind, "; ", append_client),
                             "wait, or end the clients named; a dead one expires by itself"));
  return success();
}

// A table, or a leaf of one (a new partition: S12), whose guard is missing, disabled, or only records.
constexpr char unguarded_sql[] =
    "SELECT r.oid::regclass::text || ' does not refuse foreign writers' FROM unnest($1::text[]) AS wanted "
    "(name) JOIN LATERAL (SELECT wanted.name::regclass AS oid UNION SELECT relid FROM "
    "pg_partition_tree(wanted.name::regclass)) r ON true WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN "
    "pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = r.oid AND t.tgname = 'shardway_guard' AND t.tgenabled = "
    "'A' AND p.proname = 'refuse_foreign_write')";

result<> write_guard_gates(gate_inputs const& inputs, gates& found) {
  auto quoted = relations_of(inputs);
  for (auto& relation : quoted) relation = names::quoted_table(relation);
  return on_each_node(inputs, found, [&](session& node) {
    return none_found(node, "write_guard", {unguarded_sql, {text_array(quoted)}},
                      "shardway migrate guard --group " + inputs.group);
  });
}

result<> foreign_writers_gates(gate_inputs const& inputs, gates& found) {
  return on_each_node(inputs, found, [&](session& node) {
    return none_found(
        node, "foreign_writers",
        {"SELECT relation || ' by ' || application_name || ' ' || sum(writes) || ' times' FROM "
         "(SELECT relation, application_name, 1 AS writes, at FROM shardway.foreign_write UNION "
         "ALL SELECT relation, application_name, write_count, last_at FROM "
         "shardway.foreign_writer) w GROUP BY relation, application_name HAVING max(at) > "
         "clock_timestamp() - $1::int8 * interval '1 second'",
         {std::to_string(inputs.options.foreign_quiet.count())}},
        "find the writers named and let them use the library");
  });
}

result<> replicas_of(session& node, node_definition const& definition, gates& found) {
  if (definition.replicas.empty()) return success();
  BOOST_OUTCOME_TRY(auto const count,
                    node.query({"SELECT count(*) FROM pg_stat_replication r WHERE r.state = 'streaming' AND "
                                "NOT EXISTS (SELECT 1 FROM pg_replication_slots s WHERE s.active_pid = r.pid "
                                "AND s.slot_type = 'logical')"}));
  BOOST_OUTCOME_TRY(auto const streaming, count.integer(0, 0));
  auto const wanted = static_cast<std::int64_t>(definition.replicas.size());
  found.push_back(verdict_of("replicas", streaming >= wanted,
                             absl::StrCat(definition.name, ": ", streaming, " of ", wanted, " stream"),
                             absl::StrCat("bring the replicas of ", definition.name, " back")));
  return success();
}

result<> replicas_gates(gate_inputs const& inputs, gates& found) {
  BOOST_OUTCOME_TRYV(replicas_of(*inputs.sessions.source, inputs.current.migration.source, found));
  for (std::size_t i = 0; i < inputs.sessions.shards.size(); ++i) {
    BOOST_OUTCOME_TRYV(replicas_of(*inputs.sessions.shards[i], inputs.current.migration.shards[i], found));
  }
  return success();
}

// The table's sequences on a shard that do not step by the stride.
result<std::vector<std::string>> wrong_sequences(session& shard, table_manifest const& table) {
  BOOST_OUTCOME_TRY(auto const rows,
                    shard.query({"SELECT s.seqrelid::regclass::text FROM pg_depend d JOIN pg_sequence s ON "
                                 "s.seqrelid = d.objid WHERE d.classid = 'pg_class'::regclass "
                                 "AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::regclass AND "
                                 "d.deptype IN ('a', 'i') AND s.seqincrement % $2::int8 <> 0",
                                 {names::quoted_table(table.table), std::to_string(table.id_stride)}}));
  std::vector<std::string> wrong;
  for (std::size_t row = 0; row < rows.size(); ++row)
    wrong.push_back(absl::StrCat(shard.identity().name, ": ", std::string(rows.text(row, 0))));
  return wrong;
}

// X10: every sequence behind the tables' interleaved ids steps by the stride.
result<> sequences_gate(gate_inputs const& inputs, gates& found) {
  std::vector<std::string> wrong;
  for (auto const& table : inputs.current.tables) {
    if (table.manifest.group != inputs.group || table.manifest.ids != id_strategy_kind::interleaved) continue;
    for (auto* shard : inputs.sessions.shards) {
      BOOST_OUTCOME_TRY(auto const more, wrong_sequences(*shard, table.manifest));
      wrong.insert(wrong.end(), more.begin(), more.end());
    }
  }
  found.push_back(
      verdict_of("sequences", wrong.empty(),
                 wrong.empty() ? "interleaved" : absl::StrJoin(wrong, "; ") + " does not step by the stride",
                 absl::StrCat("shardway migrate advance --group ", inputs.group, " --to dual_writing")));
  return success();
}

std::string shown(std::vector<onboard::missing_object> const& missing,
                  onboard::missing_object::kind_type kind) {
  constexpr std::size_t shown_max = 5;
  std::vector<std::string> names;
  std::size_t count = 0;
  for (auto const& object : missing)
    if (object.kind == kind && ++count <= shown_max) names.push_back(object.what);
  auto text = absl::StrJoin(names, "; ");
  if (count > shown_max) absl::StrAppend(&text, "; and ", count - shown_max, " more");
  return text;
}

// AS9: what a shard does not have is seen before it has authority. Views and rights of other roles are never
// carried: they are shown, and do not stop a wave.
result<> shard_schema_gates(gate_inputs const& inputs, gates& found) {
  using kind_type = onboard::missing_object::kind_type;
  std::vector<table_state> tables;
  for (auto const& table : inputs.current.tables)
    if (table.manifest.group == inputs.group) tables.push_back(table);
  for (auto* shard : inputs.sessions.shards) {
    BOOST_OUTCOME_TRY(auto const missing, onboard::missing_on_shard(*inputs.sessions.source, *shard,
                                                                    inputs.current.migration, tables));
    auto const& node = shard->identity().name;
    auto const keys = shown(missing, kind_type::foreign_key);
    found.push_back(verdict_of(
        "foreign_keys", keys.empty(), absl::StrCat(node, ": ", keys.empty() ? "none missing" : keys),
        "advance the group of the table that each leads to, or name it in drop_foreign_key of the manifest"));
    auto const others = shown(missing, kind_type::other);
    auto const behind = shown(missing, kind_type::left_behind);
    found.push_back(verdict_of("shard_schema", others.empty(),
                               absl::StrCat(node, ": ", others.empty() ? "none missing" : others,
                                            behind.empty() ? "" : "; not carried: ", behind),
                               "make them on the shard as on the source"));
  }
  return success();
}

// Only for groups with lookups. Each must be complete: clients find rows that have moved by them.
result<> lookups_gate(gate_inputs const& inputs, gates& found) {
  std::vector<std::string> all, incomplete;
  for (auto const& table : inputs.current.tables) {
    if (table.manifest.group != inputs.group) continue;
    for (auto const& lookup : table.manifest.lookups) {
      BOOST_OUTCOME_TRY(bool const ready,
                        lookup::is_lookup_ready(*inputs.sessions.source, {&table, &lookup}));
      all.push_back(table.manifest.table + " " + lookup.name);
      if (!ready) incomplete.push_back(all.back());
    }
  }
  if (all.empty()) return success();
  found.push_back(verdict_of("lookups", incomplete.empty(),
                             incomplete.empty() ? "complete: " + absl::StrJoin(all, ", ")
                                                : "not complete: " + absl::StrJoin(incomplete, ", "),
                             "shardway lookup build, for each"));
  return success();
}

// AS25: one gate for each failing finding that no manifest accepts. A check that could not be made fails.
result<> doctor_gates(gate_inputs const& inputs, gates& found) {
  std::size_t accepted = 0;
  bool is_red = false;
  for (auto const& one : inputs.findings) {
    if (one.level == finding_level::accepted) ++accepted;
    if (one.level != finding_level::fail) continue;
    is_red = true;
    found.push_back(verdict_of("doctor", false, describe(one), one.fix));
  }
  if (is_red) return success();
  found.push_back(verdict_of("doctor", true,
                             absl::StrCat("no finding fails, ", accepted, " accepted by the manifests"), ""));
  return success();
}

enum class needed_for : unsigned char {
  both_ways,  ///< a rollback needs a healthy mirror, and no new proof (X11)
  forward_only,
};

struct gate_check {
  result<> (*add)(gate_inputs const&, gates&);
  needed_for direction;
};

// In the order in which they are reported.
constexpr gate_check checks[] = {
    {stage_gate, needed_for::both_ways},
    {stream_gates, needed_for::both_ways},
    {mirror_gates, needed_for::both_ways},
    {prepared_transactions_gates, needed_for::both_ways},
    {old_transactions_gates, needed_for::both_ways},
    {parked_gates, needed_for::both_ways},
    {conflicts_gates, needed_for::both_ways},
    {mirror_probe_gates, needed_for::both_ways},
    {copy_closed_gate, needed_for::forward_only},
    {schema_gates, needed_for::forward_only},
    {certificates_gate, needed_for::forward_only},
    {clients_gate, needed_for::forward_only},
    {write_guard_gates, needed_for::forward_only},
    {foreign_writers_gates, needed_for::forward_only},
    {replicas_gates, needed_for::forward_only},
    {sequences_gate, needed_for::forward_only},
    {shard_schema_gates, needed_for::forward_only},
    {lookups_gate, needed_for::forward_only},
    {doctor_gates, needed_for::forward_only},
};

}  // namespace

result<std::vector<gate>> wave_gates(gate_inputs const& inputs, wave_direction direction) {
  gates found;
  for (auto const& check : checks) {
    if (direction == wave_direction::back && check.direction == needed_for::forward_only) continue;
    BOOST_OUTCOME_TRYV(check.add(inputs, found));
  }
  return found;
}

nodes::json to_json(std::vector<gate> const& found) {
  auto all = nodes::json::array();
  for (auto const& one : found)
    all.push_back({{"name", one.name}, {"green", one.green}, {"detail", one.detail}, {"fix", one.fix}});
  return all;
}

result<> require_green(std::vector<gate> const& found) {
  std::vector<std::string> red, fixes;
  for (auto const& one : found)
    if (!one.green) {
      red.push_back(one.name + ": " + one.detail);
      fixes.push_back(one.fix);
    }
  if (red.empty()) return success();
  return error(error_code::gate_red, "the wave is refused: " + absl::StrJoin(red, " | "),
               absl::StrJoin(fixes, " | "));
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
