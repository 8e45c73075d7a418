// What a shard does not have yet, or will not get: shown in the gates, never left out in silence.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

struct missing_object {
  enum class kind_type : unsigned char {
    foreign_key,  ///< a row without its parent would be accepted
    other,        ///< constraint, index, trigger, or a right of the application: the application would notice
    left_behind,  ///< views, rights of other roles: never carried, for the operator to know
  };
  kind_type kind{};
  std::string what;  ///< "foreign key items_order of shop.items"
};

/// Objects of the tables on the source that the shard lacks, but for those that the manifests leave out
/// (`drop_foreign_key`, `triggers: SOURCE_ONLY`). Sorted. Preconditions: the tables are on the shard. Cost:
/// one query on each node.
result<std::vector<missing_object>> missing_on_shard(session& source, session& shard,
                                                     migration_manifest const&,
                                                     std::vector<table_state> const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
