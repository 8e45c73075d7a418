#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"
#include "lib/protocol/sql_template.hpp"
#include "sql_files.hpp"

namespace shardway {
inline namespace v0 {

std::string group_sql(node_role role, std::string_view group, epoch first, grantees const& application) {
  auto const* is_open = role == node_role::source ? "true" : "false";
  return fill(sql::group, {{"fence", sql_fragment::of_quoted(names::fence(group))},
                           {"fence_lock", sql_fragment::of_quoted(names::fence_lock(group))},
                           {"epoch", sql_fragment::number(first.value())},
                           {"is_open", sql_fragment::of_quoted(is_open)},
                           {"application_role", sql_fragment::of_quoted(application.sql())}})
      .text();
}

}  // namespace v0
}  // namespace shardway
