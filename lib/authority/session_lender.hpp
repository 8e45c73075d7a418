// How the request path gets a session of a node.
#pragma once

#include <string>

#include "lib/store/lent_session.hpp"
#include "shardway/route/placement.hpp"

namespace shardway {
inline namespace v0 {
/// Lends sessions. Thread safety: shared use is safe.
class session_lender {
 public:
  virtual ~session_lender() = default;
  /// A healthy session of the node. Errors: those of `session_pool::lease`.
  virtual result<lent_session> lend(node_index, steady_time deadline) = 0;
  virtual std::string name_of(node_index) const = 0;
  /// As `lend`, from a separate pool for short transactions that run while another transaction is open. A
  /// caller here never waits for a writer that itself waits for such a session.
  virtual result<lent_session> lend_aside(node_index node, steady_time deadline) {
    return lend(node, deadline);
  }
};

}  // namespace v0
}  // namespace shardway
