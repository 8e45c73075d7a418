#include "lib/client/reads/version_column.hpp"

#include <algorithm>

#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {

rows without_version_column(rows all) {
  auto const ours = [](rows::column const& one) { return one.name == names::version_column; };
  auto const& columns = all.columns();
  if (std::none_of(columns.begin(), columns.end(), ours)) return all;
  std::vector<rows::column> kept;
  std::copy_if(columns.begin(), columns.end(), std::back_inserter(kept),
               [&](auto const& one) { return !ours(one); });
  std::vector<text_value> values;
  values.reserve(kept.size() * all.size());
  for (std::size_t row = 0; row < all.size(); ++row)
    for (std::size_t column = 0; column < columns.size(); ++column) {
      if (ours(columns[column])) continue;
      auto const value = all.at(row, column);
      values.push_back(value ? text_value{*value} : std::nullopt);
    }
  return rows{std::move(kept), all.size(), std::move(values), all.affected()}.with_command(
      all.command(), all.is_sync_wait_cancelled());
}

}  // namespace v0
}  // namespace shardway
