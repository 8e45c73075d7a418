// Where the mappings of lookups are kept.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"
#include "lib/protocol/grantees.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::lookup {

/// Tables of mappings on every shard and the list of complete lookups on every node, for the lookups of these
/// tables. Lookups that they had before and have no more are not complete from then on. Idempotent. Errors:
/// `precondition_failed` (a lookup of that name was of other columns, or not unique before); those of locks.
result<> prepare_lookups(onboard::onboard_node const& source,
                         std::vector<onboard::onboard_node> const& shards, std::vector<table_state> const&,
                         grantees const&, onboard::onboard_options const&);

}  // namespace migrate::lookup
}  // namespace v0
}  // namespace shardway
