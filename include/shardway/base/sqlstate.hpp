// Translates the server's SQLSTATE to an error code. No other place does.
#pragma once

#include <string_view>

#include "shardway/base/error.hpp"

namespace shardway {
inline namespace v0 {

/// The code of a SQLSTATE's five characters. `sql_error` for a SQLSTATE that has no code of its own.
///
/// The caller decides what a lost connection means: during COMMIT it is `in_doubt`, which no SQLSTATE says. A
/// lock timeout (55P03) stays `sql_error`, because only the caller knows whether that lock may be tried
/// again.
constexpr error_code code_of_sqlstate(std::string_view sqlstate) noexcept {
  struct row {
    std::string_view state;  ///< five characters, or a class of two
    error_code code;
  };
  constexpr row exact[]{
      {"40001", error_code::serialization_failure},
      {"40P01", error_code::serialization_failure},
      {"42501", error_code::permission_denied},
      {"57014", error_code::cancelled},
      {"57P01", error_code::connection_lost},
      {"57P02", error_code::connection_lost},
      {"57P03", error_code::node_unreachable},
      {"57P05", error_code::connection_lost},  // idle_session_timeout ends the session
      {"25P03", error_code::connection_lost},
      {"25P04", error_code::connection_lost},  // so do these two timeouts
      {"08P01", error_code::protocol_violation},
      {"SW001", error_code::fence_closed},
      {"SW002", error_code::epoch_stale},
      {"SW003", error_code::foreign_write_refused},
      {"SW004", error_code::shard_key_change},
      {"SW005", error_code::shard_key_mismatch},
      {"SW006", error_code::not_leader},
      {"SW009", error_code::statement_refused},
  };
  constexpr row classes[]{
      {"08", error_code::connection_lost},
      {"23", error_code::constraint_violation},
      {"28", error_code::authentication_failed},
  };
  if (sqlstate.size() != 5) return error_code::sql_error;
  for (auto const& [state, code] : exact)
    if (sqlstate == state) return code;
  for (auto const& [state, code] : classes)
    if (sqlstate.substr(0, 2) == state) return code;
  return error_code::sql_error;
}

}  // namespace v0
}  // namespace shardway
