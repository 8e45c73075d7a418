// Interleaved ids (X10): each node's sequences step by the stride and keep their own remainder, above every
// id there was.
#include <algorithm>
#include <limits>
#include <optional>

#include "lib/catalog/guarded.hpp"
#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/id_block.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"
#include "shardway/route/slot_in_id.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

// Fewer would be used up soon: a smallint key divided by the stride has some hundred (AS26).
constexpr std::int64_t ids_min = 100'000;

struct id_sequence {
  std::string table, column, sequence;  // quoted
  std::int64_t increment{}, maximum{}, last{};
  std::int64_t own_increment{};  // before we changed it: the application may take that many ids at once
  std::int64_t step(std::uint32_t stride) const { return own_increment * std::int64_t{stride}; }
};

// Owned by the column (serial, identity), used by its default, or named in the text of the default, of a
// function that the default calls, or of a trigger's function (AS5). A trigger's sequence is taken for that
// of the first key column. A name without a schema is looked for in the table's.
constexpr std::string_view sequences_sql = R"sql(,
  relations AS (SELECT c.oid, quote_ident(n.nspname) AS schema FROM ours JOIN pg_class c USING (oid)
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ours.oid = ours.root),
  texts AS (
    SELECT f.adrelid AS relation, f.adnum AS attnum, pg_get_expr(f.adbin, f.adrelid) AS body, r.schema
    FROM pg_attrdef f JOIN relations r ON r.oid = f.adrelid
    UNION ALL SELECT f.adrelid, f.adnum, p.prosrc, r.schema
    FROM pg_attrdef f JOIN relations r ON r.oid = f.adrelid JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass
      AND d.objid = f.oid AND d.refclassid = 'pg_proc'::regclass JOIN pg_proc p ON p.oid = d.refobjid
    UNION ALL SELECT t.tgrelid, i.indkey[0], p.prosrc, r.schema
    FROM pg_trigger t JOIN relations r ON r.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
      JOIN pg_index i ON i.indrelid = t.tgrelid AND i.indisprimary WHERE NOT t.tgisinternal),
  named AS (
    SELECT t.relation, t.attnum, t.schema, m[1] AS name FROM texts t CROSS JOIN LATERAL regexp_matches(t.body,
      $re$nextval\s*\(\s*\(?\s*'((?:[A-Za-z_][A-Za-z0-9_$]*|"(?:[^"']|"")+")(?:\.(?:[A-Za-z_][A-Za-z0-9_$]*|"(?:[^"']|"")+"))?)'$re$,
      'gi') m),
  used AS (
    SELECT d.refobjid AS relation, d.refobjsubid AS attnum, d.objid AS sequence FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
      AND d.deptype IN ('a', 'i')
    UNION SELECT f.adrelid, f.adnum, d.refobjid FROM pg_attrdef f JOIN pg_depend d
      ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
    UNION SELECT n.relation, n.attnum, coalesce(to_regclass(n.name), to_regclass(n.schema || '.' || n.name))::oid
    FROM named n)
  SELECT DISTINCT quote_ident(a.attname), format('%I.%I', n.nspname, c.relname), s.seqincrement,
    least(s.seqmax, CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647
      ELSE 9223372036854775807 END), a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
  FROM used JOIN relations r ON r.oid = used.relation JOIN pg_sequence s ON s.seqrelid = used.sequence
    JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = used.relation AND a.attnum = used.attnum ORDER BY 2)sql";

result<std::int64_t> single_number(session& node, std::string sql) {
  BOOST_OUTCOME_TRY(auto const found, node.query({std::move(sql)}));
  return found.integer(0, 0);
}

// What the sequence stepped by before this migration changed it, which is written down on the source.
result<std::int64_t> own_increment(session& node, std::string const& sequence, std::int64_t now) {
  BOOST_OUTCOME_TRY(auto const table,
                    node.query({"SELECT to_regclass('shardway.sequence_increment') IS NOT NULL"}));
  if (!table.boolean(0, 0)) return now;
  BOOST_OUTCOME_TRY(
      auto const found,
      node.query({"SELECT increment FROM shardway.sequence_increment WHERE sequence = $1", {sequence}}));
  if (found.empty()) return now;
  return found.integer(0, 0);
}

