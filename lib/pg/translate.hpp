// Translates errors of libpq and of the server. No other file reads SQLSTATE or the connection status.
#pragma once

#include <string>
#include <string_view>

#include <libpq-fe.h>

#include "shardway/base/error.hpp"

namespace shardway {
inline namespace v0 {
namespace pg {

/// An error the server sent as the result of `doing` ("running a statement").
error server_error(PGresult const*, std::string const& node, std::string_view doing);
/// The connection is lost. `last` is the server's last result, if there was one.
error lost_error(PGconn const*, PGresult const* last, std::string const& node, std::string_view doing);
/// The attempt to connect failed.
error connect_error(PGconn const*, std::string const& node);
error deadline_error(std::string const& node, std::string_view doing);
/// The server or libpq did something that the protocol does not allow here.
error violation_error(std::string const& node, std::string_view what);
/// A call at the wrong time.
error misuse_error(std::string const& node, std::string_view what);

std::string_view sqlstate_of(PGresult const*) noexcept;
/// FATAL or PANIC: the session ends with it.
bool is_fatal(PGresult const*) noexcept;
/// The warning that a COMMIT gave up its wait for a synchronous standby (W16).
bool is_sync_wait_warning(PGresult const*) noexcept;

}  // namespace pg
}  // namespace v0
}  // namespace shardway
