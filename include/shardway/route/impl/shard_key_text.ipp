// Bodies of shard_key.hpp: PostgreSQL's text and binary forms.
#pragma once

#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

#include "shardway/base/uuid_text.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {
namespace key_text_form {

inline error refused(std::string_view what) {
  return error{error_code::invalid_argument, "a shard key cannot be read: " + std::string{what}};
}

inline result<shard_key> integer(std::string_view text, std::int64_t low, std::int64_t high) {
  std::int64_t value = 0;
  auto const [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || value < low || value > high)
    return refused("the text is no integer of the column's width");
  return shard_key(value);
}
template <class T>
result<shard_key> integer(std::string_view text) {
  return integer(text, std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
}

inline result<shard_key> bytea(std::string_view text) {
  if (text.size() % 2 != 0 || !text.starts_with("\\x")) return refused("the text is no bytea in hex form");
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t position = 2; position < text.size(); position += 2) {
    int const high = uuid_text::digit(text[position]), low = uuid_text::digit(text[position + 1]);
    if (high < 0 || low < 0) return refused("the text is no bytea in hex form");
    bytes.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return shard_key(std::span<std::byte const>{bytes});
}

inline result<shard_key> checked(shard_key key) {
  BOOST_OUTCOME_TRYV(key.check());
  return key;
}

/// The length in bytes of the UTF-8 sequence at the start of the text, as PostgreSQL accepts it (no
/// surrogate, nothing overlong, no NUL). 0 if there is no such sequence.
inline std::size_t utf8_step(std::span<std::byte const> text) noexcept {
  auto const byte = [&](std::size_t i) { return i < text.size() ? std::to_integer<unsigned>(text[i]) : 0u; };
  auto const tail = [&](std::size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
  unsigned const first = byte(0), second = byte(1);
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    bool const fits = first == 0xE0 ? second >= 0xA0 : first == 0xED ? second <= 0x9F : true;
    return fits && tail(1) && tail(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    bool const fits = first == 0xF0 ? second >= 0x90 : first == 0xF4 ? second <= 0x8F : true;
    return fits && tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

/// 8 bytes of ASCII without NUL.
inline bool is_plain(std::span<std::byte const> text) noexcept {
  std::uint64_t eight;
  std::memcpy(&eight, text.data(), sizeof eight);
  return (((eight - 0x0101010101010101ULL) | eight) & 0x8080808080808080ULL) == 0;
}

inline bool is_utf8(std::span<std::byte const> text) noexcept {
  while (text.size() >= 8 && is_plain(text)) text = text.subspan(8);
  while (!text.empty()) {
    auto const step = utf8_step(text);
    if (step == 0) return false;
    text = text.subspan(step);
  }
  return true;
}

/// Characters of a text that is UTF-8.
inline std::size_t characters(std::span<std::byte const> text) noexcept {
  std::size_t count = 0;
  for (auto const byte : text) count += (std::to_integer<unsigned>(byte) & 0xC0u) != 0x80u;
  return count;
}

constexpr std::string_view varchar_with_length = "character varying(";

/// The number before the closing parenthesis; 0 if there is none.
constexpr std::uint32_t length_of(std::string_view type) noexcept {
  if (!type.starts_with(varchar_with_length) || !type.ends_with(')')) return 0;
  std::uint32_t length = 0;
  for (auto const digit :
       type.substr(varchar_with_length.size(), type.size() - varchar_with_length.size() - 1)) {
    if (digit < '0' || digit > '9') return 0;
    length = length * 10 + static_cast<std::uint32_t>(digit - '0');
  }
  return length;
}

template <class T>
constexpr key_limits limits_of_integer() noexcept {
  return {
      .lowest = std::numeric_limits<T>::min(), .highest = std::numeric_limits<T>::max(), .characters_max = 0};
}

inline result<shard_key> within(shard_key key, key_limits const& limits) {
  if (key.is_within({&limits, 1})) return key;
  return refused("the text is longer than the column's type");
}

}  // namespace key_text_form

constexpr key_limits key_limits_of(std::string_view type) noexcept {
  if (type == "smallint") return key_text_form::limits_of_integer<std::int16_t>();
  if (type == "integer") return key_text_form::limits_of_integer<std::int32_t>();
  key_limits limits;
  limits.characters_max = key_text_form::length_of(type);
  return limits;
}

inline result<key_column> key_column_of(std::string_view type) {
  if (type == "smallint") return key_column::smallint;
  if (type == "integer") return key_column::integer;
  if (type == "bigint") return key_column::bigint;
  if (type == "text" || type == "character varying" || type.starts_with("character varying("))
    return key_column::text;
  if (type == "uuid") return key_column::uuid;
  if (type == "bytea") return key_column::bytea;
  return error{error_code::invalid_argument,
               "a column of type " + std::string{type} + " cannot be part of a shard key",
               "use smallint, integer, bigint, text, character varying, uuid or bytea"};
}

inline result<shard_key> shard_key::from_text(key_column column, std::string_view text) {
  switch (column) {
    case key_column::smallint:
      return key_text_form::integer<std::int16_t>(text);
    case key_column::integer:
      return key_text_form::integer<std::int32_t>(text);
    case key_column::bigint:
      return key_text_form::integer<std::int64_t>(text);
    case key_column::text:
      return key_text_form::checked(shard_key(text));
    case key_column::bytea: {
      BOOST_OUTCOME_TRY(auto key, key_text_form::bytea(text));
      return key_text_form::checked(std::move(key));
    }
    case key_column::uuid:
      break;
  }
  auto const bytes = uuid_text::parse(text);
  if (!bytes) return key_text_form::refused("the text is no uuid");
  return shard_key(*bytes);
}

inline result<shard_key> shard_key::from_text(std::string_view type_name, std::string_view text) {
  BOOST_OUTCOME_TRY(auto column, key_column_of(type_name));
  BOOST_OUTCOME_TRY(auto key, from_text(column, text));
  return key_text_form::within(std::move(key), key_limits_of(type_name));
}

inline result<shard_key> shard_key::from_binary(key_column column, std::span<std::byte const> field) {
  auto const width = column == key_column::smallint  ? 2u
                     : column == key_column::integer ? 4u
                     : column == key_column::bigint  ? 8u
                     : column == key_column::uuid    ? 16u
                                                     : 0u;
  if (width != 0 && field.size() != width)
    return key_text_form::refused("the binary field has not the length of its type");
  switch (column) {
    case key_column::smallint:
      return shard_key(static_cast<std::int16_t>(key_bytes::get_big_endian(field)));
    case key_column::integer:
      return shard_key(static_cast<std::int32_t>(key_bytes::get_big_endian(field)));
    case key_column::bigint:
      return shard_key(static_cast<std::int64_t>(key_bytes::get_big_endian(field)));
    case key_column::text:
    case key_column::uuid:
    case key_column::bytea:
      break;
  }
  return key_text_form::checked(shard_key(shardway::type_of(column), field));
}

inline result<shard_key> shard_key::from_binary(std::string_view type_name,
                                                std::span<std::byte const> field) {
  BOOST_OUTCOME_TRY(auto column, key_column_of(type_name));
  return from_binary(column, field);
}

inline std::string shard_key::text_of(std::size_t column) const {
  auto const [type, bytes] = column_of(column);
  switch (type) {
    case key_type::integer:
      return std::to_string(static_cast<std::int64_t>(key_bytes::get_big_endian(bytes)));
    case key_type::text:
      return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
    case key_type::uuid: {
      uuid_bytes value;
      std::memcpy(value.data(), bytes.data(), value.size());
      return uuid_text::print(value);
    }
    case key_type::bytea:
      break;
  }
  constexpr char digits[] = "0123456789abcdef";
  std::string text = "\\x";
  for (auto const byte : bytes) {
    text.push_back(digits[std::to_integer<unsigned>(byte) >> 4]);
    text.push_back(digits[std::to_integer<unsigned>(byte) & 15]);
  }
  return text;
}

inline bool shard_key::is_sound(column_bytes const& one) noexcept {
  if (one.type == key_type::integer || one.type == key_type::uuid) [[likely]]
    return true;
  return one.bytes.size() <= limits::shard_key_bytes_max &&
         (one.type != key_type::text || key_text_form::is_utf8(one.bytes));
}

inline bool shard_key::fits(std::span<key_type const> types) const noexcept {
  if (columns_ != types.size() || columns_ == 0) return false;
  if (columns_ == 1 && (type_ == key_type::integer || type_ == key_type::uuid)) [[likely]]
    return type_ == types[0];
  return columns_fit(types);
}

// Out of line: most keys do not need it, and inline it would cost all of them registers.
[[gnu::noinline]] inline bool shard_key::columns_fit(std::span<key_type const> types) const noexcept {
  if (columns_ == 1) return type_ == types[0] && is_sound({type_, bytes()});
  auto rest = bytes();
  for (auto const type : types) {
    auto const length = static_cast<std::size_t>(key_bytes::get_big_endian(rest.subspan(1, 4)));
    column_bytes const one{static_cast<key_type>(rest[0]), rest.subspan(key_bytes::header, length)};
    if (one.type != type || !is_sound(one)) return false;
    rest = rest.subspan(key_bytes::header + length);
  }
  return true;
}

inline bool shard_key::is_within(std::span<key_limits const> limits) const noexcept {
  for (std::size_t column = 0; column < columns_ && column < limits.size(); ++column) {
    auto const [type, bytes] = column_of(column);
    auto const& [lowest, highest, characters_max] = limits[column];
    if (type == key_type::integer) {
      auto const value = static_cast<std::int64_t>(key_bytes::get_big_endian(bytes));
      if (value < lowest || value > highest) return false;
    } else if (type == key_type::text && characters_max != 0) {
      if (key_text_form::characters(bytes) > characters_max) return false;
    }
  }
  return true;
}

inline result<void> shard_key::check() const {
  if (empty())
    return error{error_code::invalid_argument, "the shard key is empty",
                 "give a value for each column of the shard key"};
  for (std::size_t column = 0; column < columns_; ++column) {
    auto const [type, bytes] = column_of(column);
    if (bytes.size() > limits::shard_key_bytes_max)
      return error{error_code::invalid_argument,
                   "the shard key is longer than " + std::to_string(limits::shard_key_bytes_max) + " bytes"};
    if (type == key_type::text && !key_text_form::is_utf8(bytes))
      return error{error_code::invalid_argument, "the shard key is no valid UTF-8 text, or holds NUL",
                   "give text encoded as UTF-8"};
  }
  return success();
}

}  // namespace v0
}  // namespace shardway
