// What makes a COMMIT durable whatever a role has set for synchronous_commit. A shard is sent what the outbox
// holds as soon as the source has committed, and a leased id or a mapping is used then: a crash may not take
// it back (AP1, AL12).
#pragma once

#include <string>

#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// A trigger on a table of ours, by its quoted name: a transaction that changes it commits durably.
/// Idempotent. Needs the functions of `node_schema_sql`.
std::string durable_trigger_sql(std::string const& quoted_name);

/// Makes the COMMIT that follows durable, whatever the transaction has set since it changed such a table.
/// Changes nothing where synchronous_commit is not off.
statement durable_commit_statement();

}  // namespace v0
}  // namespace shardway
