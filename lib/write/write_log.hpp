// What one attempt of a write has changed so far.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lib/write/dual_writer.hpp"

namespace shardway {
inline namespace v0 {
/// A row as it came out, of a table with lookups.
struct lookup_change {
  table_state const* table{};
  std::vector<text_value> image;
  std::shared_ptr<generation const> keeps{};  ///< what `table` points into
};

/// What one attempt has changed so far.
struct write_log {
  std::vector<dual_write_change> changes;
  std::vector<lookup_change> lookups;
  std::int32_t next_ordinal{1};
  std::int64_t affected{};
};

}  // namespace v0
}  // namespace shardway
