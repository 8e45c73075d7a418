// The transaction that `client_session::write` hands to the caller's function.
#pragma once

#include <string_view>
#include <vector>

#include "shardway/base/write_id.hpp"
#include "shardway/route/shard_key.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// One attempt of a write transaction, on the node that has authority. The library passes the fence before it
/// calls the function, and it sends COMMIT itself.
///
/// The function may run again as a whole, so it must not act outside the transaction. An error that it
/// returns rolls back. After `serialization_failure` or a refusal of the fence, return that error: the
/// library then runs the function again. SQL names tables with their schema, because sessions have
/// search_path = pg_catalog, pg_temp.
///
/// Thread safety: one thread at a time. Lifetime: ends with the function's call; do not keep it.
class write_transaction {
 public:
  virtual ~write_transaction() = default;

  /// Runs one INSERT, UPDATE or DELETE on a table of the group. Returns the rows of RETURNING; `affected()`
  /// counts changed rows.
  ///
  /// Errors: those of SQLSTATE; `statement_refused`, with a hint, for what a dual write can't capture;
  /// `shard_key_mismatch` if it changes a row of another shard key. Cost: one round trip.
  virtual result<rows> execute(std::string_view table, std::string_view sql,
                               std::vector<text_value> parameters = {}) = 0;

  /// Does the same for rows of another shard key on the same node. It passes the fence of that key's slot
  /// first, as `also` does.
  ///
  /// Errors: as `execute` and `also`. Cost: one round trip, and one more for a slot that is new to the
  /// transaction.
  virtual result<rows> execute_for(shard_key const& key, std::string_view table, std::string_view sql,
                                   std::vector<text_value> parameters = {}) = 0;

  /// Passes the fence of another key's slot now, so that its rows can be written later. While the source has
  /// authority for both keys, this is allowed wherever they are placed, and counted
  /// (`client::counts::cross_shard`).
  ///
  /// Errors: `cross_shard` if another node has authority for the key. Return that error: one transaction
  /// cannot hold both keys. Cost: one round trip for a slot that is new to the transaction.
  virtual result<> also(shard_key const& key) = 0;

  /// Runs a SELECT; it may lock rows. Errors: `statement_refused` for anything that writes. Cost: one round
  /// trip.
  virtual result<rows> query(std::string_view sql, std::vector<text_value> parameters = {}) = 0;

  /// Sets a savepoint. Cost: one round trip.
  virtual result<> savepoint(std::string_view name) = 0;

  /// Rolls back to a savepoint and reads the fence again (W28). Drops what was captured since then.
  virtual result<> rollback_to(std::string_view name) = 0;

  /// For `lent_transaction` (client/pqxx_transaction.hpp): the session, for code that is not framed. Until
  /// `end_lending` only that code uses it. `search_path` holds for that code alone.
  ///
  /// Errors: those of SQLSTATE; `statement_refused` by `end_lending` if the code ended the transaction. Cost:
  /// one round trip each.
  virtual result<session*> begin_lending(std::vector<std::string> const& search_path) = 0;
  virtual result<> end_lending(bool was_aborted) = 0;

  /// The identity of this write, the same in every attempt.
  virtual write_id id() const noexcept = 0;

  /// The name of the node that it runs on.
  virtual std::string_view node() const noexcept = 0;
};

}  // namespace v0
}  // namespace shardway
