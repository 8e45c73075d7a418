#include "lib/migrate/stream/table_sql.hpp"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/place.hpp"
#include "lib/protocol/slot_of.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

std::string quoted_column(followed_table const& table, std::size_t column) {
  return names::quoted(table.sent[column].name);
}

std::string sent_column_list(followed_table const& table) {
  return absl::StrJoin(table.sent, ", ", [](std::string* out, column_state const& column) {
    out->append(names::quoted(column.name));
  });
}

std::string slot_of_row(followed_table const& table, std::string const& prefix) {
  std::vector<std::string> key;
  for (auto const column : table.shard_key) key.push_back(key_expression(table.sent[column], prefix));
  return slot_of_call(key);
}

std::string outside_authority(followed_table const& table) {
  return shardway::outside_authority(table.group(), slot_of_row(table));
}

std::string unique_expressions(std::string const& detail) {
  auto const first = detail.find('(');
  auto const last = first == std::string::npos ? first : detail.find(")=(", first);
  if (last == std::string::npos) return {};
  return detail.substr(first + 1, last - first - 1);
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
