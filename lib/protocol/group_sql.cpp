#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"

namespace shardway {
inline namespace v0 {

std::string group_sql(node_role role, std::string_view group, epoch first,
                      std::string_view application_role) {
  auto const fence = names::fence(group);
  auto const lock = names::fence_lock(group);
  auto const application = names::quoted(application_role);
  std::string const open = role == node_role::source ? "true" : "false";
  return "CREATE TABLE IF NOT EXISTS " + fence +
         " (slot_from int PRIMARY KEY, slot_to int NOT NULL, epoch int NOT NULL, is_open boolean NOT NULL, "
         "wave text NOT NULL DEFAULT '',"
         " deadline timestamptz, CHECK (0 <= slot_from AND slot_from <= slot_to AND slot_to <= 4095), CHECK "
         "(epoch BETWEEN 0 AND 1023));\n"
         "CREATE TABLE IF NOT EXISTS " +
         lock +
         " (nothing int);\n"
         "INSERT INTO " +
         fence + " SELECT 0, 4095, " + std::to_string(first.value()) + ", " + open +
         " WHERE NOT EXISTS (SELECT 1 FROM " + fence +
         ");\n"
         "GRANT SELECT ON " +
         fence + " TO " + application +
         ";\n"
         // FOR KEY SHARE and LOCK TABLE ask for UPDATE; the relation is empty and stays so: no INSERT is
         // granted.
         "GRANT SELECT, UPDATE ON " +
         lock + " TO " + application + ";\n";
}

}  // namespace v0
}  // namespace shardway
