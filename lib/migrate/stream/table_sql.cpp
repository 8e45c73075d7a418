#include "lib/migrate/stream/table_sql.hpp"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/names.hpp"
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

std::string outside_authority(followed_table const& table) {
  std::vector<std::string> key;
  for (auto const column : table.shard_key) key.push_back(key_expression(table.sent[column], "t."));
  return absl::StrCat("NOT EXISTS (SELECT 1 FROM ", names::fence(table.group()), " AS f WHERE f.is_open AND ",
                      slot_of_call(key), " BETWEEN f.slot_from AND f.slot_to)");
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
