// Repairs, each a one-key chunk: look at the target, take a snapshot on the authority that shows all the stream had applied, compare and set.
#include <algorithm>
#include <thread>

#include "lib/migrate/flip.hpp"
#include "lib/migrate/verify_nodes.hpp"
#include "shardway/protocol/column_lists.hpp"
#include "shardway/catalog/certificate.hpp"
#include "shardway/migrate/verify.hpp"
#include "shardway/pg/connect.hpp"
#include "shardway/protocol/progress.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::steady_clock;

/// A row as the target holds it now: what compare-and-set compares.
struct held_row {
  bool exists{};
  std::string version;  ///< empty on the source, which keeps none
  std::string text;
};

/// One row to repair.
struct repair_target {
  table_state const& table;
  row_difference const& row;
  session& target;
  session& authority;
  std::optional<shard_id> target_shard;  ///< nothing: the source is repaired
};

std::string key_match(table_state const& table, std::size_t first) {
  std::string sql;
  for (std::size_t i = 0; i < table.manifest.key.size(); ++i)
    sql += (i ? " AND t." : "t.") + names::quoted(table.manifest.key[i]) + " = $" + std::to_string(first + i) + "::" + type_of(table, table.manifest.key[i]);
  return sql;
}

std::string whole_row(table_state const& table) {
  std::string columns;
  for (auto const& column : table.columns) columns += (columns.empty() ? "" : ", ") + ("t." + names::quoted(column.name));
  return "ROW(" + columns + ")::text";
}

std::vector<text_value> key_parameters(row_difference const& row) { return {row.key.begin(), row.key.end()}; }

result<held_row> read_held(repair_target const& at) {
  auto const version = at.target_shard ? "t._shardway_version::text" : "''";
  BOOST_OUTCOME_TRY(auto const answer, at.target.query({.sql = "SELECT " + std::string(version) + ", " + whole_row(at.table) + " FROM " +
                                                               names::quoted_table(at.table.manifest.table) + " t WHERE " + key_match(at.table, 1),
                                                        .parameters = key_parameters(at.row)}));
  if (answer.empty()) return held_row{};
  return held_row{.exists = true, .version = std::string(answer.text(0, 0)), .text = std::string(answer.text(0, 1))};
}

