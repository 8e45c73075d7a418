#include "lib/migrate/onboard/indexes.hpp"

#include "lib/catalog/guarded.hpp"
#include "lib/migrate/onboard/sql.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

// Constraints of the tables themselves; those of partitions come with their parent's.
constexpr std::string_view key_constraints_sql =
    " SELECT format('%I.%I', n.nspname, c.relname), k.conname, pg_get_constraintdef(k.oid) FROM ours JOIN "
    "pg_constraint k ON k.conrelid ="
    " ours.oid"
    " JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype IN "
    "('p', 'u', 'x') AND"
    " k.conparentid = 0"
    " ORDER BY k.contype <> 'p', c.relispartition, 1, 2";

// Indexes that belong to no constraint and to no parent index. Column 5: whether the index must exist before
// the copy.
constexpr std::string_view plain_indexes_sql =
    " SELECT format('%I.%I', tn.nspname, t.relname), format('%I.%I', n.nspname, c.relname), "
    "pg_get_indexdef(i.indexrelid),"
    " quote_ident(c.relname),"
    " i.indisunique OR ours.oid <> ours.root OR t.relkind = 'p', i.indisunique, t.relkind = 'p' FROM ours "
    "JOIN pg_index i ON i.indrelid ="
    " ours.oid"
    " JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class t "
    "ON t.oid = i.indrelid"
    " JOIN pg_namespace tn ON tn.oid = t.relnamespace WHERE i.indisvalid AND NOT c.relispartition"
    " AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', "
    "'u', 'x')) ORDER BY"
    " t.relispartition, 1, 2";

struct index_definition {
  std::string table, qualified, sql;
  bool before_copy{};
};

// The server writes "CREATE INDEX i ON ONLY parent". Without ONLY the shard creates the partitions' indexes
// too.
std::string without_only(std::string sql, std::string const& quoted_name, bool unique) {
  std::string const head =
      std::string(unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ") + quoted_name + " ON ";
  if (sql.starts_with(head + "ONLY ")) sql.erase(head.size(), 5);
  return sql;
}

result<std::vector<index_definition>> read_indexes(session& source, std::vector<table_state> const& tables) {
  BOOST_OUTCOME_TRY(auto const found, source.query({std::string(ours_cte) + std::string(plain_indexes_sql),
                                                    {table_array(tables)}}));
  std::vector<index_definition> out;
  for (std::size_t row = 0; row < found.size(); ++row) {
    std::string sql(found.text(row, 2));
    if (found.boolean(row, 6))
      sql = without_only(std::move(sql), std::string(found.text(row, 3)), found.boolean(row, 5));
    out.push_back({std::string(found.text(row, 0)), std::string(found.text(row, 1)), std::move(sql),
                   found.boolean(row, 4)});
  }
  return out;
}

result<bool> has_constraint(session& shard, std::string const& table, std::string const& name) {
  BOOST_OUTCOME_TRY(
      auto const found,
      shard.query(
          {"SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2", {table, name}}));
  return !found.empty();
}

enum class index_presence { absent, valid, invalid };

result<index_presence> find_index(session& shard, std::string const& qualified) {
  BOOST_OUTCOME_TRY(
      auto const found,
      shard.query({"SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", {qualified}}));
  if (found.empty()) return index_presence::absent;
  return found.boolean(0, 0) ? index_presence::valid : index_presence::invalid;
}

// CONCURRENTLY does not block the applier (CP9). It cannot run in a transaction, so the token is checked just
// before.
result<> build_concurrently(session& shard, index_definition const& index, onboard_options const& options) {
  BOOST_OUTCOME_TRY(auto const there, find_index(shard, index.qualified));
  if (there == index_presence::valid) return success();
  BOOST_OUTCOME_TRYV(run_guarded(shard, options.token, {}));
  if (there == index_presence::invalid) {
    BOOST_OUTCOME_TRYV(shard.query({"DROP INDEX CONCURRENTLY " + index.qualified}));
  }
  auto sql = index.sql;
  auto const built = shard.query({sql.insert(sql.find("INDEX ") + 6, "CONCURRENTLY ")});
  if (!built) return built.error().while_doing("building index " + index.qualified);
  return success();
}

}  // namespace

result<> create_keys(session& source, session& shard, std::vector<table_state> const& tables,
                     onboard_options const& options) {
  BOOST_OUTCOME_TRY(auto const found, source.query({std::string(ours_cte) + std::string(key_constraints_sql),
                                                    {table_array(tables)}}));
  for (std::size_t row = 0; row < found.size(); ++row) {
    std::string const table(found.text(row, 0)), name(found.text(row, 1));
    BOOST_OUTCOME_TRY(bool const there, has_constraint(shard, table, name));
    if (there) continue;
    BOOST_OUTCOME_TRYV(run_ddl(shard,
                               "ALTER TABLE " + table + " ADD CONSTRAINT " + source.quote_identifier(name) +
                                   ' ' + std::string(found.text(row, 2)),
                               table, options));
  }
  BOOST_OUTCOME_TRY(auto const indexes, read_indexes(source, tables));
  for (auto const& index : indexes) {
    if (!index.before_copy) continue;
    BOOST_OUTCOME_TRY(auto const there, find_index(shard, index.qualified));
    if (there == index_presence::absent) {
      BOOST_OUTCOME_TRYV(run_ddl(shard, index.sql, index.table, options));
    }
  }
  return success();
}

result<> create_indexes(session& source, session& shard, std::vector<table_state> const& tables,
                        onboard_options const& options) {
  BOOST_OUTCOME_TRY(auto const indexes, read_indexes(source, tables));
  for (auto const& index : indexes) {
    if (!index.before_copy) {
      BOOST_OUTCOME_TRYV(build_concurrently(shard, index, options));
    }
  }
  return success();
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
