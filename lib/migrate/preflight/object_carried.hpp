// What onboarding brings to the shards beside the tables. Nothing else says so: the rules for objects ask
// here.
#pragma once

#include <set>
#include <string>

#include "lib/migrate/preflight/object_facts.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

/// Whether onboarding brings the object to shards: pg_dump brings the types, functions, operators and the
/// like of `carried_schemas`. Never tables: those of the manifests are no part of this.
bool is_carried_by_onboarding(reached_object const&, std::set<std::string> const& carried_schemas);

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
