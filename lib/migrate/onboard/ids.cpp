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
#include "shardway/route/slot_in_id.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

struct id_sequence {
  std::string table, column, sequence;  // quoted
  std::int64_t increment{}, maximum{}, last{};
};

// Owned by the column (serial, identity), or used by its default.
constexpr std::string_view sequences_sql =
    " SELECT DISTINCT quote_ident(a.attname), format('%I.%I', n.nspname, c.relname), s.seqincrement, "
    "least(s.seqmax, CASE a.atttypid WHEN"
    " 'int2'::regtype THEN 32767"
    "  WHEN 'int4'::regtype THEN 2147483647 ELSE 9223372036854775807 END)"
    " FROM (SELECT d.refobjid AS relation, d.refobjsubid AS attnum, d.objid AS sequence FROM pg_depend d "
    "WHERE d.classid ="
    " 'pg_class'::regclass"
    "   AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')"
    "  UNION SELECT f.adrelid, f.adnum, d.refobjid FROM pg_attrdef f JOIN pg_depend d ON d.classid = "
    "'pg_attrdef'::regclass AND d.objid ="
    " f.oid"
    "   AND d.refclassid = 'pg_class'::regclass) used"
    " JOIN ours ON ours.oid = used.relation AND ours.oid = ours.root JOIN pg_sequence s ON s.seqrelid = "
    "used.sequence JOIN pg_class c ON"
    " c.oid = s.seqrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = used.relation AND "
    "a.attnum = used.attnum ORDER BY"
    " 2";

result<std::int64_t> single_number(session& node, std::string sql) {
  BOOST_OUTCOME_TRY(auto const found, node.query({std::move(sql)}));
  return found.integer(0, 0);
}

result<std::vector<id_sequence>> read_sequences(session& node, table_state const& table) {
  BOOST_OUTCOME_TRY(auto const found,
                    node.query({std::string(ours_cte) + std::string(sequences_sql), {table_array({table})}}));
  std::vector<id_sequence> out;
  for (std::size_t row = 0; row < found.size(); ++row) {
    id_sequence one{names::quoted_table(table.manifest.table), std::string(found.text(row, 0)),
                    std::string(found.text(row, 1))};
    BOOST_OUTCOME_TRY(one.increment, found.integer(row, 2));
    BOOST_OUTCOME_TRY(one.maximum, found.integer(row, 3));
    BOOST_OUTCOME_TRY(one.last, single_number(node, "SELECT last_value FROM " + one.sequence));
    out.push_back(std::move(one));
  }
  return out;
}

error id_error(session& node, id_sequence const& sequence, std::string const& what) {
  return error{error_code::precondition_failed,
               "sequence " + sequence.sequence + " of " + sequence.table + '.' + sequence.column + ' ' + what,
               "widen the column, or use external ids in the manifest"}
      .at_node(node.identity().name);
}

std::string restart_sql(id_sequence const& sequence, std::uint32_t stride, std::int64_t value) {
  return "ALTER SEQUENCE " + sequence.sequence + " INCREMENT BY " + std::to_string(stride) +
         " RESTART WITH " + std::to_string(value) + ";\n";
}

// ALTER SEQUENCE waits for transactions that took ids, and its lock keeps new ones out. So the value that is
// read after it is the last id given. The column's maximum is read earlier, outside the lock: ids that the
// sequence has given since then are below its value.
result<> interleave_source(session& node, id_sequence const& sequence, std::uint32_t stride,
                           onboard_options const& options) {
  if (sequence.increment == stride && sequence.last % stride == 0) return success();
  if (sequence.increment < 1) return id_error(node, sequence, "counts down; interleaved ids count up");
  if (sequence.sequence.find("$shardway$") != sequence.sequence.npos)
    return id_error(node, sequence, "has a name that ends the quotes it stands in");
  BOOST_OUTCOME_TRY(auto const highest, single_number(node, "SELECT coalesce(max(" + sequence.column +
                                                                "), 0) FROM " + sequence.table));
  if (std::max(highest, sequence.last) > sequence.maximum - options.id_margin - 4 * std::int64_t{stride})
    return id_error(node, sequence,
                    "has no room above its highest id for a margin of " + std::to_string(options.id_margin));
  auto const step = std::to_string(stride);
  auto const sql = "ALTER SEQUENCE " + sequence.sequence + " INCREMENT BY " + step +
                   ";\nDO $shardway$ BEGIN EXECUTE pg_catalog.format('ALTER"
                   " SEQUENCE %s RESTART WITH %s', " +
                   names::literal(sequence.sequence) + ", ((greatest((SELECT last_value FROM " +
                   sequence.sequence + "), " + std::to_string(highest) + ") + " +
                   std::to_string(options.id_margin) + ") / " + step + " + 1) * " + step +
                   "); END $shardway$";
  return run_ddl(node, sql, sequence.sequence, options);
}

result<> interleave_shard(session& node, id_sequence const& on_source, std::uint32_t stride,
                          std::size_t index, onboard_options const& options) {
  BOOST_OUTCOME_TRY(auto const found,
                    node.query({"SELECT seqincrement FROM pg_sequence WHERE seqrelid = to_regclass($1)",
                                {on_source.sequence}}));
  if (found.empty()) return id_error(node, on_source, "is not on this shard");
  BOOST_OUTCOME_TRY(auto const increment, found.integer(0, 0));
  BOOST_OUTCOME_TRY(auto const last, single_number(node, "SELECT last_value FROM " + on_source.sequence));
  auto const remainder = static_cast<std::int64_t>(index) + 1;
  if (increment == stride && last % stride == remainder) return success();
  return run_ddl(node, restart_sql(on_source, stride, on_source.last / stride * stride + remainder),
                 on_source.sequence, options);
}

result<> prepare_table(onboard_node const& source, std::vector<onboard_node> const& shards,
                       table_state const& table, onboard_options const& options) {
  auto const stride = table.manifest.id_stride;
  if (stride <= shards.size())
    return error{error_code::invalid_argument, "id_stride of " + table.manifest.table +
                                                   " must be above the number of shards, " +
                                                   std::to_string(shards.size())};
  BOOST_OUTCOME_TRY(auto const before, read_sequences(*source.node, table));
  if (before.empty())
    return error{error_code::precondition_failed,
                 "table " + table.manifest.table + " has no sequence to interleave",
                 "use external ids in the manifest"};
  for (auto const& one : before) {
    BOOST_OUTCOME_TRYV(interleave_source(*source.node, one, stride, options));
  }
  BOOST_OUTCOME_TRY(auto const after, read_sequences(*source.node, table));
  for (std::size_t i = 0; i < shards.size(); ++i) {
    for (auto const& one : after) {
      BOOST_OUTCOME_TRYV(interleave_shard(*shards[i].node, one, stride, i, options));
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
    return block_error(node, manifest, "no room is left above the highest id", "widen the column");
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
    if (table.manifest.ids == id_strategy_kind::interleaved) {
      BOOST_OUTCOME_TRYV(prepare_table(source, shards, table, options));
    }
  }
  return success();
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
