// Finds out what became of a COMMIT that got no answer.
#pragma once

#include "lib/authority/commit_question.hpp"
#include "shardway/pg/connect.hpp"

namespace shardway {
inline namespace v0 {

/// With an xid it calls `resolve_commit`. Without one, nothing had arrived when the connection broke: it
/// ends the old backend, and then the outbox row decides, if there would be one. Otherwise the outcome
/// stays in doubt. Cost: a
/// connection and two to three round trips, more while it waits.
commit_outcome resolve_question(connect_options const& node, commit_question const& question,
                                steady_time deadline);

}  // namespace v0
}  // namespace shardway
