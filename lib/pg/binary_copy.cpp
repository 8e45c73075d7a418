#include "lib/pg/binary_copy.hpp"

#include <algorithm>

namespace shardway {
inline namespace v0 {
namespace {

using bytes = std::span<std::byte const>;

constexpr std::size_t header_bytes = binary_copy_header.size();
constexpr std::size_t signature_bytes = 11;
constexpr std::size_t columns_max = 1664;  // of a result in PostgreSQL

std::uint32_t number_at(bytes unit, std::size_t offset) noexcept {
  std::uint32_t value{};
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint32_t>(unit[offset + i]);
  return value;
}

error malformed(char const* what) {
  return error{error_code::protocol_violation, std::string{"splitting a binary COPY: "} + what};
}

error bad_option(char const* what) {
  return error{error_code::invalid_argument, std::string{"binary_copy_options: "} + what};
}

}  // namespace

binary_copy_splitter::binary_copy_splitter(binary_copy_options options)
    : options_(std::move(options)), fields_(options_.chosen.size()) {}

result<binary_copy_splitter> binary_copy_splitter::make(binary_copy_options options) {
  if (options.columns < 1 || options.columns > columns_max) return bad_option("columns must be 1 to 1664");
  if (options.tuple_bytes_max == 0) return bad_option("tuple_bytes_max must be above 0");
  for (auto const position : options.chosen) {
    if (position >= options.columns) return bad_option("chosen must hold positions below columns");
  }
  return binary_copy_splitter{std::move(options)};
}

void binary_copy_splitter::feed(std::span<std::byte const> piece) { piece_ = piece; }

result<bool> binary_copy_splitter::advance_header(bytes unit) {
  scan_.needed = header_bytes;
  if (unit.size() < header_bytes) return false;
  if (!std::equal(unit.begin(), unit.begin() + signature_bytes, binary_copy_header.begin()))
    return malformed("it does not begin as one");
  if (number_at(unit, signature_bytes) >> 16 != 0)
    return malformed("it has a critical flag that is not known");
  auto const extension = number_at(unit, signature_bytes + 4);
  if (extension > options_.tuple_bytes_max) return malformed("its header's extension is too long");
  scan_.needed = header_bytes + extension;
  return unit.size() >= scan_.needed;
}

result<bool> binary_copy_splitter::advance_fields(bytes unit) {
  for (; scan_.fields_left > 0; --scan_.fields_left) {
    scan_.needed = scan_.cursor + 4;
    if (unit.size() < scan_.needed) return false;
    auto const length = static_cast<std::int32_t>(number_at(unit, scan_.cursor));
    if (length < -1) return malformed("a field's length is negative");
    scan_.cursor += 4 + static_cast<std::size_t>(std::max(length, 0));
    if (scan_.cursor > options_.tuple_bytes_max) {
      return error{
          error_code::invalid_argument,
          "a row is larger than tuple_bytes_max (" + std::to_string(options_.tuple_bytes_max) + " bytes)",
          "raise tuple_bytes_max, or move such rows by themselves"};
    }
  }
  scan_.needed = scan_.cursor;
  return unit.size() >= scan_.needed;
}

result<bool> binary_copy_splitter::advance_tuple(bytes unit) {
  if (!scan_.is_started) {
    scan_.needed = 2;
    if (unit.size() < 2) return false;
    auto const count = static_cast<std::size_t>(unit[0]) << 8 | static_cast<std::size_t>(unit[1]);
    if (count == 0xFFFF) {
      section_ = section::end;
      return true;
    }
    if (count != options_.columns)
      return malformed("a row has another number of fields than the COPY has columns");
    scan_ = {.cursor = 2, .needed = 2, .fields_left = count, .is_started = true};
  }
  return advance_fields(unit);
}

result<bool> binary_copy_splitter::advance(bytes unit) {
  return section_ == section::header ? advance_header(unit) : advance_tuple(unit);
}

// The next complete header or tuple. It lies in the piece, or in held_ if the end of a piece cut it.
result<std::optional<bytes>> binary_copy_splitter::next_unit() {
  using maybe = std::optional<bytes>;
  if (held_.empty()) {
    BOOST_OUTCOME_TRY(bool const is_whole, advance(piece_));
    if (is_whole) {
      auto const unit = piece_.first(scan_.needed);
      piece_ = piece_.subspan(scan_.needed);
      return maybe{unit};
    }
  }
  for (;;) {
    auto const more = std::min(piece_.size(), scan_.needed - held_.size());
    held_.insert(held_.end(), piece_.begin(), piece_.begin() + static_cast<std::ptrdiff_t>(more));
    piece_ = piece_.subspan(more);
    BOOST_OUTCOME_TRY(bool const is_whole, advance(held_));
    if (is_whole) break;
    if (piece_.empty()) return maybe{};
  }
  is_held_shown_ = true;
  return maybe{bytes{held_}};
}

void binary_copy_splitter::show_fields(bytes tuple) {
  std::size_t offset = 2;
  for (std::size_t column = 0; column < options_.columns; ++column) {
    auto const length = static_cast<std::int32_t>(number_at(tuple, offset));
    std::optional<bytes> value;
    if (length >= 0) value = tuple.subspan(offset + 4, static_cast<std::size_t>(length));
    for (std::size_t i = 0; i < options_.chosen.size(); ++i) {
      if (options_.chosen[i] == column) fields_[i] = value;
    }
    offset += 4 + (value ? value->size() : 0);
  }
}

result<std::optional<binary_tuple>> binary_copy_splitter::next_tuple() {
  using maybe = std::optional<binary_tuple>;
  for (;;) {
    if (std::exchange(is_held_shown_, false)) held_.clear();
    if (section_ == section::end && !piece_.empty()) return malformed("there are bytes after its end");
    if (piece_.empty()) return maybe{};
    BOOST_OUTCOME_TRY(auto const unit, next_unit());
    if (!unit) return maybe{};
    scan_ = {};
    if (section_ == section::end) continue;
    if (std::exchange(section_, section::tuples) == section::header) continue;
    show_fields(*unit);
    ++tuples_;
    return maybe{binary_tuple{*unit, fields_}};
  }
}

result<std::optional<binary_tuple>> binary_copy_splitter::next() {
  if (failure_) return *failure_;
  auto tuple = next_tuple();
  if (!tuple) failure_ = tuple.error();
  return tuple;
}

result<> binary_copy_splitter::finish() const {
  if (failure_) return *failure_;
  if (section_ == section::end && piece_.empty()) return success();
  return malformed("it ended before its last row");
}

}  // namespace v0
}  // namespace shardway
