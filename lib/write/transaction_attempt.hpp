// One attempt of a write in a transaction that takes several round trips.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "lib/write/fenced_call.hpp"
#include "shardway/write/write_transaction.hpp"

namespace shardway {
inline namespace v0 {
/// Runs `body` once in a transaction: BEGIN and the fence before it, lookups and COMMIT after it.
attempt_result attempt_transaction(fenced_call& call, call_target const& target,
                                   std::function<result<>(write_transaction&)> const& body);

/// Runs one statement in a transaction of its own that cannot be one flush, because something has to happen
/// before its COMMIT.
attempt_result attempt_statement(fenced_call& call, call_target const& target, std::string_view sql,
                                 std::vector<text_value> const& parameters);

}  // namespace v0
}  // namespace shardway
