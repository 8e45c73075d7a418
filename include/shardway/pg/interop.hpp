// Lends a session's connection to code written for libpqxx. The one public header that names libpqxx.
#pragma once

#include <memory>
#include <string_view>

#include <pqxx/connection>
#include <pqxx/except>

#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// A `pqxx::connection` made of a session's connection, until it is given back.
///
///     BOOST_OUTCOME_TRY(auto lent, lent_connection::lend(*session));
///     pqxx::nontransaction work{*lent};  // inside a transaction that the session began; pqxx::work outside
///     of one work.exec("UPDATE shop.orders SET ...");
///
/// Our sessions have `search_path = pg_catalog, pg_temp`: write the schema before each table. Settings that
/// the borrower makes for the whole session stay: use SET LOCAL. The borrower must not COMMIT a transaction
/// that the library began: the fence and the outbox belong to it. Preconditions: the session is one of
/// `connect` itself, idle or in a transaction, not in a COPY. libpqxx objects made from the connection are
/// gone before it is given back. Errors: `invalid_argument` (a decorated session, or one in a COPY or already
/// lent), `connection_lost`. Thread safety: one thread at a time, the session included; while lent, the
/// session's own calls return `invalid_argument`. Lifetime: the session outlives it.
class lent_connection {
 public:
  static result<lent_connection> lend(session&);
  lent_connection(lent_connection&&) noexcept;
  lent_connection& operator=(lent_connection&&) noexcept;
  ~lent_connection();

  pqxx::connection& operator*() const noexcept;
  pqxx::connection* operator->() const noexcept { return &**this; }
  /// Gives it back; afterwards only destruction is allowed. Errors: `connection_lost` (the session is
  /// broken).
  result<> give_back();

 private:
  struct loan;
  explicit lent_connection(std::unique_ptr<loan>) noexcept;
  std::unique_ptr<loan> loan_;
};

/// What libpqxx threw, in the library's words: by SQLSTATE, or `connection_lost`. The server's text is in
/// `server_detail` alone.
error error_of(pqxx::failure const&, std::string_view node);

}  // namespace v0
}  // namespace shardway
