// Mappings of a transaction's rows, written before its COMMIT: there are never fewer than rows that
// committed.
#pragma once

#include "lib/write/fenced_call.hpp"

namespace shardway {
inline namespace v0 {

/// Writes the mappings of everything the call's log holds, each in a short transaction on the shard of its
/// value, and claims the values of unique lookups. The transaction is open on `on`, in `target`'s node, and
/// must end soon after; rolled back, the mappings are stale. Errors: `constraint_violation` with SQLSTATE
/// 23505 (another row has the value of a unique lookup), `serialization_failure` (two writers waited for each
/// other: run it again), `statement_refused` (a unique lookup under another isolation than READ COMMITTED),
/// those of nodes. Cost: a round trip to the transaction's node for the locks, one to each shard with a
/// value; more for a value that another row had.
result<> keep_lookups(fenced_call& call, call_target const& target, lent_session const& lent);

}  // namespace v0
}  // namespace shardway
