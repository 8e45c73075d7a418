// A table as the stream, the copy and the mirror work with it: positions of key columns among the columns
// that travel.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/store/change_stream.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

struct followed_table {
  table_state state;
  std::uint64_t id{};                  ///< new for each object: part of the names of prepared statements
  std::vector<column_state> sent;      ///< all columns but generated ones, in the source's order
  std::vector<std::size_t> key;        ///< positions in `sent`
  std::vector<std::size_t> shard_key;  ///< positions in `sent`; empty for a reference table
  std::vector<key_column> shard_key_types;
  /// Equal primary keys mean the same slot. Else a key names a row only together with its slot (AP10).
  bool key_holds_place{};

  std::string const& name() const noexcept { return state.manifest.table; }
  std::string const& group() const noexcept { return state.manifest.group; }
  bool is_reference() const noexcept { return state.manifest.kind == table_kind::reference; }
};

using table_ptr = std::shared_ptr<followed_table const>;

/// Errors: `invalid_argument` (no key, a key column that the table does not have, a shard key of an
/// unsupported type).
result<table_ptr> follow_table(table_state const&);

/// The slot of a row; nothing if a shard-key value is not in the tuple (unchanged or NULL). Errors:
/// `invalid_argument` for a bad value.
result<std::optional<slot_id>> slot_of_tuple(followed_table const&, stream_tuple const&);

/// Whether the stream describes the table as we know it. Errors: `schema_drift` naming the first difference.
result<> check_relation(followed_table const&, stream_relation const&,
                        std::vector<std::string> const& type_names);

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
