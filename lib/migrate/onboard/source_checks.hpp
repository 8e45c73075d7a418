// What is looked at on a node just before anything of it changes, whether a preflight was asked for or not.
#pragma once

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// PostgreSQL refuses UPDATE and DELETE of a table in a publication whose leaves have no usable replica
/// identity. So each leaf must have one before its table joins: a primary key that is checked at once (not
/// deferrable), FULL, or a usable index; and it must be an ordinary, logged table. Errors:
/// `precondition_failed` naming each relation, with the way out. Cost: one query.
result<> check_replica_identities(session& node, std::vector<table_state> const&);

/// On the source: no column, trigger or index of the tables has a name of ours, and no other trigger would be
/// taken for one of ours. Errors: `precondition_failed` naming each. Cost: one query.
result<> check_reserved_names(session& source, std::vector<table_state> const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
