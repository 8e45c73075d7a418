// What reads of several nodes share: parts at once, all under one generation, put together.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "lib/client/session/client_state.hpp"
#include "lib/read/scatter_read.hpp"
#include "lib/sql/read_statement.hpp"

namespace shardway {
inline namespace v0 {

struct planned_part {
  node_index node{};
  statement what;
  std::vector<expected_slots> expected;
  /// The node holds no rows but its own under this generation: the rows are right only if the node knows of
  /// no newer one.
  bool relies_on_generation{};
};

struct planned_read {
  std::vector<planned_part> parts;
  bool filtered{};
};

/// A read before its nodes are known.
struct merged_read {
  std::string_view table;
  scatter_statement shape;
  scatter_options const& options;
  steady_time deadline{};
  /// The parts under a generation; `distrust`: a node has told of a generation that this client has not, so
  /// nothing relies on it.
  std::function<result<planned_read>(routing_view const&, bool distrust)> plan;
};

/// Errors: `client_session::read_all`.
result<merged_answer> run_merged(session_state& in, merged_read const& read);

/// Checks shared by both forms. Errors: `statement_refused`, `invalid_argument`.
result<scatter_statement> shape_of(std::string_view sql, scatter_options const&);

}  // namespace v0
}  // namespace shardway
