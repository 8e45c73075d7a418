// Brings table definitions to a shard with PostgreSQL's own tools.
#pragma once

#include <string>
#include <vector>

#include "shardway/migrate/onboard.hpp"

namespace shardway {
inline namespace v0 {
namespace onboarding {

/// All or nothing: schemas, types, functions, sequences and the tables that the shard lacks. What was left out is added to `skipped`.
result<> copy_definitions(onboard_node const& source, onboard_node const& shard, std::vector<table_state> const& tables,
    onboard_options const&,
                          std::vector<std::string>& skipped);

}  // namespace onboarding
}  // namespace v0
}  // namespace shardway
