// Completes the tables on shards after the copy.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"
#include "lib/migrate/onboard/schema.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// After the copy: secondary indexes (CONCURRENTLY), checks that are not valid on the source either, foreign
/// keys (NOT VALID, then VALIDATE) except dropped ones and those to tables that are not copied yet, user
/// triggers by the manifest's policy. `copied`: the tables whose rows the shard has; left out: all that it
/// has. An invalid index that a crash left is built anew. Errors: `constraint_violation` naming the foreign
/// key whose validation failed.
result<schema_report> finish_schema(onboard_node const& source, onboard_node const& shard,
                                    std::vector<table_state> const&, onboard_options const&,
                                    std::optional<std::vector<std::string>> const& copied = std::nullopt);

/// Foreign keys of tables that were copied before the tables that these lead to (AS9). Idempotent.
result<> complete_foreign_keys(onboard_node const& source, onboard_node const& shard,
                               std::vector<table_state> const&, onboard_options const&,
                               std::vector<std::string> const& copied);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
