// A transaction of the controller: the node's token is checked first, so that one who was replaced changes
// nothing (X2).
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// Runs the statements in one READ COMMITTED transaction after `engine_check` with our token; the rows of
/// each. The stream of the node reads the transaction. With a transaction open on the session it only runs
/// them: whoever opened it has checked the token. Errors: `not_leader`, `in_doubt` (the connection broke at
/// COMMIT, or BEGIN failed), the first statement's that failed (nothing remains). Cost: one round trip.
result<std::vector<rows>> run_guarded(session& node, std::int64_t token, std::vector<statement> statements);
/// The same without a token, for what is no controller's.
result<std::vector<rows>> run_transaction(session& node, std::vector<statement> statements);

/// A text of several statements, as one transaction in one message, after the same check. For DDL: no
/// parameters, nothing prepared. `lock_timeout` > 0 ends the wait for each lock (SQLSTATE 55P03, and nothing
/// remains). Preconditions: no transaction is open on the session.
result<rows> run_guarded_text(session& node, std::int64_t token, std::string_view sql,
                              std::chrono::milliseconds lock_timeout);

}  // namespace v0
}  // namespace shardway