result<std::vector<id_sequence>> read_sequences(session& node, table_state const& table) {
  BOOST_OUTCOME_TRY(auto const found,
                    node.query({std::string(ours_cte) + std::string(sequences_sql), {table_array({table})}}));
  std::vector<id_sequence> out;
  for (std::size_t row = 0; row < found.size(); ++row) {
    id_sequence one{names::quoted_table(table.manifest.table), std::string(found.text(row, 0)),
                    std::string(found.text(row, 1))};
    if (!found.boolean(row, 4)) one.column.clear();  // no number column: a text is made of it
    BOOST_OUTCOME_TRY(one.increment, found.integer(row, 2));
    BOOST_OUTCOME_TRY(one.maximum, found.integer(row, 3));
    BOOST_OUTCOME_TRY(one.last, single_number(node, "SELECT last_value FROM " + one.sequence));
    BOOST_OUTCOME_TRY(one.own_increment, own_increment(node, one.sequence, one.increment));
    out.push_back(std::move(one));
  }
  return out;
}

error id_error(session& node, id_sequence const& sequence, std::string const& what) {
  return error{error_code::precondition_failed,
               "sequence " + sequence.sequence + " of " + sequence.table + '.' + sequence.column + ' ' + what,
               "widen the column, lower ids.stride, or use external ids in the manifest"}
      .at_node(node.identity().name);
}

std::string restart_sql(id_sequence const& sequence, std::int64_t step, std::int64_t value) {
  return "ALTER SEQUENCE " + sequence.sequence + " INCREMENT BY " + std::to_string(step) + " RESTART WITH " +
         std::to_string(value) + ";\n";
}

// In the transaction that changes the increment, so that the way back knows it. What was recorded first
// stays.
std::string remember_increment_sql(id_sequence const& sequence, std::string const& relation) {
  return sequence_increment_sql() +
         "INSERT INTO shardway.sequence_increment (sequence, relation, increment) SELECT " +
         names::literal(sequence.sequence) + ", " + names::literal(relation) +
         ", seqincrement FROM pg_catalog.pg_sequence WHERE seqrelid = " + names::literal(sequence.sequence) +
         "::regclass ON CONFLICT DO NOTHING;\n";
}

bool is_interleaved(id_sequence const& sequence, std::int64_t step, std::int64_t remainder) {
  return sequence.increment == step && sequence.last % step == remainder;
}

result<std::int64_t> highest_value(session& node, id_sequence const& sequence) {
  if (sequence.column.empty()) return std::int64_t{0};
  return single_number(node, "SELECT coalesce(max(" + sequence.column + "), 0) FROM " + sequence.table);
}

// The room each node would have, said in figures before anything changes.
result<> check_room(session& node, id_sequence const& sequence, std::uint32_t stride, std::int64_t highest,
                    onboard_options const& options) {
  auto const step = sequence.step(stride);
  auto const first = std::max(highest, sequence.last) / step * step + step + options.id_margin;
  auto const room = sequence.maximum > first ? (sequence.maximum - first) / step * sequence.own_increment : 0;
  if (room >= ids_min) return success();
  return id_error(node, sequence,
                  "has no room for interleaved ids: each node would have " + std::to_string(room) +
                      " (from " + std::to_string(first) + " to " + std::to_string(sequence.maximum) +
                      ", in steps of " + std::to_string(step) + "), at least " + std::to_string(ids_min) +
                      " are asked for");
}

result<> check_sequence(session& node, id_sequence const& sequence, std::uint32_t stride,
                        onboard_options const& options) {
  if (is_interleaved(sequence, sequence.step(stride), 0) && sequence.increment != sequence.own_increment)
    return success();
  if (sequence.increment < 1) return id_error(node, sequence, "counts down; interleaved ids count up");
  if (sequence.sequence.find("$shardway$") != sequence.sequence.npos)
    return id_error(node, sequence, "has a name that ends the quotes it stands in");
  BOOST_OUTCOME_TRY(auto const highest, highest_value(node, sequence));
  return check_room(node, sequence, stride, highest, options);
}

// ALTER SEQUENCE waits for transactions that took ids, and its lock keeps new ones out. So the value that is
// read after it is the last id given. The column's maximum is read earlier, outside the lock: ids that the
// sequence has given since then are below its value. An application that takes `own_increment` ids with one
// value keeps its blocks: all values are multiples of it, and no other node gives one in between.
result<> interleave_source(session& node, std::string const& relation, id_sequence const& sequence,
                           std::uint32_t stride, onboard_options const& options) {
  if (is_interleaved(sequence, sequence.step(stride), 0) && sequence.increment != sequence.own_increment)
    return success();
  BOOST_OUTCOME_TRYV(check_sequence(node, sequence, stride, options));
  BOOST_OUTCOME_TRY(auto const highest, highest_value(node, sequence));
  auto const step = std::to_string(sequence.step(stride));
  auto const sql =
      remember_increment_sql(sequence, relation) + "ALTER SEQUENCE " + sequence.sequence + " INCREMENT BY " +
      step + ";\nDO $shardway$ BEGIN EXECUTE pg_catalog.format('ALTER SEQUENCE %s RESTART WITH %s', " +
      names::literal(sequence.sequence) + ", ((greatest((SELECT last_value FROM " + sequence.sequence +
      "), " + std::to_string(highest) + ") + " + std::to_string(options.id_margin) + ") / " + step +
      " + 1) * " + step + "); END $shardway$";
  return run_ddl(node, sql, sequence.sequence, options);
}

