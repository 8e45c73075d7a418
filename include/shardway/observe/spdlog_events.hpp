// Events as log lines of spdlog's default logger. This header does not include spdlog.
#pragma once

#include <memory>

#include "shardway/observe/events.hpp"

namespace shardway {
inline namespace v0 {

/// Logs refusals and generations at level info; breakers and background failures at warning; writes in doubt
/// and refused generations at error; other writes at debug; a shadow read at warning if it found a
/// difference, else at debug. No line holds a key or a row value.
///
/// Thread safety: the listener is safe to share.
std::shared_ptr<events> spdlog_events();

}  // namespace v0
}  // namespace shardway
