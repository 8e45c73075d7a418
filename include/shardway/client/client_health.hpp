// Which generation a client uses, and whether it refused a newer one.
#pragma once

#include <cstdint>
#include <string>

namespace shardway {
inline namespace v0 {

struct client_health {
  /// The generation in use.
  std::uint64_t generation{};

  /// The newest number seen on a node whose document could not be used: it is corrupt, or of a newer version
  /// of the library. The client keeps `generation`, and each node's fence still decides. 0: none, or a newer
  /// generation was taken over since.
  std::uint64_t refused_generation{};

  /// How many numbers were refused since `open`.
  std::uint64_t refusals{};

  /// Why the last one was refused. Safe to log.
  std::string why{};

  /// Notifications arrive. Without them the client finds a new generation by polling.
  bool is_listening{};

  /// Notifications that arrived since `open`.
  std::uint64_t heard{};
};

}  // namespace v0
}  // namespace shardway
