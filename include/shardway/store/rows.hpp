// The rows that one statement returned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/result.hpp"

namespace shardway {
inline namespace v0 {

/// A value in PostgreSQL's text form. NULL is `std::nullopt`.
using text_value = std::optional<std::string>;

/// The rows that one statement returned.
///
/// Thread safety: a value. Lifetime: owns its data; the views it returns live as long as it does.
class rows {
 public:
  struct column {
    std::string name;
    std::uint32_t type_oid{};
    friend bool operator==(column const&, column const&) = default;
  };

  rows() = default;
  rows(std::vector<column> columns, std::size_t row_count, std::vector<text_value> values,
       std::int64_t affected);

  /// The same rows, with what the server said at the end of the statement.
  rows with_command(std::string tag, bool is_sync_wait_cancelled) &&;

  std::size_t size() const noexcept { return row_count_; }
  bool empty() const noexcept { return row_count_ == 0; }
  std::vector<column> const& columns() const noexcept { return columns_; }

  /// The position of a column, by name. Nothing if there is no such column.
  std::optional<std::size_t> find(std::string_view column_name) const noexcept;

  /// The value, or nothing for NULL. Preconditions (of all four): both positions are in range.
  std::optional<std::string_view> at(std::size_t row, std::size_t position) const noexcept;

  /// The value's text. Empty for NULL.
  std::string_view text(std::size_t row, std::size_t position) const noexcept;

  /// The value as a number. Errors: `protocol_violation` if it is not a number.
  result<std::int64_t> integer(std::size_t row, std::size_t position) const;

  /// "t" is true. Everything else is false, NULL included.
  bool boolean(std::size_t row, std::size_t position) const noexcept;

  /// Rows inserted, updated, deleted or selected, as the server counted them.
  std::int64_t affected() const noexcept { return affected_; }

  /// The command tag without its numbers, such as "COMMIT". After COMMIT of a failed transaction it is
  /// "ROLLBACK".
  std::string const& command() const noexcept { return command_; }

  /// The server warned that the wait for a synchronous standby was cancelled. A failover may lose what was
  /// committed.
  bool is_sync_wait_cancelled() const noexcept { return is_sync_wait_cancelled_; }

 private:
  std::vector<column> columns_;
  std::size_t row_count_{};
  std::vector<text_value> values_;  // row by row
  std::int64_t affected_{};
  std::string command_;
  bool is_sync_wait_cancelled_{};
};

}  // namespace v0
}  // namespace shardway
