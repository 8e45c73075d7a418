// One node's part of a read that more than one node answers.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lib/protocol/read_fence.hpp"
#include "lib/read/read_host.hpp"

namespace shardway {
inline namespace v0 {

/// One node's part of a read.
struct part_request {
  statement what;
  std::vector<std::string> calls;  ///< names that must not be aggregates on this node
  std::string group;               ///< empty: no fence to read
  std::vector<expected_slots> expected;
  read_options options;
  read_need need;
  std::size_t turn{};
  steady_time deadline{};
};

struct part_answer {
  read_fence_answer fence;
  bool calls_aggregate{};
  rows returned;
  std::string node;
  bool from_replica{};
};

/// Reads a part in one snapshot with the fence. If a replica refuses or is not far enough, the primary
/// answers. Errors: those of SQLSTATE, `node_unreachable`, `deadline_exceeded`. A refusal of the fence is
/// an answer: `fence.refused`. Cost: one round trip where the first choice holds.
result<part_answer> read_part(read_host& host, part_request const& request);

}  // namespace v0
}  // namespace shardway
