// A session, lent for one call, with what is known about its connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// What the library asks each connection once. It makes positions comparable, and it helps to find out what
/// became of a lost COMMIT.
struct connection_facts {
  std::uint64_t system_identifier{};
  std::int32_t incarnation{};
  int backend_pid{};
  std::string backend_start;
  std::string timeline;
  std::string statistics_start;
};

/// A session that is lent for one call. Lifetime: it returns to its pool with the last copy of `link`;
/// `facts` live as long as `link`.
struct lent_session {
  std::shared_ptr<session> link;
  connection_facts const* facts{};
};

}  // namespace v0
}  // namespace shardway
