#include "lib/migrate/stream/read/decoded_row.hpp"

#include "lib/migrate/stream/number_of.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"

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

stream_tuple image_of(row_event const& row) {
  auto image = *row.after;
  if (!row.before) return image;
  for (std::size_t i = 0; i < image.size() && i < row.before->size(); ++i) {
    auto const& old_value = (*row.before)[i];
    bool const is_known = old_value.kind == stream_value::kind_type::text;
    if (image[i].kind == stream_value::kind_type::unchanged && is_known) image[i] = old_value;
  }
  return image;
}

std::optional<leaf_truncate> leaf_truncate_of(row_event const& row) {
  constexpr std::string_view head = "truncate ";
  if (!row.after || row.relation->schema != names::schema || row.relation->name != "marker")
    return std::nullopt;
  auto const* text = field_of(*row.relation, *row.after, "wave");
  if (!text || !text->starts_with(head)) return std::nullopt;
  auto const named = parse_text_array(std::string_view(*text).substr(head.size()));
  if (!named || named->size() != 2) return std::nullopt;
  return leaf_truncate{named->front(), named->back()};
}

result<std::vector<std::string>> key_of(followed_table const& table, stream_tuple const& tuple) {
  std::vector<std::string> key;
  for (auto const column : table.key) {
    if (column >= tuple.size() || tuple[column].kind != stream_value::kind_type::text)
      return error{error_code::corrupt_data,
                   "the stream shows a row of table " + table.name() + " without its primary key",
                   "the replica identity of the table and of each partition must hold the primary key; a key "
                   "that is stored out of line needs a server of 13.6, 14.2 or later"};
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
