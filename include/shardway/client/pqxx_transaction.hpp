// Code written for libpqxx inside a transaction of the library: how an existing service joins a migration
// with a few changed lines.
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
  /// Schemas that names without a schema are looked for in, between pg_catalog and pg_temp, for the borrowing
  /// code alone (SET LOCAL). Empty: the session's own, `pg_catalog, pg_temp`. Put no schema here in which
  /// others may create objects.
  std::vector<std::string> search_path{};
  /// Prepared once on each connection before the code runs, under the search path above. A name always
  /// carries the same text.
  std::vector<prepared_sql> prepared{};
};

/// A pqxx transaction that is a part of ours, until it is given back.
///
///     session.write("shop.orders", key, [&](write_transaction& tx) -> result<> {
///       BOOST_OUTCOME_TRY(auto lent, lent_transaction::lend(tx));
///       existing_code(*lent);  // a pqxx::dbtransaction, and so a pqxx::transaction_base; subtransactions
///       work return lent.give_back();
///     });
///
/// COMMIT is the library's: `commit()` throws `pqxx::usage_error`. `abort()` makes `give_back` fail with
/// `cancelled`. A COMMIT or ROLLBACK sent as text is noticed by `give_back` (`statement_refused`; what it
/// committed stays) and the function is not run again. While the group is dual written, and on shards, a
/// change of a table that is captured by statement is refused (SW009, `statement_refused`): give the table
/// `capture: TRIGGER`. Before, such changes are told to `events::on_uncaptured`. The call's deadline does not
/// end a statement of the code: let it set `statement_timeout`. Settings for the whole session stay on a
/// pooled connection: use SET LOCAL.
/// Thread safety: one thread at a time; while lent, the transaction's own calls fail with `invalid_argument`.
/// Lifetime: ends with the function's call. libpqxx objects made from it are gone before it is given back.
class lent_transaction {
 public:
  /// Errors: `invalid_argument`, `connection_lost`, those of SQLSTATE (preparing). Cost: one round trip, and
  /// one for each statement that is not prepared on this connection yet.
  static result<lent_transaction> lend(write_transaction&, borrow_options const& = {});
  lent_transaction(lent_transaction&&) noexcept;
  lent_transaction& operator=(lent_transaction&&) = delete;
  ~lent_transaction();  ///< gives it back; an error makes the library's COMMIT fail

  pqxx::dbtransaction& operator*() const noexcept;
  pqxx::dbtransaction* operator->() const noexcept { return &**this; }
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
///     auto done = in_pqxx_transaction(session, "shop.orders", customer_id, [&](pqxx::dbtransaction& tx) {
///     place_order(tx, ...); });
///
/// The code may be run again as a whole, after a refusal of the fence, 40001, 40P01 or a lost connection: it
/// must not act outside the transaction. Errors of libpqxx that it lets pass (`pqxx::sql_error`,
/// `pqxx::broken_connection`) roll back and become an `error` by their SQLSTATE. Every other exception rolls
/// back and is thrown on as it is: it is the caller's own. Nothing of the library throws. Errors and cost: as
/// `client_session::write` and `lent_transaction`.
result<write_receipt> in_pqxx_transaction(client_session& session, std::string_view table,
                                          shard_key const& key,
                                          std::function<void(pqxx::dbtransaction&)> const& code,
                                          borrow_options const& borrow = {},
                                          write_options const& options = {});

}  // namespace v0
}  // namespace shardway
