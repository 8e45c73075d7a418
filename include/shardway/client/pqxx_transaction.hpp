// Runs code written for libpqxx inside a transaction of the library, so that an existing service joins a
// migration with a few changed lines.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <pqxx/dbtransaction>

#include "shardway/client/client.hpp"

namespace shardway {
inline namespace v0 {

/// A statement that the code runs by name (`exec_prepared`).
struct prepared_sql {
  std::string name;
  std::string sql;
};

struct borrow_options {
  /// Schemas in which the borrowing code's names without a schema are looked up, between pg_catalog and
  /// pg_temp (SET LOCAL). They hold for that code alone. Empty: the session's own, `pg_catalog, pg_temp`.
  /// Name no schema in which others may create objects.
  std::vector<std::string> search_path{};

  /// Prepared once on each connection before the code runs, under the search path above. A name always
  /// carries the same text.
  std::vector<prepared_sql> prepared{};
};

/// A pqxx transaction that is a part of the library's, until it is given back.
///
/// @code
/// session.write("shop.orders", key, [&](write_transaction& transaction) -> result<> {
///   BOOST_OUTCOME_TRY(auto lent, lent_transaction::lend(transaction));
///   existing_code(*lent);  // takes a pqxx::dbtransaction or pqxx::transaction_base; subtransactions work
///   return lent.give_back();
/// });
/// @endcode
///
/// The library commits: `commit()` throws `pqxx::usage_error`, and after `abort()` `give_back` fails with
/// `cancelled`. If the code sends COMMIT or ROLLBACK as text, `give_back` fails with `statement_refused`.
/// What the text committed stays, and the function does not run again.
///
/// While the group is dual written, and on shards, a change of a table that is captured by statement is
/// refused (SW009, `statement_refused`): give the table `capture: TRIGGER`. Before that stage such changes
/// are reported to `events::on_uncaptured`.
///
/// The call's deadline does not end a statement of the code: set `statement_timeout` in the code. Settings
/// for the whole session stay on a pooled connection: use SET LOCAL.
///
/// Thread safety: one thread at a time; while lent, the transaction's own calls fail with `invalid_argument`.
/// Lifetime: ends with the function's call. Destroy libpqxx objects made from it before it is given back.
class lent_transaction {
 public:
  /// Lends the transaction's connection.
  ///
  /// Errors: `invalid_argument`, `connection_lost`, those of SQLSTATE (preparing). Cost: one round trip, and
  /// one for each statement that is not prepared on this connection yet.
  static result<lent_transaction> lend(write_transaction& transaction, borrow_options const& options = {});

  lent_transaction(lent_transaction&&) noexcept;
  lent_transaction& operator=(lent_transaction&&) = delete;
  ~lent_transaction();  ///< gives it back; an error makes the library's COMMIT fail

  pqxx::dbtransaction& operator*() const noexcept;
  pqxx::dbtransaction* operator->() const noexcept { return &**this; }

  /// Gives the connection back to the library's transaction.
  ///
  /// Errors: `cancelled` (aborted), `statement_refused` (ended), `sql_error` (a statement has failed),
  /// `connection_lost`. Cost: one round trip.
  result<> give_back();

 private:
  struct loan;
  explicit lent_transaction(std::unique_ptr<loan>) noexcept;
  std::unique_ptr<loan> loan_;
};

/// A write whose body is code for libpqxx: `session.write` around `lent_transaction`.
///
/// @code
/// auto done = in_pqxx_transaction(session, "shop.orders", customer_id,
///                                 [&](pqxx::dbtransaction& transaction) { place_order(transaction, order);
///                                 });
/// @endcode
///
/// The code may run again as a whole, after a refusal of the fence, 40001, 40P01 or a lost connection, so it
/// must not act outside the transaction.
///
/// Errors of libpqxx that the code lets pass (`pqxx::sql_error`, `pqxx::broken_connection`) roll back and
/// become an `error` by their SQLSTATE. Every other exception is the caller's own: it rolls back and is
/// rethrown as it is. The library itself throws nothing.
///
/// Errors and cost: as `client_session::write` and `lent_transaction`.
result<write_receipt> in_pqxx_transaction(client_session& session, std::string_view table,
                                          shard_key const& key,
                                          std::function<void(pqxx::dbtransaction&)> const& code,
                                          borrow_options const& borrow = {},
                                          write_options const& options = {});

}  // namespace v0
}  // namespace shardway
