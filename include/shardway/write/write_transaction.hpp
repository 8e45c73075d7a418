// A write transaction on the node that has authority, as the function given to `client_session::write` sees it.
#pragma once

#include <string_view>
#include <vector>

#include "shardway/base/write_id.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// One attempt. The fence has been passed before the function is called; COMMIT is the library's.
///
/// The function may be run again as a whole, so it must not act outside the transaction. An error it returns rolls back. After a
/// `serialization_failure` or a refusal of the fence return that error: the library runs the function again.
/// SQL names tables with their schema: sessions have search_path = pg_catalog, pg_temp.
/// Thread safety: one thread at a time. Lifetime: ends with the function's call; do not keep it.
class write_transaction {
 public:
  virtual ~write_transaction() = default;
  /// One INSERT, UPDATE or DELETE on a table of the group. Rows of RETURNING; `affected()` counts changed rows.
  /// Errors: those of SQLSTATE; `statement_refused` (with a hint) for what a dual write can't capture; `shard_key_mismatch` if it changes a
  /// row of another shard key. Cost: one round trip.
  virtual result<rows> execute(std::string_view table, std::string_view sql, std::vector<text_value> parameters = {}) = 0;
  /// A SELECT, locking ones included. Errors: `statement_refused` for anything that writes. Cost: one round trip.
  virtual result<rows> query(std::string_view sql, std::vector<text_value> parameters = {}) = 0;
  /// Sets a savepoint. Cost: one round trip.
  virtual result<> savepoint(std::string_view name) = 0;
  /// Goes back to it and reads the fence again (W28). What was captured since is dropped.
  virtual result<> rollback_to(std::string_view name) = 0;
  /// The identity of this write; the same in every attempt.
  virtual write_id id() const noexcept = 0;
  /// Name of the node it runs on.
  virtual std::string_view node() const noexcept = 0;
};

}  // namespace v0
}  // namespace shardway
