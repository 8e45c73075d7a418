#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"
#include "lib/protocol/sql_template.hpp"
#include "sql_files.hpp"

namespace shardway {
inline namespace v0 {

std::string uninstall_sql(node_role role, std::string_view migration) {
  auto const version_columns =
      role == node_role::shard ? fill(sql::uninstall_version_columns, {}) : sql_fragment::of_quoted({});
  return fill(sql::uninstall, {{"version_columns", version_columns},
                               {"publication", sql_fragment::identifier(names::publication(migration))}})
      .text();
}

}  // namespace v0
}  // namespace shardway
