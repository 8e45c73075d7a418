// Lists of column names in rules and in their texts.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <absl/strings/str_join.h>

#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

inline bool contains(std::vector<std::string> const& values, std::string_view wanted) {
  return std::find(values.begin(), values.end(), wanted) != values.end();
}

inline std::string column_list(std::vector<std::string> const& columns) {
  return absl::StrJoin(columns, ", ");
}

inline std::string quoted_list(std::vector<std::string> const& columns) {
  return absl::StrJoin(
      columns, ", ", [](std::string* out, std::string const& column) { out->append(names::quoted(column)); });
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
