// One statement in its own transaction, in one flush.
#pragma once

#include <string_view>
#include <vector>

#include "lib/write/fenced_call.hpp"

namespace shardway {
inline namespace v0 {
/// Runs the statement once: BEGIN, fence, statement and COMMIT in one round trip. If something has to happen
/// between the statement and COMMIT, it takes the round trips of `attempt_statement`.
attempt_result attempt_one_shot(fenced_call& call, call_target const& target, std::string_view sql,
                                std::vector<text_value> const& parameters);

}  // namespace v0
}  // namespace shardway
