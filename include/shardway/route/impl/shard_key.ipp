// Bodies of shard_key.hpp: how the bytes are laid out.
#pragma once

#include <cstring>
#include <utility>

#include "shardway/base/ensure.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {
namespace key_bytes {

inline constexpr std::size_t header = 5;  ///< of a column in a composite key: tag and length

inline void put_big_endian(std::byte* destination, std::uint64_t value, std::size_t width) noexcept {
  for (std::size_t i = 0; i < width; ++i)
    destination[i] = static_cast<std::byte>(value >> (8 * (width - 1 - i)));
}
inline std::uint64_t get_big_endian(std::span<std::byte const> bytes) noexcept {
  std::uint64_t value = 0;
  for (auto const byte : bytes) value = (value << 8) | std::to_integer<std::uint64_t>(byte);
  return value;
}
inline void copy(std::byte* destination, std::span<std::byte const> bytes) noexcept {
  if (!bytes.empty()) std::memcpy(destination, bytes.data(), bytes.size());
}

}  // namespace key_bytes

constexpr key_type type_of(key_column column) noexcept {
  switch (column) {
    case key_column::smallint:
    case key_column::integer:
    case key_column::bigint:
      return key_type::integer;
    case key_column::text:
      return key_type::text;
    case key_column::uuid:
      return key_type::uuid;
    case key_column::bytea:
      return key_type::bytea;
  }
  return key_type{};
}

constexpr std::string_view name(key_type type) noexcept {
  switch (type) {
    case key_type::integer:
      return "integer";
    case key_type::text:
      return "text";
    case key_type::uuid:
      return "uuid";
    case key_type::bytea:
      return "bytea";
  }
  return "none";
}

inline std::byte* shard_key::room_for(std::size_t size) {
  size_ = static_cast<std::uint32_t>(size);
  if (size <= small_.size()) return small_.data();
  large_ = std::make_unique_for_overwrite<std::byte[]>(size);
  return large_.get();
}

inline shard_key::shard_key(integer_tag, std::int64_t value) noexcept
    : size_(8), columns_(1), type_(key_type::integer) {
  key_bytes::put_big_endian(small_.data(), static_cast<std::uint64_t>(value), 8);
}

inline shard_key::shard_key(key_type type, std::span<std::byte const> value) : columns_(1), type_(type) {
  key_bytes::copy(room_for(value.size()), value);
}

inline shard_key::shard_key(std::initializer_list<shard_key> columns) {
  std::span<shard_key const> const all{columns.begin(), columns.size()};
  if (all.size() == 1) {
    *this = all.front();
    return;
  }
  ensure(may_join(all), "a composite shard key has two to four keys of one column each");
  join(all);
}

inline bool shard_key::may_join(std::span<shard_key const> columns) noexcept {
  return columns.size() >= 2 && columns.size() <= limits::shard_key_columns_max && [&] {
    for (auto const& key : columns)
      if (key.columns_ != 1) return false;
    return true;
  }();
}

inline void shard_key::join(std::span<shard_key const> columns) {
  std::size_t size = 0;
  for (auto const& key : columns) size += key_bytes::header + key.size_;
  auto* next = room_for(size);
  for (auto const& key : columns) {
    *next = static_cast<std::byte>(key.type_);
    key_bytes::put_big_endian(next + 1, key.size_, 4);
    key_bytes::copy(next + key_bytes::header, key.bytes());
    next += key_bytes::header + key.size_;
  }
  columns_ = static_cast<std::uint8_t>(columns.size());
}

inline result<shard_key> shard_key::composite(std::span<shard_key const> columns) {
  if (columns.size() == 1 && columns.front().columns_ == 1) return columns.front();
  if (!may_join(columns))
    return error{error_code::invalid_argument,
                 "a shard key of " + std::to_string(columns.size()) + " columns cannot be made",
                 "give 1 to 4 keys of one column each, in the manifest's order"};
  shard_key key;
  key.join(columns);
  return key;
}

inline shard_key::shard_key(shard_key const& other) : columns_(other.columns_), type_(other.type_) {
  key_bytes::copy(room_for(other.size_), other.bytes());
}

inline shard_key::shard_key(shard_key&& other) noexcept
    : small_(other.small_),
      large_(std::move(other.large_)),
      size_(std::exchange(other.size_, 0)),
      columns_(std::exchange(other.columns_, std::uint8_t{0})),
      type_(other.type_) {}

inline shard_key& shard_key::operator=(shard_key const& other) {
  if (this != &other) *this = shard_key(other);
  return *this;
}

inline shard_key& shard_key::operator=(shard_key&& other) noexcept {
  small_ = other.small_;
  large_ = std::move(other.large_);
  size_ = std::exchange(other.size_, 0);
  columns_ = std::exchange(other.columns_, std::uint8_t{0});
  type_ = other.type_;
  return *this;
}

inline shard_key::column_bytes shard_key::column_of(std::size_t column) const noexcept {
  ensure(column < columns_, "the shard key has such a column");
  auto rest = bytes();
  if (columns_ == 1) return {type_, rest};
  for (;; --column) {
    auto const length = static_cast<std::size_t>(key_bytes::get_big_endian(rest.subspan(1, 4)));
    if (column == 0) return {static_cast<key_type>(rest[0]), rest.subspan(key_bytes::header, length)};
    rest = rest.subspan(key_bytes::header + length);
  }
}

inline key_type shard_key::type_of(std::size_t column) const noexcept { return column_of(column).type; }
inline std::span<std::byte const> shard_key::bytes_of(std::size_t column) const noexcept {
  return column_of(column).bytes;
}

inline bool operator==(shard_key const& a, shard_key const& b) noexcept {
  return a.columns_ == b.columns_ && (a.columns_ != 1 || a.type_ == b.type_) && a.size_ == b.size_ &&
         std::memcmp(a.bytes().data(), b.bytes().data(), a.size_) == 0;
}

}  // namespace v0
}  // namespace shardway
