// How a client stands towards its generations.
#pragma once

#include <cstdint>
#include <string>

namespace shardway {
inline namespace v0 {

struct client_health {
  std::uint64_t generation{};  ///< in use
  /// The newest number seen on a node whose document could not be used: corrupt, or of a newer version of the
  /// library. The client goes on with `generation`, and each node's fence still decides. 0: none, or a newer
  /// one has been taken since.
  std::uint64_t refused_generation{};
  std::uint64_t refusals{};  ///< since `open`: how many numbers were refused
  std::string why{};         ///< of the last refusal; safe to log
  bool is_listening{};       ///< notifications arrive; without them a new generation is found by polling
  std::uint64_t heard{};     ///< since `open`: notifications that arrived
};

}  // namespace v0
}  // namespace shardway
