// What must have ended before a copy reads its first row.
#pragma once

#include "shardway/base/clock.hpp"
#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::copy {

/// Waits until every transaction that has an id now has ended: a table that joins the publication while
/// transactions that wrote it are open loses their changes (CP3), and a restarted dispatcher does not know
/// which transactions its predecessor passed. Errors: `deadline_exceeded` naming process and application of
/// what is still open. Cost: one round trip every 20 ms; no lock.
result<> wait_for_old_transactions(session&, steady_time deadline);

}  // namespace migrate::copy
}  // namespace v0
}  // namespace shardway
