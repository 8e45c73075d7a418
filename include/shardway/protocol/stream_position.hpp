// How far a stream has come on its target, and what it has counted so far. Keeps I5.
#pragma once

#include <cstdint>

#include "shardway/base/lsn.hpp"

namespace shardway {
inline namespace v0 {

/// Totals since the stream began. They are stored with the position, so that they are exact after any crash.
struct stream_totals {
  std::int64_t changes{};     ///< row changes delivered
  std::int64_t outbox{};      ///< those of them that have an outbox row: dual writes
  std::int64_t duplicates{};  ///< dual writes that were on the shard already
  std::int64_t healed{};      ///< dual writes that were not there yet
  std::int64_t corrected{};  ///< duplicates with another image, corrected; of a mirror: deletes without a row
  /// Changes without an outbox row in a transaction that has some: of triggers and cascades.
  std::int64_t side_effects{};
  /// Changes without an outbox row in a transaction that has none, while the group is dual written.
  std::int64_t foreign{};
  friend bool operator==(stream_totals const&, stream_totals const&) = default;
};

/// Where a stream is, as its target stores it.
struct stream_position {
  lsn applied{};
  std::int64_t marker{};  ///< the newest marker passed, or 0
  stream_totals totals{};
};

}  // namespace v0
}  // namespace shardway
