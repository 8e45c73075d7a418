#include "lib/migrate/preflight/fix.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight::fix {

std::string sql(std::string_view statement) { return std::string(statement) + ';'; }

std::string source_sql(std::string_view statement) { return std::string(source_line).append(sql(statement)); }

std::string manifest(std::string_view table, std::string_view text) {
  return std::string(manifest_line).append(table).append(": ").append(text);
}

std::string migration_manifest(std::string_view text) { return std::string(migration_line).append(text); }

std::string any_of(std::initializer_list<std::string> ways) {
  std::string out;
  for (auto const& way : ways)
    if (!way.empty()) out.append(out.empty() ? "" : "\n").append(way);
  return out;
}

std::string field(std::string_view name, std::string_view value) {
  std::string quoted;
  for (char const c : value) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return std::string(name).append(": \"").append(quoted).append("\"");
}

}  // namespace migrate::preflight::fix
}  // namespace v0
}  // namespace shardway
