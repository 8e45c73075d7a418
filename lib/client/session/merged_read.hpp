// What reads of several nodes share: their parts run at once, under one generation, and become one answer.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "lib/client/session/session_state.hpp"
#include "lib/protocol/read_fence.hpp"
#include "lib/sql/read_statement.hpp"
#include "shardway/read/scatter_options.hpp"

namespace shardway {
inline namespace v0 {

struct planned_part {
  node_index node{};
  statement what;
  std::vector<expected_slots> expected;
  /// Under this generation the node holds no rows but those of its own slots. So its rows are right only if
  /// the node knows no newer generation.
  bool relies_on_generation{};
};

struct planned_read {
  std::vector<planned_part> parts;
  bool filtered{};
};

/// A read before its nodes are known.
struct merged_read {
  std::string_view table;
  scatter_statement scatter;
  scatter_options const& options;
  steady_time deadline{};
  /// The parts under a generation. `distrust`: a node knows a generation that this client does not, so no
  /// part may rely on it.
  std::function<result<planned_read>(routing_view const&, bool distrust)> plan;
};

/// Errors: `client_session::read_all`.
result<merged_answer> run_merged(session_state& session, merged_read const& read);

}  // namespace v0
}  // namespace shardway
