// What a session has written and seen: for each node the position that a read must have reached. The token
// travels with the user, not with the connection.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "shardway/base/lsn.hpp"

namespace shardway {
inline namespace v0 {

/// A position, with what makes it comparable: an LSN means nothing across systems and failovers.
struct token_position {
  std::uint64_t system_identifier{};
  std::int32_t incarnation{};  ///< of the node's timeline, as `shardway.incarnation` counts it
  lsn position{};
  friend bool operator==(token_position const&, token_position const&) = default;
};

/// Stands for a write whose position could not be found out. Only the primary satisfies it, until the next
/// write.
inline constexpr lsn unknown_position{std::numeric_limits<std::uint64_t>::max()};

/// The positions that a session has seen.
///
/// Text form: "1:<generation>", then ";<node>=<system>.<incarnation>.<lsn>" for each node, numbers in hex. A
/// session has an entry for each node that it wrote to. After writes to the source alone the text has at most
/// 60 bytes. After writes to the source and 64 shards with names of 7 bytes it has 2.6 KB, or 3.0 KB at the
/// last LSN there is. It fits in an HTTP header of 4 KB.
///
/// Merging is commutative, associative and idempotent if both tokens name the same system for a node.
/// Thread safety: a value.
class session_token {
 public:
  /// Records a write of this session. A position of a later incarnation or of another system replaces the
  /// held one; otherwise the higher position stays. A known position replaces an unknown one of the same
  /// incarnation, because it belongs to a later write.
  void saw(std::string_view node, token_position const& position);

  /// Records the generation that the session has seen. It never goes back.
  void saw_generation(std::uint64_t number) noexcept {
    generation_ = generation_ < number ? number : generation_;
  }

  /// Takes over another token: for each node the later of both positions. If the two name different systems
  /// for a node, this token's position stays (R1). Takes no new node past 1,100.
  void merge(session_token const& other);

  /// Forgets the nodes for which `wanted` returns false.
  void keep(std::function<bool(std::string_view)> const& wanted);

  /// The position of a node. Nothing: the session has not written there.
  std::optional<token_position> at(std::string_view node) const;

  std::uint64_t generation() const noexcept { return generation_; }
  bool empty() const noexcept { return nodes_.empty() && generation_ == 0; }

  /// The text form.
  std::string to_string() const;

  /// Reads the text form. Nothing for anything malformed: the caller then has an empty token, which blocks
  /// nothing. Takes at most 64 KiB and 1,100 nodes.
  static std::optional<session_token> parse(std::string_view text);

  friend bool operator==(session_token const&, session_token const&) = default;

 private:
  std::uint64_t generation_{};
  std::map<std::string, token_position, std::less<>> nodes_;
};

}  // namespace v0
}  // namespace shardway
