#include "lib/migrate/controller/gates.hpp"

#include "lib/migrate/lookup/job.hpp"
#include "lib/migrate/nodes/json_text.hpp"
#include "lib/migrate/wave/flip.hpp"
#include "lib/protocol/names.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/catalog/certificate.hpp"
#include "shardway/catalog/client_registry.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

std::vector<std::string> relations_of(generation const& now, std::string const& group) {
  std::vector<std::string> relations;
  for (auto const& table : now.tables)
    if (table.manifest.group == group) relations.push_back(table.manifest.table);
  return relations;
}

std::string text_array(std::vector<std::string> const& values) {
  std::string sql = "ARRAY[";
  for (auto const& value : values) sql += (sql.size() > 6 ? ", " : "") + names::literal(value);
  return sql + "]::text[]";
}

gate verdict_of(std::string name, bool green, std::string detail, std::string fix) {
  return {.name = std::move(name),
          .green = green,
          .detail = std::move(detail),
          .fix = green ? std::string() : std::move(fix)};
}

/// Counts rows that stand in the way and describes the first ones.
result<gate> none_found(session& node, std::string name, std::string const& sql, std::string fix) {
  BOOST_OUTCOME_TRY(auto const found, node.query({.sql = sql}));
  std::string detail = node.identity().name + ": " + (found.empty() ? "none" : "");
  for (std::size_t i = 0; i < found.size() && i < 5; ++i)
    detail += (i ? "; " : "") + std::string(found.text(i, 0));
  return verdict_of(std::move(name), found.empty(), std::move(detail), std::move(fix));
}

gate stage_gate(gate_inputs const& in) {
  auto const* group = in.now.find_group(in.group);
  bool const green = group && (group->stage == stage::dual_writing || group->stage == stage::sharded);
  return verdict_of("stage", green,
                    "group " + in.group + " is in stage " + std::string(group ? name(group->stage) : "none"),
                    "shardway migrate advance --group " + in.group + " --to dual_writing");
}

gate stream_gate(std::string name, stream_state const& state, std::int64_t lag_max) {
  bool const green = state.is_running && state.is_connected && !state.failure && state.lag_bytes <= lag_max;
  std::string detail = state.stream + ": lag " + std::to_string(state.lag_bytes) + " bytes" +
                       (state.is_connected ? "" : ", not connected");
  if (state.failure) detail += ", stopped: " + state.failure->to_string();
  return verdict_of(std::move(name), green, std::move(detail),
                    "wait until the stream has caught up; `shardway migrate status` shows it");
}

void stream_gates(gate_inputs const& in, std::vector<gate>& gates) {
  for (std::size_t i = 0; i < in.nodes.shards.size(); ++i) {
    auto const shard = shard_id{static_cast<std::uint16_t>(i)};
    gates.push_back(stream_gate("stream", in.streams.stream(shard), in.options.lag_bytes_max));
    gates.push_back(stream_gate("mirror", in.streams.mirror(shard), in.options.lag_bytes_max));
  }
}

// X12: a row goes to the shard and its passing is seen on the source, through replication slot, decoder and
// apply.
result<> mirror_probe_gates(gate_inputs const& in, std::vector<gate>& gates) {
  for (std::size_t i = 0; i < in.nodes.shards.size(); ++i) {
    BOOST_OUTCOME_TRY(auto const id, wave::write_marker(*in.nodes.shards[i], "probe", in.token));
    auto const& name = in.now.migration.shards[i].name;
    auto const arrived =
        wave::await_marker(*in.nodes.source, name, id, steady_now() + std::chrono::seconds{5});
    if (!arrived && arrived.error().code() != error_code::stall_budget_spent) return arrived.error();
    gates.push_back(verdict_of(
        "mirror_proved", arrived.has_value(),
        name + (arrived ? ": a probe row arrived on the source" : ": a probe row did not arrive within 5 s"),
        "look at the mirror of " + name + " in `shardway migrate status`"));
  }
  return success();
}

