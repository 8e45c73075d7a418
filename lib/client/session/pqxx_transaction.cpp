#include "shardway/client/pqxx_transaction.hpp"

#include <exception>

#include <pqxx/except>
#include <pqxx/transaction_base>

#include "lib/client/pools/identified_session.hpp"
#include "shardway/pg/interop.hpp"

namespace shardway {
inline namespace v0 {
namespace {

// Joins the transaction that is open on the connection. It sends neither BEGIN nor COMMIT.
class joined_transaction final : public pqxx::dbtransaction {
 public:
  explicit joined_transaction(pqxx::connection& connection)
      : dbtransaction(connection, std::string_view{}, std::shared_ptr<std::string>{}) {
    register_transaction();
  }
  ~joined_transaction() override {
    is_closing_ = true;
    close();
  }
  bool was_aborted() const noexcept { return was_aborted_; }

 private:
  void do_commit() override {
    throw pqxx::usage_error{"COMMIT of a lent transaction is the library's: return instead"};
  }
  void do_abort() override { was_aborted_ = was_aborted_ || !is_closing_; }
  bool is_closing_{};
  bool was_aborted_{};
};

// The connection below the client's own wrapping.
struct reached_session {
  session* link{};
  identified_session* identified{};
};
reached_session reach(session& outer) {
  auto* const identified = dynamic_cast<identified_session*>(&outer);
  return {identified ? &identified->inner() : &outer, identified};
}

result<> prepare(pqxx::connection& connection, identified_session* known, borrow_options const& wanted) {
  if (!wanted.prepared.empty() && known && known->facts().backend_pid == 0)
    return error{error_code::invalid_argument,
                 "statements cannot be prepared behind a pooler in transaction mode",
                 "leave borrow_options::prepared empty"};
  for (auto const& one : wanted.prepared) {
    if (known && known->knows_prepared(one.name)) continue;
    try {
      connection.prepare(one.name, one.sql);
    } catch (pqxx::failure const& thrown) {
      return error_of(thrown, known ? known->identity().name : std::string{})
          .while_doing("preparing a statement for borrowing code");
    } catch (std::exception const&) {
      return error{error_code::invalid_argument, "libpqxx refused a statement to prepare"};
    }
    if (known) known->add_prepared(one.name);
  }
  return success();
}

}  // namespace

struct lent_transaction::loan {
  loan(write_transaction& borrowed, lent_connection lent)
      : transaction(borrowed), connection(std::move(lent)) {}
  write_transaction& transaction;
  lent_connection connection;
  std::optional<joined_transaction> joined{};
};

lent_transaction::lent_transaction(std::unique_ptr<loan> made) noexcept : loan_(std::move(made)) {}
lent_transaction::lent_transaction(lent_transaction&&) noexcept = default;
lent_transaction::~lent_transaction() { (void)give_back(); }

result<lent_transaction> lent_transaction::lend(write_transaction& transaction,
                                                borrow_options const& options) {
  BOOST_OUTCOME_TRY(auto* const link, transaction.begin_lending(options.search_path));
  auto const reached = reach(*link);
  auto lent = lent_connection::lend(*reached.link);
  if (!lent) return lent.error();
  auto made = std::make_unique<loan>(transaction, std::move(lent).value());
  BOOST_OUTCOME_TRYV(prepare(*made->connection, reached.identified, options));
  made->joined.emplace(*made->connection);
  return lent_transaction{std::move(made)};
}

pqxx::dbtransaction& lent_transaction::operator*() const noexcept { return *loan_->joined; }

result<> lent_transaction::give_back() {
  if (!loan_) return success();
  auto const done = std::exchange(loan_, nullptr);
  bool const was_aborted = done->joined->was_aborted();
  done->joined.reset();
  (void)done->connection.give_back();  // `end_lending` reports a broken connection
  return done->transaction.end_lending(was_aborted);
}

namespace {

// Runs the code once. An exception that is not libpqxx's is kept for later, because nothing may be thrown
// through the library's own calls.
struct borrowed_run {
  std::function<void(pqxx::dbtransaction&)> const& code;
  borrow_options const& borrow;
  std::exception_ptr thrown{};

  result<> operator()(write_transaction& transaction) {
    thrown = nullptr;
    BOOST_OUTCOME_TRY(auto lent, lent_transaction::lend(transaction, borrow));
    std::optional<error> failed;
    try {
      code(*lent);
    } catch (pqxx::sql_error const& why) {
      failed = error_of(why, transaction.node());
    } catch (pqxx::broken_connection const& why) {
      failed = error_of(why, transaction.node());
    } catch (...) {
      thrown = std::current_exception();
      failed =
          error{error_code::cancelled,
                "the code that borrowed the transaction threw an exception of its own; nothing was written"};
    }
    auto back = lent.give_back();
    // An ended transaction or a lost connection explains more than the error that followed from it.
    if (!back &&
        (back.error().code() == error_code::statement_refused || needs_reconnect(back.error().code())))
      return back.error();
    if (failed) return *failed;
    return back;
  }
};

}  // namespace

result<write_receipt> in_pqxx_transaction(client_session& session, std::string_view table,
                                          shard_key const& key,
                                          std::function<void(pqxx::dbtransaction&)> const& code,
                                          borrow_options const& borrow, write_options const& options) {
  borrowed_run run{code, borrow};
  auto done =
      session.write(table, key, [&](write_transaction& transaction) { return run(transaction); }, options);
  if (!done && run.thrown && done.error().code() == error_code::cancelled) std::rethrow_exception(run.thrown);
  return done;
}

}  // namespace v0
}  // namespace shardway
