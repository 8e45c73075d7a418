// Waiting for the transactions that must end before a copy reads its first row.
#pragma once

#include "shardway/base/clock.hpp"
#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::copy {

/// Waits until every transaction that has an id now has ended. Otherwise, if a table joins the publication
/// while transactions that wrote it are open, their changes are lost (CP3). A restarted dispatcher also does
/// not know which transactions its predecessor passed. Errors: `deadline_exceeded` naming process and
/// application of each transaction that is still open. Cost: one round trip every 20 ms; no lock.
result<> wait_for_old_transactions(session&, steady_time deadline);

}  // namespace migrate::copy
}  // namespace v0
}  // namespace shardway
