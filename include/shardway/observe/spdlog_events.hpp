// Events as lines of a log, through spdlog's default logger. Only std and ours here; spdlog stays in
// lib/observe.
#pragma once

#include <memory>

#include "shardway/observe/events.hpp"

namespace shardway {
inline namespace v0 {

/// Refusals and generations at info, breakers and trouble at warning, writes in doubt at error; other writes
/// at debug. No key and no row value is ever in a line. Thread safety: the listener is safe to share.
std::shared_ptr<events> spdlog_events();

}  // namespace v0
}  // namespace shardway
