// A session with what is known of its connection: what both halves of the request path borrow.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// What is asked of each connection once: it makes positions comparable and a lost COMMIT findable.
struct connection_facts {
  std::uint64_t system_identifier{};
  std::int32_t incarnation{};
  int backend_pid{};
  std::string backend_start;
  std::string timeline;
  std::string statistics_start;
};

/// A session lent for one call. Lifetime: goes back to its pool with the last copy of `link`, which also
/// keeps `facts`.
struct lent_session {
  std::shared_ptr<session> link;
  connection_facts const* facts{};
};

}  // namespace v0
}  // namespace shardway