result<> catalog_gates(gate_inputs const& in, std::vector<gate>& gates) {
  auto const relations = relations_of(in.now, in.group);
  auto& source = *in.nodes.source;
  BOOST_OUTCOME_TRY(auto copied,
                    none_found(source, "copy_closed",
                               "SELECT relation || ': ' || count(*) || ' chunks are not closed' FROM "
                               "shardway.chunk WHERE state <> 'closed' AND relation = ANY (" +
                                   text_array(relations) + ") GROUP BY relation",
                               "wait for the copy, or look at its failure in `shardway migrate status`"));
  gates.push_back(std::move(copied));
  BOOST_OUTCOME_TRY(auto const gaps, certificate_gaps(source, relations, in.options.certificate_age_max));
  std::string why;
  for (auto const& gap : gaps) why += (why.empty() ? "" : "; ") + gap.relation + ": " + gap.why;
  gates.push_back(verdict_of("certificates", gaps.empty(), why.empty() ? "every table was found equal" : why,
                             "shardway migrate verify --group " + in.group));
  BOOST_OUTCOME_TRY(auto const behind, clients_behind(source, in.now.number, in.options.client_expiry));
  std::string who;
  for (auto const& client : behind)
    who += (who.empty() ? "" : "; ") + client.application + " " + client.client_id + " on generation " +
           std::to_string(client.generation);
  gates.push_back(verdict_of("clients", behind.empty(),
                             who.empty() ? "all on generation " + std::to_string(in.now.number) : who,
                             "wait, or end the clients named; a dead one expires by itself"));
  return success();
}

result<> guard_gates(gate_inputs const& in, std::vector<gate>& gates) {
  std::vector<std::string> quoted;
  for (auto const& relation : relations_of(in.now, in.group)) quoted.push_back(names::quoted_table(relation));
  auto const relations = text_array(quoted);
  auto nodes = in.nodes.shards;
  nodes.insert(nodes.begin(), in.nodes.source);
  for (auto* node : nodes) {
    // A table, or a leaf of one (a new partition: S12), whose guard is missing, disabled, or only records.
    BOOST_OUTCOME_TRY(
        auto guarded,
        none_found(*node, "write_guard",
                   "SELECT r.oid::regclass::text || ' does not refuse foreign writers' FROM unnest(" +
                       relations +
                       ") AS wanted (name) JOIN LATERAL (SELECT wanted.name::regclass AS oid UNION SELECT "
                       "relid FROM pg_partition_tree(wanted.name::regclass)) r "
                       "ON true WHERE NOT EXISTS (SELECT 1 FROM pg_trigger t JOIN pg_proc p ON p.oid = "
                       "t.tgfoid WHERE t.tgrelid = r.oid "
                       "AND t.tgname = 'shardway_guard' AND t.tgenabled = 'A' AND p.proname = "
                       "'refuse_foreign_write')",
                   "shardway migrate guard --group " + in.group));
    gates.push_back(std::move(guarded));
    BOOST_OUTCOME_TRY(auto foreign,
                      none_found(*node, "foreign_writers",
                                 "SELECT relation || ' by ' || application_name || ' ' || count(*) || ' "
                                 "times' FROM shardway.foreign_write WHERE at > clock_timestamp() - " +
                                     std::to_string(in.options.foreign_quiet.count()) +
                                     " * interval '1 second' GROUP BY relation, application_name",
                                 "find the writers named and let them use the library"));
    gates.push_back(std::move(foreign));
  }
  return success();
}

result<> transaction_gates(gate_inputs const& in, std::vector<gate>& gates) {
  auto nodes = in.nodes.shards;
  nodes.insert(nodes.begin(), in.nodes.source);
  for (auto* node : nodes) {
    BOOST_OUTCOME_TRY(auto prepared,
                      none_found(*node, "prepared_transactions",
                                 "SELECT 'prepared by ' || owner || ' ' || round(extract(epoch FROM "
                                 "clock_timestamp() - prepared)::numeric) || ' s ago' FROM pg_prepared_xacts",
                                 "COMMIT PREPARED or ROLLBACK PREPARED them"));
    gates.push_back(std::move(prepared));
    BOOST_OUTCOME_TRY(
        auto old,
        none_found(*node, "old_transactions",
                   "SELECT 'pid ' || pid || ', application ' || application_name || ', ' || "
                   "round(extract(epoch FROM clock_timestamp() - xact_start)::numeric) || ' s' "
                   "FROM pg_stat_activity WHERE backend_type = 'client backend' AND backend_xid IS NOT NULL "
                   "AND xact_start < clock_timestamp() - " +
                       std::to_string(in.options.transaction_age_max.count()) + " * interval '1 second'",
                   "end the transactions named"));
    gates.push_back(std::move(old));
    BOOST_OUTCOME_TRY(auto parked,
                      none_found(*node, "parked", "SELECT relation || ': ' || reason FROM shardway.parked",
                                 "repair the rows named with `shardway reconcile`"));
    gates.push_back(std::move(parked));
  }
  return success();
}

