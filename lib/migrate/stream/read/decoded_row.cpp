#include "lib/migrate/stream/read/decoded_row.hpp"

#include "lib/migrate/stream/number_of.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

std::string const* field_of(stream_relation const& relation, stream_tuple const& tuple,
                            std::string_view column) noexcept {
  for (std::size_t i = 0; i < relation.columns.size() && i < tuple.size(); ++i)
    if (relation.columns[i].name == column)
      return tuple[i].kind == stream_value::kind_type::text ? &tuple[i].text : nullptr;
  return nullptr;
}

result<std::vector<std::string>> key_of(followed_table const& table, stream_tuple const& tuple) {
  std::vector<std::string> key;
  for (auto const column : table.key) {
    if (column >= tuple.size() || tuple[column].kind != stream_value::kind_type::text)
      return error{error_code::corrupt_data,
                   "the stream shows a row of table " + table.name() + " without its primary key",
                   "its replica identity must hold the primary key"};
    key.push_back(tuple[column].text);
  }
  return key;
}

result<std::int64_t> marker_of(row_event const& row) {
  auto const* text = row.after ? field_of(*row.relation, *row.after, "id") : nullptr;
  auto const id = text ? number_of<std::int64_t>(*text) : std::nullopt;
  if (!id)
    return error{error_code::protocol_violation,
                 "the stream shows a row of shardway.marker that does not parse"};
  return *id;
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
