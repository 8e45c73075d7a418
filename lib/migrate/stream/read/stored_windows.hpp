// The windows of a stream as shardway.status keeps them, so that a restart finds them as they were.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lib/migrate/stream/window.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

struct stored_windows {
  window_history history;
  std::optional<lsn> confirmed{};               ///< where the stream may start, if it keeps that here
  std::map<std::string, std::string> paused{};  ///< groups whose changes are let go, with the reason
};

/// The document: {"confirmed": "0/1A2B", "history": ["group|lsn|state", ...], "paused": {"group": "reason"}};
/// without "confirmed" and "paused" if there is none.
std::string encode_windows(window_history const&, std::optional<lsn> confirmed,
                           std::map<std::string, std::string> const& paused = {});
/// Nothing if the text is no such document.
std::optional<stored_windows> decode_windows(std::string_view document);

/// What the catalog keeps under `name`; no windows if there is no such row. Errors: `corrupt_data`; those of
/// the connection.
result<stored_windows> load_windows(session& catalog, std::string const& name);
/// Errors: `not_leader`; those of the connection.
result<> save_windows(session& catalog, std::int64_t token, std::string const& name,
                      std::string_view document);

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
