// Lends a session's connection to code written for libpqxx. This header includes libpqxx.
#pragma once

#include <memory>
#include <string_view>

#include <pqxx/connection>
#include <pqxx/except>

#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// A `pqxx::connection` made from a session's connection, until it is given back.
///
///     BOOST_OUTCOME_TRY(auto lent, lent_connection::lend(*session));
///     // Inside a transaction that the session began. Outside one, use pqxx::work.
///     pqxx::nontransaction work{*lent};
///     work.exec("UPDATE shop.orders SET ...");
///
/// The library's sessions have `search_path = pg_catalog, pg_temp`: write the schema before each table.
/// Settings that the borrower makes for the whole session stay: use SET LOCAL. The borrower must not COMMIT a
/// transaction that the library began, because the fence and the outbox belong to it.
///
/// Preconditions: the session comes from `connect` itself; it is idle or in a transaction, and not in a COPY.
/// All libpqxx objects made from the connection are gone before it is given back.
///
/// Errors: `invalid_argument` (a decorated session, or a session that is in a COPY or already lent),
/// `connection_lost`.
///
/// Thread safety: one thread at a time uses this object and the session. While the connection is lent, the
/// session's own calls return `invalid_argument`.
///
/// Lifetime: the session outlives it.
class lent_connection {
 public:
  /// Lends the connection. The errors are those above.
  static result<lent_connection> lend(session&);
  lent_connection(lent_connection&&) noexcept;
  lent_connection& operator=(lent_connection&&) noexcept;
  ~lent_connection();

  pqxx::connection& operator*() const noexcept;
  pqxx::connection* operator->() const noexcept { return &**this; }

  /// Gives the connection back. Afterwards only destruction is allowed. Errors: `connection_lost` (the
  /// session is broken).
  result<> give_back();

 private:
  struct loan;
  explicit lent_connection(std::unique_ptr<loan>) noexcept;
  std::unique_ptr<loan> loan_;
};

/// The error for an exception of libpqxx. The code follows from the SQLSTATE, or is `connection_lost`. Only
/// `server_detail` holds the server's text.
error error_of(pqxx::failure const&, std::string_view node);

}  // namespace v0
}  // namespace shardway
