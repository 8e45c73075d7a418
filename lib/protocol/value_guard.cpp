#include "lib/protocol/value_guard.hpp"

#include "absl/strings/str_cat.h"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace {

bool is_newer(int source_version, int shard_version, int major) {
  return source_version / 10000 < major && shard_version / 10000 >= major;
}

}  // namespace

// numeric with a precision cannot hold infinity on any version.
std::string value_guard_condition(std::string_view type, std::string const& expression, int source_version,
                                  int shard_version) {
  if (is_newer(source_version, shard_version, 14)) {
    if (type == "numeric")
      return absl::StrCat(expression, " <> ALL ('{Infinity,-Infinity}'::pg_catalog.numeric[])");
    if (type == "numeric[]")
      return absl::StrCat("NOT ", expression,
                          " OPERATOR(pg_catalog.&&) '{Infinity,-Infinity}'::pg_catalog.numeric[]");
  }
  if (is_newer(source_version, shard_version, 17) && type.starts_with("interval")) {
    if (!type.ends_with("[]")) return absl::StrCat("pg_catalog.isfinite(", expression, ")");
    return absl::StrCat("NOT ", expression,
                        " OPERATOR(pg_catalog.&&) '{infinity,-infinity}'::pg_catalog.interval[]");
  }
  // From 16 on a character above 127 is printed as \350: an older server would read the backslash alone.
  if (is_newer(source_version, shard_version, 16) && type == "\"char\"")
    return absl::StrCat("pg_catalog.octet_length(", expression, "::text) <= 1");
  return {};
}

std::string value_guard_sql(table_state const& table, int source_version, int shard_version) {
  std::string conditions;
  for (auto const& column : table.columns) {
    auto const one =
        value_guard_condition(column.key_type(), names::quoted(column.name), source_version, shard_version);
    if (!one.empty()) absl::StrAppend(&conditions, conditions.empty() ? "" : " AND ", one);
  }
  if (conditions.empty()) return {};
  return absl::StrCat("ALTER TABLE ", names::quoted_table(table.manifest.table), " ADD CONSTRAINT ",
                      std::string(value_guard_name), " CHECK (", conditions, ");\n");
}

std::string drop_value_guard_sql(std::string_view schema_and_name) {
  return absl::StrCat("ALTER TABLE ", names::quoted_table(schema_and_name), " DROP CONSTRAINT IF EXISTS ",
                      std::string(value_guard_name), ";\n");
}

}  // namespace v0
}  // namespace shardway
