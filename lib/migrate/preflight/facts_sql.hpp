// The queries that read the facts: each answers for all tables at once.
#pragma once

#include <string_view>

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

/// `wanted` and `ours`: the tables of $1 (schemas) and $2 (names), and these with all their partitions. Goes
/// before the five that read `ours`.
extern std::string_view const facts_cte;
// In braces stands what depends on the server's version.
extern std::string_view const relations_sql;
extern std::string_view const columns_sql;
extern std::string_view const indexes_sql;
extern std::string_view const differences_sql;
extern std::string_view const foreign_keys_sql;
extern std::string_view const triggers_sql;
extern std::string_view const functions_sql;
extern std::string_view const sequences_sql;

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