result<> interleave_shard(session& node, id_sequence const& on_source, std::uint32_t stride,
                          std::size_t index, onboard_options const& options) {
  auto here = on_source;
  BOOST_OUTCOME_TRY(auto const found,
                    node.query({"SELECT seqincrement FROM pg_sequence WHERE seqrelid = to_regclass($1)",
                                {on_source.sequence}}));
  if (found.empty()) return id_error(node, on_source, "is not on this shard");
  BOOST_OUTCOME_TRY(here.increment, found.integer(0, 0));
  BOOST_OUTCOME_TRY(here.last, single_number(node, "SELECT last_value FROM " + on_source.sequence));
  auto const step = on_source.step(stride);
  auto const remainder = (static_cast<std::int64_t>(index) + 1) * on_source.own_increment;
  if (is_interleaved(here, step, remainder)) return success();
  return run_ddl(node, restart_sql(on_source, step, on_source.last / step * step + remainder),
                 on_source.sequence, options);
}

// Ids that come from elsewhere: what the sequences give all the same does not begin at 1 again.
result<> raise_on_shard(session& node, id_sequence const& on_source, onboard_options const& options) {
  BOOST_OUTCOME_TRY(
      auto const found,
      node.query({"SELECT 1 FROM pg_sequence WHERE seqrelid = to_regclass($1)", {on_source.sequence}}));
  if (found.empty() || on_source.increment < 1) return success();
  BOOST_OUTCOME_TRY(auto const last, single_number(node, "SELECT last_value FROM " + on_source.sequence));
  if (last >= on_source.last) return success();
  return run_ddl(node,
                 "SELECT pg_catalog.setval(" + names::literal(on_source.sequence) +
                     "::pg_catalog.regclass, " + std::to_string(on_source.last) + ")",
                 on_source.sequence, options);
}

result<std::vector<id_sequence>> interleaved_sequences(onboard_node const& source, std::size_t shard_count,
                                                       table_state const& table) {
  auto const stride = table.manifest.id_stride;
  if (stride <= shard_count)
    return error{error_code::invalid_argument, "id_stride of " + table.manifest.table +
                                                   " must be above the number of shards, " +
                                                   std::to_string(shard_count)};
  BOOST_OUTCOME_TRY(auto found, read_sequences(*source.node, table));
  if (found.empty())
    return error{error_code::precondition_failed,
                 "table " + table.manifest.table + " has no sequence to interleave",
                 "use external ids in the manifest"};
  return found;
}

result<> prepare_table(onboard_node const& source, std::vector<onboard_node> const& shards,
                       table_state const& table, onboard_options const& options) {
  auto const stride = table.manifest.id_stride;
  BOOST_OUTCOME_TRY(auto const before, interleaved_sequences(source, shards.size(), table));
  for (auto const& one : before) {
    BOOST_OUTCOME_TRYV(interleave_source(*source.node, table.manifest.table, one, stride, options));
  }
  BOOST_OUTCOME_TRY(auto const after, read_sequences(*source.node, table));
  for (std::size_t i = 0; i < shards.size(); ++i) {
    for (auto const& one : after) {
      BOOST_OUTCOME_TRYV(interleave_shard(*shards[i].node, one, stride, i, options));
    }
  }
  return success();
}

result<> raise_sequences(onboard_node const& source, std::vector<onboard_node> const& shards,
                         table_state const& table, onboard_options const& options) {
  BOOST_OUTCOME_TRY(auto const sequences, read_sequences(*source.node, table));
  for (auto const& shard : shards) {
    for (auto const& one : sequences) {
      BOOST_OUTCOME_TRYV(raise_on_shard(*shard.node, one, options));
    }
  }
  return success();
}

error block_error(session& node, table_manifest const& table, std::string what, std::string hint) {
  return error{error_code::precondition_failed, "ids of " + table.table + ": " + std::move(what),
               std::move(hint)}
      .at_node(node.identity().name);
}

