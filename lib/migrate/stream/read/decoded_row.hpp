// Reading decoded rows: the project's own tables by column name, users' tables by position.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/migrate/stream/followed_table.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// The column's value in a tuple of the relation; null if there is no such column or it is NULL.
std::string const* field_of(stream_relation const&, stream_tuple const&, std::string_view column) noexcept;
/// Values of the primary key. Errors: `corrupt_data` if one is missing from the tuple.
result<std::vector<std::string>> key_of(followed_table const&, stream_tuple const&);
/// The new image of an inserted or updated row. A value that the server left out, because the update did not
/// change it, comes from the old row where that has it: a key stored out of line (AS4). Preconditions:
/// `after`.
stream_tuple image_of(row_event const&);

/// One partition was emptied: a marker row of our trigger, for what the server does not publish (AP5a).
struct leaf_truncate {
  std::string table;  ///< "schema.name"
  std::string leaf;
};
/// Nothing for any other row.
std::optional<leaf_truncate> leaf_truncate_of(row_event const&);
/// The id of a marker row. Errors: `protocol_violation` if the row has none.
result<std::int64_t> marker_of(row_event const&);

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
