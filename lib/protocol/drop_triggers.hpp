// Taking triggers of ours off a relation.
#pragma once

#include <string>
#include <string_view>

namespace shardway {
inline namespace v0 {

/// Drops the relation's own triggers whose name is LIKE the pattern. Takes no lock where there is none.
std::string drop_triggers_sql(std::string_view schema_and_name, std::string_view name_pattern);

}  // namespace v0
}  // namespace shardway