// The highest id a key column of this type can have; nothing if it is no integer.
std::optional<std::int64_t> highest_of(std::string_view type) {
  if (type == "bigint") return std::numeric_limits<std::int64_t>::max();
  if (type == "integer") return std::numeric_limits<std::int32_t>::max();
  if (type == "smallint") return std::numeric_limits<std::int16_t>::max();
  return std::nullopt;
}

// The highest id among the rows and among those that the column's sequences have given.
result<std::int64_t> highest_id(session& node, table_state const& table) {
  auto const column = names::quoted(table.manifest.key.front());
  auto const sql =
      "SELECT coalesce(max(" + column + "), 0) FROM " + names::quoted_table(table.manifest.table);
  BOOST_OUTCOME_TRY(auto highest, single_number(node, sql));
  BOOST_OUTCOME_TRY(auto const sequences, read_sequences(node, table));
  for (auto const& one : sequences)
    if (one.column == column || '"' + one.column + '"' == column) highest = std::max(highest, one.last);
  return highest;
}

// If a row's id carried a slot other than its shard key's, a read by id would go to the wrong place.
result<> check_slots_in_ids(session& node, table_state const& table) {
  auto const id = "t." + names::quoted(table.manifest.key.front());
  BOOST_OUTCOME_TRY(
      auto const wrong,
      node.query({"SELECT 1 FROM " + names::quoted_table(table.manifest.table) + " t WHERE " + id +
                  " < 4096 OR (" + id + " & 4095) <> " + slot_expression(table, "t.") + " LIMIT 1"}));
  if (wrong.empty()) return success();
  return block_error(
      node, table.manifest,
      "a row's id does not carry the slot of its shard key, as strategy SLOT says of every row",
      "use LEASED, or give such rows new ids first");
}

result<> prepare_block(session& node, table_state const& table, onboard_options const& options) {
  auto const& manifest = table.manifest;
  bool const carries_slot = manifest.ids == id_strategy_kind::slot;
  auto const last =
      manifest.key.size() == 1 ? highest_of(type_of(table, manifest.key.front())) : std::nullopt;
  if (!last || (carries_slot && *last != std::numeric_limits<std::int64_t>::max()))
    return block_error(node, manifest,
                       carries_slot ? "strategy SLOT needs a primary key of one bigint column"
                                    : "strategy LEASED needs a primary key of one integer column",
                       "use external ids in the manifest");
  if (carries_slot) {
    BOOST_OUTCOME_TRYV(check_slots_in_ids(node, table));
  }
  BOOST_OUTCOME_TRY(auto const highest, highest_id(node, table));
  auto const margin = std::int64_t{options.id_margin};
  if (!carries_slot && highest > *last - margin - 1)
    return block_error(node, manifest,
                       "no room is left above the highest id: " + std::to_string(highest) + " of " +
                           std::to_string(*last) + ", less a margin of " + std::to_string(margin),
                       "widen the column");
  auto const first = carries_slot ? (highest >> id_slot_bits) + 1 : highest + margin + 1;
  auto const raise = raise_id_block_statement(manifest.table, first, carries_slot ? id_sequence_max : *last);
  BOOST_OUTCOME_TRYV(run_guarded(node, options.token, {raise}));
  return success();
}

}  // namespace

result<> prepare_id_blocks(onboard_node const& source, std::vector<table_state> const& tables,
                           onboard_options const& options) {
  for (auto const& table : tables) {
    bool const has_block =
        table.manifest.ids == id_strategy_kind::leased || table.manifest.ids == id_strategy_kind::slot;
    if (has_block) {
      BOOST_OUTCOME_TRYV(prepare_block(*source.node, table, options));
    }
  }
  return success();
}

result<> prepare_ids(onboard_node const& source, std::vector<onboard_node> const& shards,
                     std::vector<table_state> const& tables, onboard_options const& options) {
  for (auto const& table : tables) {
    BOOST_OUTCOME_TRYV(table.manifest.ids == id_strategy_kind::interleaved
                           ? prepare_table(source, shards, table, options)
                           : raise_sequences(source, shards, table, options));
  }
  return success();
}

result<> check_id_room(onboard_node const& source, std::size_t shard_count,
                       std::vector<table_state> const& tables, onboard_options const& options) {
  for (auto const& table : tables) {
    if (table.manifest.ids != id_strategy_kind::interleaved) continue;
    BOOST_OUTCOME_TRY(auto const sequences, interleaved_sequences(source, shard_count, table));
    for (auto const& one : sequences) {
      BOOST_OUTCOME_TRYV(check_sequence(*source.node, one, table.manifest.id_stride, options));
    }
  }
  return success();
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