// Transactions whose commit the stream has applied may still be missing from a snapshot for a moment: wait until all that run now have ended;
// a snapshot taken after that shows them (V8).
result<bool> wait_for_running(session& node, steady_clock::time_point until) {
  BOOST_OUTCOME_TRY(auto const before, node.query({.sql = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"}));
  for (;;) {
    BOOST_OUTCOME_TRY(auto const done, node.query({.sql = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::xid8", .parameters = {std::string(before.text(0, 0))}}));
    if (done.boolean(0, 0)) return true;
    if (steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
}

result<std::vector<text_value>> read_authority(repair_target const& at) {
  std::string columns;
  for (auto const* column : sent_columns(at.table)) columns += (columns.empty() ? "t." : ", t.") + names::quoted(column->name) + "::text";
  BOOST_OUTCOME_TRY(auto const answer, at.authority.query({.sql = "SELECT " + columns + " FROM " + names::quoted_table(at.table.manifest.table) + " t WHERE " + key_match(at.table, 1),
                                                           .parameters = key_parameters(at.row)}));
  std::vector<text_value> image;
  if (answer.empty()) return image;
  for (std::size_t i = 0; i < answer.columns().size(); ++i) {
    auto const value = answer.at(0, i);
    image.push_back(value ? text_value(std::string(*value)) : text_value());
  }
  return image;
}

// The target must not have authority for the row's slot while it is written; the lock holds off a flip until the transaction ends.
std::string no_authority(repair_target const& at, std::string const& slot) {
  auto const& group = at.table.manifest.group;
  return "NOT EXISTS (SELECT 1 FROM " + names::fence(group) + " f WHERE f.is_open AND f.slot_from <= " + slot + " AND f.slot_to >= " + slot + ")";
}

std::string unchanged(repair_target const& at, held_row const& held, std::vector<text_value>& parameters) {
  parameters.push_back(held.text);
  std::string sql = whole_row(at.table) + " = $" + std::to_string(parameters.size()) + "::text";
  if (!at.target_shard) return sql;
  parameters.push_back(held.version);
  return sql + " AND t._shardway_version = $" + std::to_string(parameters.size()) + "::int8";
}

bool is_reference(repair_target const& at) { return at.table.manifest.kind == table_kind::reference; }

statement delete_statement(repair_target const& at, held_row const& held) {
  auto parameters = key_parameters(at.row);
  auto const same = unchanged(at, held, parameters);
  auto const guard = is_reference(at) ? std::string("true") : no_authority(at, slot_expression(at.table, "t."));
  return {.sql = "DELETE FROM " + names::quoted_table(at.table.manifest.table) + " t WHERE " + key_match(at.table, 1) + " AND " + same + " AND " + guard,
          .parameters = std::move(parameters)};
}

statement update_statement(repair_target const& at, held_row const& held, std::vector<text_value> const& image) {
  auto parameters = key_parameters(at.row);
  auto const same = unchanged(at, held, parameters);
  std::string set;
  auto const columns = sent_columns(at.table);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (is_key(at.table, columns[i]->name)) continue;
    parameters.push_back(image[i]);
    set += (set.empty() ? "" : ", ") + names::quoted(columns[i]->name) + " = $" + std::to_string(parameters.size()) + "::" + columns[i]->type;
  }
  auto const guard = is_reference(at) ? std::string("true") : no_authority(at, slot_expression(at.table, "t."));
  return {.sql = "UPDATE " + names::quoted_table(at.table.manifest.table) + " AS t SET " + set + " WHERE " + key_match(at.table, 1) + " AND " + same + " AND " + guard,
          .parameters = std::move(parameters)};
}

statement insert_statement(repair_target const& at, std::vector<text_value> const& image) {
  std::string columns, values;
  auto const sent = sent_columns(at.table);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    columns += (i ? ", " : "") + names::quoted(sent[i]->name);
    values += (i ? ", $" : "$") + std::to_string(i + 1) + "::" + sent[i]->type + " AS " + names::quoted(sent[i]->name);
  }
  auto const guard = is_reference(at) ? std::string("true") : no_authority(at, slot_expression(at.table, "t."));
  return {.sql = "INSERT INTO " + names::quoted_table(at.table.manifest.table) + " (" + columns + ") OVERRIDING SYSTEM VALUE SELECT t.* FROM (SELECT " + values +
                 ") t WHERE " + guard + " ON CONFLICT DO NOTHING",
          .parameters = image};
}

std::vector<statement> framed(repair_target const& at, std::int64_t token, statement change) {
  std::vector<statement> frame{{.sql = "BEGIN"}, {.sql = "SET LOCAL session_replication_role = replica"}, engine_statement(token, "repair")};
  // On the source a published progress row is the mark by which the stream skips the transaction.
  if (!at.target_shard) frame.push_back(advance_statement("repair", {}));
  if (!is_reference(at)) frame.push_back({.sql = "SELECT 1 FROM " + names::fence_lock(at.table.manifest.group) + " WHERE false FOR KEY SHARE"});
  frame.push_back(std::move(change));
  frame.push_back({.sql = "COMMIT"});
  return frame;
}

/// What was done to the row: empty if it had changed meanwhile or needs nothing.
result<std::string> set_once(repair_target const& at, std::int64_t token, steady_clock::time_point until) {
  BOOST_OUTCOME_TRY(auto const held, read_held(at));
  BOOST_OUTCOME_TRY(auto const shown, wait_for_running(at.authority, until));
  if (!shown) return error(error_code::could_not_tell, "transactions on the authority did not end in time for a repair", "run it again").at_node(at.authority.identity().name);
  bool const misplaced = at.row.kind == difference_kind::wrong_shard || at.row.kind == difference_kind::two_shards;
  std::vector<text_value> image;
  if (!misplaced) {
    BOOST_OUTCOME_TRY(image, read_authority(at));
  }
  if (!held.exists && image.empty()) return std::string();
  std::string const kind = image.empty() ? "delete" : held.exists ? "update" : "insert";
  auto change = image.empty() ? delete_statement(at, held) : held.exists ? update_statement(at, held, image) : insert_statement(at, image);
  BOOST_OUTCOME_TRY(auto const answers, at.target.flush(framed(at, token, std::move(change))));
  for (auto const& answer : answers)
    if (!answer) return answer.error();
  return answers[answers.size() - 2].value().affected() > 0 ? kind : std::string();
}

result<std::string> repair_row(repair_target const& at, std::int64_t token, verify_options const& options) {
  for (int tries = 0; tries < 5; ++tries) {
    auto const until = steady_clock::now() + options.recheck_wait;
    BOOST_OUTCOME_TRY(auto kind, set_once(at, token, until));
    if (!kind.empty()) return kind;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});  // the stream was faster: look again
  }
  return std::string();
}

std::optional<shard_id> shard_named(generation const& now, std::string const& node) {
  for (std::size_t i = 0; i < now.migration.shards.size(); ++i)
    if (now.migration.shards[i].name == node) return shard_id{static_cast<std::uint16_t>(i)};
  return std::nullopt;
}

// Which node to read for a row to be repaired on the source: every shard is asked, one has it or none.
result<session*> authority_for_source(verify_nodes& nodes, table_state const& table, row_difference const& row) {
  for (std::size_t i = 0; i < nodes.shard_count(); ++i) {
    BOOST_OUTCOME_TRY(auto const found, nodes.shard(i).query({.sql = "SELECT 1 FROM " + names::quoted_table(table.manifest.table) + " t WHERE " + key_match(table, 1),
                                                             .parameters = key_parameters(row)}));
    if (!found.empty()) return &nodes.shard(i);
  }
  return &nodes.shard(0);
}

}  // namespace

result<std::vector<repair_report>> reconcile_group(engine_nodes const& where, generation const& now, std::string const& group,
                                                   std::vector<table_verdict> const& verdicts, std::int64_t token, verify_options const& options) {
  if (!now.find_group(group)) return error(error_code::invalid_argument, "there is no group " + group);
  BOOST_OUTCOME_TRY(auto nodes, verify_nodes::open(where));
  BOOST_OUTCOME_TRY(auto mirror, connect(where.source_mirror));
  std::vector<repair_report> repairs;
  for (auto const& found : verdicts)
    for (auto const& row : found.rows_named) {
      auto const* table = now.find_table(found.relation);
      if (!table) continue;
      auto const shard = shard_named(now, row.node);
      session* authority = &nodes.source();
      if (!shard) {
        BOOST_OUTCOME_TRY(authority, authority_for_source(nodes, *table, row));
      }
      repair_target const at{*table, row, shard ? nodes.shard(shard->value()) : *mirror, *authority, shard};
      BOOST_OUTCOME_TRY(auto kind, repair_row(at, token, options));
      if (kind.empty()) continue;
      BOOST_OUTCOME_TRYV(insert_repair(nodes.source(), token, {.relation = found.relation, .node = row.node, .kind = kind, .key_digest = row.key_digest}));
      repairs.push_back({.relation = found.relation, .node = row.node, .kind = std::move(kind), .key_digest = row.key_digest});
    }
  return repairs;
}

}  // namespace v0
}  // namespace shardway
