// Cuts a binary COPY stream into tuples. Pure: no connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "shardway/base/result.hpp"

namespace shardway {
inline namespace v0 {

/// What a binary COPY begins with (no flags, no extension) and ends with: for writing one.
inline constexpr std::array<std::byte, 19> binary_copy_header{
    std::byte{'P'}, std::byte{'G'},  std::byte{'C'},  std::byte{'O'},  std::byte{'P'},
    std::byte{'Y'}, std::byte{'\n'}, std::byte{0xFF}, std::byte{'\r'}, std::byte{'\n'},
    std::byte{0},   std::byte{0},    std::byte{0},    std::byte{0},    std::byte{0},
    std::byte{0},   std::byte{0},    std::byte{0},    std::byte{0}};
inline constexpr std::array<std::byte, 2> binary_copy_trailer{std::byte{0xFF}, std::byte{0xFF}};

/// One tuple. Lifetime: until the splitter's next `next` or `feed`.
struct binary_tuple {
  std::span<std::byte const> bytes;  ///< as another binary COPY takes it: field count, lengths and values

  /// The chosen fields, in the order of `chosen`. NULL is `std::nullopt`.
  std::span<std::optional<std::span<std::byte const>> const> fields;
};

struct binary_copy_options {
  /// The number of columns of the COPY, 1 to 1,664. A tuple with another number is refused.
  std::size_t columns{};

  /// The positions, from 0, whose values `binary_tuple::fields` shows, such as those of the key.
  std::vector<std::size_t> chosen{};

  /// A larger tuple is refused, so that memory stays bounded (W27); > 0.
  std::size_t tuple_bytes_max{std::size_t{64} << 20};
};

/// Feed it the pieces of a COPY as they arrive; they may be cut anywhere. After each piece, take tuples until
/// there is none.
///
///     splitter.feed(piece);
///     for (;;) { BOOST_OUTCOME_TRY(auto tuple, splitter.next()); if (!tuple) break; ... }
///
/// A tuple that lies completely in one piece is not copied. Only a tuple that is cut by the end of a piece
/// is.
///
/// Thread safety: distinct objects: safe. Shared object: not safe.
class binary_copy_splitter {
 public:
  /// Errors: `invalid_argument`, with the field's name and range.
  static result<binary_copy_splitter> make(binary_copy_options);

  /// Preconditions: for the piece before, `next` has returned that there is no more tuple. `piece` lives
  /// until `next` does so for this piece.
  void feed(std::span<std::byte const> piece);

  /// The next tuple, or nothing if more bytes are needed. Errors: `protocol_violation` (this is no binary
  /// COPY, or another number of columns, or there are bytes after the end), `invalid_argument` (the tuple is
  /// too large). Every later call returns the same error.
  result<std::optional<binary_tuple>> next();

  /// Refuses a COPY that is not complete. Call it when the server says that the COPY is over. Errors:
  /// `protocol_violation`.
  result<> finish() const;

  std::uint64_t tuples() const noexcept { return tuples_; }  ///< returned so far

 private:
  enum class section : unsigned char { header, tuples, end };
  // How far the current unit (the header or one tuple) is understood.
  struct scan {
    std::size_t cursor{};  // where the next length is
    std::size_t needed{};  // the unit has at least that many bytes
    std::size_t fields_left{};
    bool is_started{};
  };
  explicit binary_copy_splitter(binary_copy_options options);

  result<bool> advance(std::span<std::byte const> unit);
  result<bool> advance_header(std::span<std::byte const> unit);
  result<bool> advance_tuple(std::span<std::byte const> unit);
  result<bool> advance_fields(std::span<std::byte const> unit);
  result<std::optional<std::span<std::byte const>>> next_unit();
  result<std::optional<binary_tuple>> next_tuple();
  void show_fields(std::span<std::byte const> tuple);

  binary_copy_options options_;
  section section_{section::header};
  scan scan_;
  std::span<std::byte const> piece_;  // fed and not yet used
  std::vector<std::byte> held_;       // the beginning of a unit that a piece's end cut
  bool is_held_shown_{};              // held_ was returned and is free at the next call
  std::vector<std::optional<std::span<std::byte const>>> fields_;
  std::optional<error> failure_;
  std::uint64_t tuples_{};
};

}  // namespace v0
}  // namespace shardway
