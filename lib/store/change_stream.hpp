// Decoded changes of one node, in commit order, with transaction boundaries.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "shardway/base/clock.hpp"
#include "shardway/base/lsn.hpp"
#include "shardway/base/result.hpp"

namespace shardway {
inline namespace v0 {

/// A table as the stream describes it. All its changes share it until the server describes the table again.
struct stream_relation {
  struct column {
    std::string name;
    std::uint32_t type_oid{};
    std::int32_t type_modifier{};
    bool in_replica_identity{};
    friend bool operator==(column const&, column const&) = default;
  };
  std::uint32_t oid{};
  std::string schema;
  std::string name;
  char replica_identity{};  ///< d(efault), n(othing), f(ull), i(ndex)
  std::vector<column> columns;
  friend bool operator==(stream_relation const&, stream_relation const&) = default;
};

/// One column of a changed row.
struct stream_value {
  enum class kind_type : unsigned char {
    null,
    text,
    unchanged,  ///< a TOAST value that the update did not change; the server does not send it
  };
  kind_type kind{kind_type::null};
  std::string text{};
  friend bool operator==(stream_value const&, stream_value const&) = default;
};
using stream_tuple = std::vector<stream_value>;

struct begin_event {
  lsn final_lsn;               ///< LSN of the commit record
  std::uint32_t xid{};         ///< low 32 bits
  std::int64_t commit_time{};  ///< the server's clock: microseconds since 2000-01-01 UTC
};
struct commit_event {
  lsn commit_lsn;  ///< start of the commit record
  lsn end_lsn;     ///< the position after it, which may be confirmed
};
struct relation_event {
  std::shared_ptr<stream_relation const> relation;
};
struct row_event {
  enum class kind_type : unsigned char { insert, update, remove };
  kind_type kind{};
  std::shared_ptr<stream_relation const> relation;
  std::optional<stream_tuple> before;  ///< the replica identity or the whole old row, if the server sent it
  bool before_is_key{};                ///< only the identity columns of `before` are meaningful
  std::optional<stream_tuple> after;   ///< absent for remove
};
struct truncate_event {
  std::vector<std::shared_ptr<stream_relation const>> relations;
  bool cascade{};
  bool restart_identity{};
};
struct message_event {
  bool transactional{};
  lsn position;
  std::string prefix;
  std::string content;
};
/// The server has nothing to decode up to here. It counts as progress only while nothing is queued (S6).
struct keepalive_event {
  lsn server_position;
};

using stream_event = std::variant<begin_event, commit_event, relation_event, row_event, truncate_event,
                                  message_event, keepalive_event>;

/// How to read one replication slot.
struct change_stream_options {
  std::string replication_slot;
  std::vector<std::string> publications;

  /// 0: start at the replication slot's confirmed position.
  lsn start{};

  /// Ask for logical messages too. Needs a server of version 14 or later.
  bool messages{};

  /// How often the confirmed position is reported even if the server does not ask; > 0.
  std::chrono::milliseconds status_interval{1000};
};

/// An open change stream.
///
/// Call `next` or `confirm` well within the server's wal_sender_timeout, because only these calls answer the
/// server's keepalives.
///
/// Thread safety: one thread at a time. Lifetime: the destructor closes the connection.
class change_stream {
 public:
  virtual ~change_stream() = default;

  /// The next event. Nothing if none came by the deadline. Errors: `connection_lost`, `protocol_violation`,
  /// `stream_broken` (the replication slot is gone or lost).
  virtual result<std::optional<stream_event>> next(steady_time deadline) = 0;

  /// Confirms that everything below `position` is durable on every consumer, so that the server may drop it.
  /// The confirmation is sent with the next status. It never goes back (I10).
  virtual result<> confirm(lsn position) = 0;
};

}  // namespace v0
}  // namespace shardway
