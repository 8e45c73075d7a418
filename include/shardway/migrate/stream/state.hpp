// What the engine tells of its streams and of its copy.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shardway/base/error.hpp"
#include "shardway/base/lsn.hpp"
#include "shardway/protocol/stream_position.hpp"

namespace shardway {
inline namespace v0 {

/// One stream as seen now: source -> one shard, or one shard -> source (its mirror).
struct stream_state {
  std::string stream;               ///< node it feeds (forward), or node it comes from (mirror)
  bool is_running{};                ///< false before its start, after its stop, and once `failure` is set
  bool is_connected{};              ///< to both ends; false while it tries again
  stream_position position{};       ///< committed on the target: applied LSN, newest marker, totals
  std::int64_t lag_bytes{};         ///< WAL of the origin that is not applied yet
  std::chrono::milliseconds lag{};  ///< age of the oldest change not applied yet; 0 when there is none
  std::size_t queued{};             ///< row changes decoded and not yet committed
  std::optional<error> failure{};   ///< why it stopped for good; needs an operator or a copy
  std::string waiting{};  ///< what it waits for and then goes on by itself, such as a partition; else empty
};

/// One table of a copy.
struct table_copy_progress {
  std::string table;
  std::int64_t chunks{};  ///< 0 until planned
  std::int64_t chunks_closed{};
  std::int64_t rows{};   ///< of closed chunks
  std::int64_t bytes{};  ///< of closed chunks, in binary COPY form
  friend bool operator==(table_copy_progress const&, table_copy_progress const&) = default;
};

/// The copy of a group.
struct copy_progress {
  bool is_running{};
  bool is_paused{};
  bool is_complete{};  ///< every chunk of every table of the group is closed (I6)
  std::vector<table_copy_progress> tables;
  double rows_per_second{};        ///< since this engine started the copy
  std::optional<error> failure{};  ///< why it stopped; `start_copy` again goes on where it was
};

}  // namespace v0
}  // namespace shardway