result<> replica_gates(gate_inputs const& in, std::vector<gate>& gates) {
  auto const check = [&](session& node, node_definition const& definition) -> result<> {
    if (definition.replicas.empty()) return success();
    BOOST_OUTCOME_TRY(
        auto const count,
        node.query(
            {.sql = "SELECT count(*) FROM pg_stat_replication r WHERE r.state = 'streaming' AND NOT EXISTS "
                    "(SELECT 1 FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = "
                    "'logical')"}));
    BOOST_OUTCOME_TRY(auto const streaming, count.integer(0, 0));
    auto const wanted = static_cast<std::int64_t>(definition.replicas.size());
    gates.push_back(verdict_of(
        "replicas", streaming >= wanted,
        definition.name + ": " + std::to_string(streaming) + " of " + std::to_string(wanted) + " stream",
        "bring the replicas of " + definition.name + " back"));
    return success();
  };
  BOOST_OUTCOME_TRYV(check(*in.nodes.source, in.now.migration.source));
  for (std::size_t i = 0; i < in.nodes.shards.size(); ++i) {
    BOOST_OUTCOME_TRYV(check(*in.nodes.shards[i], in.now.migration.shards[i]));
  }
  return success();
}

// X10: every sequence behind the tables' interleaved ids steps by the stride.
result<> sequence_gate(gate_inputs const& in, std::vector<gate>& gates) {
  std::string wrong;
  for (auto const& table : in.now.tables) {
    if (table.manifest.group != in.group || table.manifest.ids != id_strategy_kind::interleaved) continue;
    for (auto* node : in.nodes.shards) {
      BOOST_OUTCOME_TRY(
          auto const found,
          node->query({.sql = "SELECT s.seqrelid::regclass::text FROM pg_depend d JOIN pg_sequence s ON "
                              "s.seqrelid = d.objid WHERE d.classid = 'pg_class'::regclass "
                              "AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::regclass AND "
                              "d.deptype IN ('a', 'i') AND s.seqincrement <> $2::int8",
                       .parameters = {names::quoted_table(table.manifest.table),
                                      std::to_string(table.manifest.id_stride)}}));
      for (std::size_t i = 0; i < found.size(); ++i)
        wrong += (wrong.empty() ? "" : "; ") + node->identity().name + ": " + std::string(found.text(i, 0));
    }
  }
  gates.push_back(verdict_of("sequences", wrong.empty(),
                             wrong.empty() ? "interleaved" : wrong + " does not step by the stride",
                             "shardway migrate advance --group " + in.group + " --to dual_writing"));
  return success();
}

}  // namespace

result<std::vector<gate>> wave_gates(gate_inputs const& in, wave_direction direction) {
  std::vector<gate> gates;
  gates.push_back(stage_gate(in));
  stream_gates(in, gates);
  BOOST_OUTCOME_TRYV(transaction_gates(in, gates));
  BOOST_OUTCOME_TRYV(mirror_probe_gates(in, gates));
  if (direction == wave_direction::back)
    return gates;  // a way back asks for a healthy mirror, not for a new proof (X11)
  BOOST_OUTCOME_TRYV(catalog_gates(in, gates));
  BOOST_OUTCOME_TRYV(guard_gates(in, gates));
  BOOST_OUTCOME_TRYV(replica_gates(in, gates));
  BOOST_OUTCOME_TRYV(sequence_gate(in, gates));
  BOOST_OUTCOME_TRYV(lookup_gate(in, gates));
  return gates;
}

std::string to_json(std::vector<gate> const& gates) {
  return nodes::json_array(gates, [](gate const& one) {
    return nodes::json_object()
        .text("name", one.name)
        .boolean("green", one.green)
        .text("detail", one.detail)
        .text("fix", one.fix)
        .str();
  });
}

result<> require_green(std::vector<gate> const& gates) {
  std::string red, fixes;
  for (auto const& one : gates)
    if (!one.green) {
      red += (red.empty() ? "" : " | ") + one.name + ": " + one.detail;
      fixes += (fixes.empty() ? "" : " | ") + one.fix;
    }
  if (red.empty()) return success();
  return error(error_code::gate_red, "the wave is refused: " + red, fixes);
}

result<> lookup_gate(gate_inputs const& in, std::vector<gate>& gates) {
  std::string building, names;
  for (auto const& table : in.now.tables) {
    if (table.manifest.group != in.group) continue;
    for (auto const& lookup : table.manifest.lookups) {
      auto const name = table.manifest.table + " " + lookup.name;
      BOOST_OUTCOME_TRY(bool const ready, lookup::is_lookup_ready(*in.nodes.source, {&table, &lookup}));
      names += (names.empty() ? "" : ", ") + name;
      if (!ready) building += (building.empty() ? "" : ", ") + name;
    }
  }
  if (names.empty()) return success();
  bool const green = building.empty();
  gates.push_back({.name = "lookups",
                   .green = green,
                   .detail = green ? "complete: " + names : "not complete: " + building,
                   .fix = green ? "" : "shardway lookup build, for each"});
  return success();
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
