// What is known of a COMMIT whose answer was lost.
#pragma once

#include <optional>
#include <string>

#include "lib/store/lent_session.hpp"
#include "shardway/base/write_id.hpp"
#include "shardway/route/placement.hpp"

namespace shardway {
inline namespace v0 {
/// Identifies a transaction whose COMMIT got no answer.
struct commit_question {
  node_index node{};
  connection_facts facts;
  std::string xid;                  ///< empty: the transaction id had not arrived
  std::optional<write_id> write{};  ///< set if the transaction would have left an outbox row
};

}  // namespace v0
}  // namespace shardway
