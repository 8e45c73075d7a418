// Changes on their way to one shard, and what is left of them when only the net effect counts. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/migrate/stream/followed_table.hpp"
#include "lib/migrate/stream/window.hpp"
#include "shardway/base/row_version.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

struct stream_change {
  enum class kind_type : unsigned char {
    upsert,  ///< the row has this image now; `unchanged` columns keep what is there
    remove,  ///< the row is not on this shard any more
    empty,   ///< every row of a partition is gone; `key` is the partition's name
    locate,  ///< a delete that names no slot: only where the shard key of the row found lies in an open
             ///< window
  };
  kind_type kind{};
  table_ptr table;
  std::vector<std::string> key;  ///< values of the primary key, in text form
  stream_tuple image{};          ///< of `table->sent`, for an upsert
  row_version version{};
  bool has_outbox{};  ///< its version came from an outbox row
  std::uint32_t xid{};
  std::shared_ptr<window_state const> windows{};  ///< for `locate`, where not every slot is open
};

/// A rough number of bytes a change holds.
std::size_t size_of(stream_change const&) noexcept;
/// Whether a column was left out of the image because the update did not touch it.
bool is_partial(stream_change const&) noexcept;
/// Names the row within its table; never leaves the process.
std::string identity_of(stream_change const&);

/// At most one change a row, in the order of each row's last change: final image, highest version; columns
/// that a later update left alone come from the earlier image. A partition that was emptied keeps its place:
/// what came before it stays before it.
std::vector<stream_change> net_effect(std::span<stream_change const> changes);

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
