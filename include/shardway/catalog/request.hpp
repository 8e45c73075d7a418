// Requests: how a command asks the controller, which alone acts, and learns the outcome.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/clock.hpp"
#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

enum class request_state : unsigned char { queued, running, done, failed };
std::string_view name(request_state) noexcept;

struct request {
  std::int64_t id{};
  std::string kind;
  std::string arguments;  ///< a JSON object
  std::string requested_by;
  request_state state{};
  /// A JSON document: the answer once done; once failed the error's message, hint, node, sqlstate and
  /// server_detail, which may hold values of rows. Empty until then.
  std::string result;
  std::string error_code;  ///< name of an error_code once failed
  std::string error_message;
};

/// Inserts a request as the session's role, notifies `shardway_request` and returns the request's id.
result<std::int64_t> enqueue_request(session& catalog, std::string_view kind,
                                     std::string_view arguments_json);

/// The oldest queued request, marked as running in the same transaction; nothing if there is none.
///
/// Errors: `not_leader`.
result<std::optional<request>> take_request(session& catalog, std::int64_t token);

/// End a running request with its result or its error.
///
/// Errors: `not_leader`; `precondition_failed` if the request is not running.
result<> finish_request(session& catalog, std::int64_t token, std::int64_t id, std::string_view result_json);
result<> fail_request(session& catalog, std::int64_t token, std::int64_t id, error const& why);

/// For a controller that has just begun: requests that are still running were left by a dead one. Kinds that
/// may run twice are queued again; the others fail with `in_doubt`. Returns those found, with the state they
/// had.
result<std::vector<request>> recover_requests(session& catalog, std::int64_t token,
                                              std::vector<std::string> const& idempotent_kinds);

result<std::optional<request>> find_request(session& catalog, std::int64_t id);

/// Waits until the request is done or failed, and asks every `interval`.
///
/// Errors: `deadline_exceeded` (the request goes on), `precondition_failed` (there is no such request).
result<request> wait_for_request(session& catalog, std::int64_t id, steady_time deadline,
                                 std::chrono::milliseconds interval = std::chrono::milliseconds{50});

}  // namespace v0
}  // namespace shardway
