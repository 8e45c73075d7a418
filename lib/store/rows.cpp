#include "shardway/store/rows.hpp"

#include <charconv>

#include "shardway/base/ensure.hpp"

namespace shardway {
inline namespace v0 {

rows::rows(std::vector<column> columns, std::size_t row_count, std::vector<text_value> values,
           std::int64_t affected)
    : columns_(std::move(columns)), row_count_(row_count), values_(std::move(values)), affected_(affected) {
  ensure(values_.size() == columns_.size() * row_count_, "rows hold one value per row and column");
}

rows rows::with_command(std::string tag, bool is_sync_wait_cancelled) && {
  command_ = std::move(tag);
  is_sync_wait_cancelled_ = is_sync_wait_cancelled;
  return std::move(*this);
}

std::optional<std::size_t> rows::find(std::string_view column_name) const noexcept {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].name == column_name) return i;
  }
  return std::nullopt;
}

std::optional<std::string_view> rows::at(std::size_t row, std::size_t position) const noexcept {
  ensure(row < row_count_ && position < columns_.size(), "rows are read inside their bounds");
  auto const& value = values_[row * columns_.size() + position];
  if (!value) return std::nullopt;
  return std::string_view{*value};
}

std::string_view rows::text(std::size_t row, std::size_t position) const noexcept {
  return at(row, position).value_or(std::string_view{});
}

result<std::int64_t> rows::integer(std::size_t row, std::size_t position) const {
  auto const value = text(row, position);
  std::int64_t number{};
  auto const [end, code] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (code == std::errc{} && end == value.data() + value.size()) return number;
  return error{error_code::protocol_violation,
               "column \"" + columns_[position].name + "\" of a result holds no whole number of 64 bits"};
}

bool rows::boolean(std::size_t row, std::size_t position) const noexcept {
  return text(row, position) == "t";
}

}  // namespace v0
}  // namespace shardway
