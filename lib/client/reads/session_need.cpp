#include "lib/client/reads/session_need.hpp"

namespace shardway {
inline namespace v0 {
namespace {

// The higher position of one incarnation; a later incarnation stands above an earlier one.
void raise(read_need& need, token_position const& more) {
  if (!need.position || need.position->incarnation < more.incarnation ||
      (need.position->incarnation == more.incarnation && need.position->position < more.position))
    need.position = more;
}

}  // namespace

read_need need_of_node(session_token const& token, replica_watch const& replicas, std::string const& node,
                       read_options const& options) {
  read_need need;
  auto const held = token.at(node);
  if (options.fresh == consistency::read_your_writes && held) {
    auto const newest = replicas.newest_position(node);
    need.position = held;
    // A position of another system than the node's satisfies nothing and blocks nothing (R1).
    need.cannot_be_judged = newest && (newest->system_identifier != held->system_identifier ||
                                       newest->incarnation < held->incarnation);
  }
  if (options.fresh == consistency::bounded_staleness) {
    need.position =
        replicas.primary_position_since(node, system_clock_source().now() - options.staleness_max);
    need.cannot_be_judged = !need.position;
  }
  return need;
}

read_need need_of(session_token const& token, replica_watch const& replicas, call_target const& target,
                  read_options const& options) {
  auto need = need_of_node(token, replicas, target.node_name, options);
  auto const& range = generation::authority_of(*target.group, target.slot);
  bool const is_asked = options.fresh == consistency::bounded_staleness ||
                        (options.fresh == consistency::read_your_writes && !token.empty());
  if (!is_asked || !range.opened.is_set()) return need;
  if (auto const newest = replicas.newest_position(target.node_name))
    raise(need, {newest->system_identifier, newest->incarnation, range.opened});
  else
    need.cannot_be_judged = true;
  return need;
}

}  // namespace v0
}  // namespace shardway
