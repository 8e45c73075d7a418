// Decodes the messages of pgoutput, protocol version 1. Pure: no connection and no clock.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "lib/store/change_stream.hpp"
#include "shardway/base/result.hpp"

namespace shardway {
inline namespace v0 {

/// Turns messages into events and remembers the tables that the server has described.
///
/// Use one decoder per connection, because a server describes each table again on a new connection.
///
/// Thread safety: distinct objects: safe. Shared object: not safe.
class pgoutput_decoder {
 public:
  /// Decodes one complete message. Nothing for messages that the library does not need (type, origin). Every
  /// length is checked against the bytes of the message, and bytes left over are an error.
  ///
  /// Errors: `protocol_violation`, without any content of the message. Cost: copies the values; the message's
  /// size bounds the memory.
  result<std::optional<stream_event>> decode(std::span<std::byte const> message);

 private:
  std::map<std::uint32_t, std::shared_ptr<stream_relation const>> relations_;
};

}  // namespace v0
}  // namespace shardway
