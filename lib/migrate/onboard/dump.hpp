// Brings table definitions to a shard with PostgreSQL's own tools.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// All or nothing: schemas, types, functions, sequences and the tables that the shard lacks. What was left
/// out is added to `skipped`.
result<> copy_definitions(onboard_node const& source, onboard_node const& shard,
                          std::vector<table_state> const& tables, onboard_options const&,
                          std::vector<std::string>& skipped);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
