// Decodes the messages of pgoutput, protocol version 1. Pure: no connection, no clock.
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
/// One decoder per connection: a server describes each table again on a new one.
/// Thread safety: distinct objects: safe. Shared object: not safe.
class pgoutput_decoder {
 public:
  /// One message, whole; nothing for those that say nothing to us (type, origin). Every length is checked
  /// against the bytes that are there, and bytes left over are an error. Errors: `protocol_violation`,
  /// without any of the message's content. Cost: copies the values; memory is bounded by the message's size.
  result<std::optional<stream_event>> decode(std::span<std::byte const> message);

 private:
  std::map<std::uint32_t, std::shared_ptr<stream_relation const>> relations_;
};

}  // namespace v0
}  // namespace shardway
