// The shard key of a row and its canonical bytes. The bytes are frozen (docs/formats/shard_key.md), because
// the slot of every stored row follows from them.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "shardway/base/limits.hpp"
#include "shardway/base/result.hpp"

namespace shardway {
inline namespace v0 {

using uuid_bytes = std::array<std::uint8_t, 16>;

/// The type of a key column. Frozen: the numbers are the tags in the bytes of a composite key.
enum class key_type : std::uint8_t { integer = 1, text = 2, uuid = 3, bytea = 4 };

/// A column type of PostgreSQL that may be part of a shard key.
enum class key_column : std::uint8_t { smallint, integer, bigint, text, uuid, bytea };

/// The column type for a name as `format_type` prints it: "smallint", "integer", "bigint", "text", "character
/// varying", "character varying(64)", "uuid", "bytea".
///
/// Errors: `invalid_argument` for any other type. "character(n)" is refused too: it pads with blanks, so that
/// one key would have two texts.
result<key_column> key_column_of(std::string_view type_name);

/// What the width of an integer or the length of a varchar leaves of a key column's values.
struct key_limits {
  std::int64_t lowest{std::numeric_limits<std::int64_t>::min()};
  std::int64_t highest{std::numeric_limits<std::int64_t>::max()};
  std::uint32_t characters_max{};  ///< of a text; 0: no limit
  friend bool operator==(key_limits const&, key_limits const&) = default;
};

/// The limits of a column type, named as for `key_column_of`. A type without limits, or one that is no type
/// of a key, has none.
constexpr key_limits key_limits_of(std::string_view type_name) noexcept;

/// The tag of a column of this type.
constexpr key_type type_of(key_column) noexcept;

/// "integer", "text", "uuid", "bytea".
constexpr std::string_view name(key_type) noexcept;

template <class T>
concept key_integer =
    std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
    !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t> &&
    (std::signed_integral<T> || sizeof(T) < sizeof(std::int64_t));
template <class T>
concept key_text = std::convertible_to<T const&, std::string_view> && !std::same_as<T, std::nullptr_t>;

/// The value of one shard key, of one to four columns. NULL is no key.
///
/// Integers of every width give the same bytes. Text is taken as UTF-8, unchanged. Conversions are implicit,
/// so that a call reads `route("shop.orders", 42)`. Types whose meaning is not clear (bool, char, 64-bit
/// unsigned, floating point) do not compile.
///
/// Thread safety: a value. Cost: no allocation up to 40 canonical bytes (an integer, a uuid, a text of 40
/// bytes, two integers); otherwise one.
class shard_key {
 public:
  /// No key: it has no columns and cannot be routed.
  shard_key() noexcept = default;

  template <key_integer T>
  shard_key(T value) noexcept : shard_key{integer_tag{}, static_cast<std::int64_t>(value)} {}
  template <key_text T>
  shard_key(T const& value) : shard_key{key_type::text, as_bytes(std::string_view{value})} {}
  shard_key(uuid_bytes const& value) : shard_key{key_type::uuid, std::as_bytes(std::span{value})} {}
  shard_key(std::span<std::byte const> value) : shard_key{key_type::bytea, value} {}
  shard_key(std::nullptr_t) = delete;

  /// A composite key, in the manifest's order of columns. A list of one key is that key.
  /// Preconditions: 1 to 4 keys, each of one column.
  shard_key(std::initializer_list<shard_key> columns);

  /// A composite key of a number of columns that is known only at run time. Errors: `invalid_argument`.
  static result<shard_key> composite(std::span<shard_key const> columns);

  /// From PostgreSQL's text form of a column (bytea: the hex form only). Errors: `invalid_argument`; the
  /// message does not quote the value.
  static result<shard_key> from_text(key_column, std::string_view text);
  /// The same, with the type's limits: a text longer than its varchar is refused, blanks included.
  static result<shard_key> from_text(std::string_view type_name, std::string_view text);

  /// From the field of a binary COPY or of a binary parameter. Errors: `invalid_argument`.
  static result<shard_key> from_binary(key_column, std::span<std::byte const> field);
  static result<shard_key> from_binary(std::string_view type_name, std::span<std::byte const> field);

  shard_key(shard_key const& other);
  shard_key(shard_key&& other) noexcept;
  shard_key& operator=(shard_key const& other);
  shard_key& operator=(shard_key&& other) noexcept;
  ~shard_key() = default;

  bool empty() const noexcept { return columns_ == 0; }
  std::size_t columns() const noexcept { return columns_; }

  /// The canonical bytes. Lifetime: until the key is assigned to or destroyed.
  std::span<std::byte const> bytes() const noexcept { return {large_ ? large_.get() : small_.data(), size_}; }

  /// The type of one column, and its bytes. Preconditions: column < columns().
  key_type type_of(std::size_t column) const noexcept;
  std::span<std::byte const> bytes_of(std::size_t column) const noexcept;

  /// The column's value in PostgreSQL's text form, for use as a parameter of a statement. Preconditions:
  /// column < columns().
  std::string text_of(std::size_t column) const;

  /// Refuses a key that PostgreSQL would refuse (text that is not UTF-8 or holds NUL) and a key longer than
  /// `limits::shard_key_bytes_max`. Errors: `invalid_argument`. Cost: nothing for integers and uuids; one
  /// pass over text.
  result<void> check() const;

  /// Whether the columns have these types and `check` would succeed. Cost: as `check`; no allocation.
  bool fits(std::span<key_type const> types) const noexcept;

  /// Whether each column of a key that `fits` is within the limits of its column. A cast in SQL would cut a
  /// text that is not, and the key would name another node than the row's. Limits that are left out at the
  /// end are none. Cost: one pass over a text that has a limit; no allocation.
  bool is_within(std::span<key_limits const> limits) const noexcept;

  friend bool operator==(shard_key const& a, shard_key const& b) noexcept;

 private:
  struct integer_tag {};
  struct column_bytes {
    key_type type;
    std::span<std::byte const> bytes;
  };
  shard_key(integer_tag, std::int64_t value) noexcept;
  shard_key(key_type type, std::span<std::byte const> value);
  static std::span<std::byte const> as_bytes(std::string_view text) noexcept {
    return std::as_bytes(std::span{text.data(), text.size()});
  }
  static bool may_join(std::span<shard_key const> columns) noexcept;
  void join(std::span<shard_key const> columns);
  std::byte* room_for(std::size_t size);
  column_bytes column_of(std::size_t column) const noexcept;
  static bool is_sound(column_bytes const&) noexcept;
  bool columns_fit(std::span<key_type const> types) const noexcept;

  std::array<std::byte, 40> small_{};
  std::unique_ptr<std::byte[]> large_;
  std::uint32_t size_{};
  std::uint8_t columns_{};
  key_type type_{};  ///< of a key of one column
};

}  // namespace v0
}  // namespace shardway

#include "shardway/route/impl/shard_key.ipp"
#include "shardway/route/impl/shard_key_text.ipp"
