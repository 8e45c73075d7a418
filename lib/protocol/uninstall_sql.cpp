#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"
#include "lib/protocol/sql_template.hpp"
#include "lib/store/text_array.hpp"
#include "sql_files.hpp"

namespace shardway {
inline namespace v0 {

namespace {

sql_fragment stale_copies(std::vector<std::string> tables) {
  if (tables.empty()) return sql_fragment::of_quoted({});
  for (auto& table : tables) table = names::quoted_table(table);
  return fill(sql::stale_copies, {{"tables", sql_fragment::literal(text_array(tables))}});
}

}  // namespace

std::string uninstall_sql(node_role role, std::string_view migration,
                          std::vector<std::string> const& stale_tables) {
  auto const version_columns =
      role == node_role::shard ? fill(sql::uninstall_version_columns, {}) : sql_fragment::of_quoted({});
  return fill(sql::uninstall, {{"stale_copies", stale_copies(stale_tables)},
                               {"version_columns", version_columns},
                               {"publication", sql_fragment::identifier(names::publication(migration))}})
      .text();
}

}  // namespace v0
}  // namespace shardway
