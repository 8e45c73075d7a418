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
  std::span<std::byte const> bytes;  ///< as it goes into another binary COPY: field count, lengths and values
  /// The chosen fields in the order they were chosen; nothing is NULL.
  std::span<std::optional<std::span<std::byte const>> const> fields;
};

struct binary_copy_options {
  std::size_t columns{};  ///< of the COPY; 1 to 1,664: a tuple with another count is refused
  std::vector<std::size_t>
      chosen{};  ///< positions from 0 whose values `binary_tuple::fields` shows, such as the key's
  std::size_t tuple_bytes_max{std::size_t{64}
                              << 20};  ///< > 0; a larger tuple is refused, so that memory stays bounded (W27)
};

/// Feed it the pieces of a COPY as they come, cut anywhere; after each, take tuples until there is none.
///
///     splitter.feed(piece);
///     for (;;) { BOOST_OUTCOME_TRY(auto tuple, splitter.next()); if (!tuple) break; ... }
///
/// A tuple that lies whole in a piece is shown where it lies; only one that a piece's end cuts is copied.
/// Thread safety: distinct objects: safe. Shared object: not safe.
class binary_copy_splitter {
 public:
  /// Errors: `invalid_argument`, with the field's name and range.
  static result<binary_copy_splitter> make(binary_copy_options);

  /// Preconditions: `next` has returned no tuple for the piece before; `piece` lives until it does so for
  /// this one.
  void feed(std::span<std::byte const> piece);
  /// The next tuple, or nothing until more is fed. Errors: `protocol_violation` (no binary COPY, other column
  /// count, bytes after the end), `invalid_argument` (tuple too large); every later call returns the same
  /// error.
  result<std::optional<binary_tuple>> next();
  /// Refuses a COPY whose end has not come. Call it when the server says that it is over. Errors:
  /// `protocol_violation`.
  result<> finish() const;

  std::uint64_t tuples() const noexcept { return tuples_; }  ///< handed out so far

 private:
  enum class part : unsigned char { header, tuples, end };
  // How far the unit at hand (the header or one tuple) is understood.
  struct scan {
    std::size_t cursor{};  // of the next length to read
    std::size_t needed{};  // bytes the unit has at least
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
  part part_{part::header};
  scan scan_;
  std::span<std::byte const> piece_;  // fed and not yet used
  std::vector<std::byte> held_;       // the beginning of a unit that a piece's end cut
  bool is_held_shown_{};              // held_ was handed out and is free at the next call
  std::vector<std::optional<std::span<std::byte const>>> fields_;
  std::optional<error> failure_;
  std::uint64_t tuples_{};
};

}  // namespace v0
}  // namespace shardway
