// What a session has written and seen: per node the position a read must have passed. Travels with the user,
// not with the connection.
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

/// A position with what makes it comparable: an LSN is no clock across systems and failovers.
struct token_position {
  std::uint64_t system_identifier{};
  std::int32_t incarnation{};  ///< of the node's timeline, as `shardway.incarnation` counts it
  lsn position{};
  friend bool operator==(token_position const&, token_position const&) = default;
};

/// Of a write whose position could not be learnt: only the primary satisfies it, until the next write.
inline constexpr lsn unknown_position{std::numeric_limits<std::uint64_t>::max()};

/// Text form: "1:<generation>" then ";<node>=<system>.<incarnation>.<lsn>" per node, numbers in hex. A
/// session has an entry for each node it wrote to: after writes to the source alone 60 bytes at most; to the
/// source and 64 shards with names of 7 bytes 2.6 KB, and 3.0 KB at the last LSN there is. It fits in an HTTP
/// header of 4 KB. Merging is commutative, associative and idempotent where both name the same system for a
/// node. Thread safety: a value.
class session_token {
 public:
  /// A write of this session: of a later incarnation or another system, it replaces; else the higher position
  /// stays. A known position replaces an unknown one of the same incarnation: it is of a later write.
  void saw(std::string_view node, token_position const& at);
  void saw_generation(std::uint64_t number) noexcept {
    generation_ = generation_ < number ? number : generation_;
  }
  /// Takes over another token: the later of both per node. Where both name another system for a node, this
  /// one's stays (R1). Takes no new node past 1,100.
  void merge(session_token const& other);

  /// Forgets the nodes that are not wanted.
  void keep(std::function<bool(std::string_view)> const& wanted);

  std::optional<token_position> at(std::string_view node) const;
  std::uint64_t generation() const noexcept { return generation_; }
  bool empty() const noexcept { return nodes_.empty() && generation_ == 0; }

  std::string to_string() const;
  /// Nothing for anything malformed: the caller then has an empty token, which blocks nothing. At most 64 KiB
  /// and 1,100 nodes.
  static std::optional<session_token> parse(std::string_view text);
  friend bool operator==(session_token const&, session_token const&) = default;

 private:
  std::uint64_t generation_{};
  std::map<std::string, token_position, std::less<>> nodes_;
};

}  // namespace v0
}  // namespace shardway
