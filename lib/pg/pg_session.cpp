// Bodies of pg_session.hpp: one-message queries, COMMIT, notifications, quoting and cancelling.
#include "lib/pg/pg_session.hpp"

#include "lib/pg/translate.hpp"

namespace shardway {
inline namespace v0 {
namespace pg {
namespace {

// Stands for a text that cannot be quoted (NUL, broken UTF-8). No server knows this name, so the statement
// fails there and does not get another meaning.
constexpr char unquotable[] = "\"shardway: this text is not valid UTF-8\"";

bool has_nul(std::string_view text) noexcept { return text.find('\0') != std::string_view::npos; }

struct free_cancel {
  void operator()(PGcancel* handle) const noexcept { PQfreeCancel(handle); }
};

}  // namespace

result<rows> pg_session::simple(std::string_view sql, steady_time deadline) {
  constexpr std::string_view doing = "running a query";
  BOOST_OUTCOME_TRYV(link_->ready_for(doing));
  if (has_nul(sql)) return misuse_error(link_->node(), "the text holds a NUL character; running it");
  BOOST_OUTCOME_TRY(auto answer, run_simple(*link_, std::string{sql}, deadline, doing));
  return rows_of(answer.get(), link_->is_sync_wait_cancelled());
}

commit_outcome pg_session::commit(steady_time deadline) {
  using kind = commit_outcome_kind;
  if (link_->is_copying() || link_->is_lent())
    return {kind::rolled_back, misuse_error(link_->node(), "COMMIT while the session is busy")};
  // The session may have broken during a COMMIT inside a statement's text. Only `resolve_commit` can decide.
  if (is_broken()) return {kind::in_doubt, link_->lost("COMMIT")};
  if (!in_transaction())
    return {kind::rolled_back, misuse_error(link_->node(), "COMMIT without a transaction")};
  return outcome_of_commit(simple("COMMIT", deadline));
}

result<std::vector<std::pair<std::string, std::string>>> pg_session::notifications(steady_time deadline) {
  constexpr std::string_view doing = "waiting for notifications";
  BOOST_OUTCOME_TRYV(link_->ready_for(doing));
  std::vector<std::pair<std::string, std::string>> arrived;
  for (;;) {
    // With a deadline that has passed (a pool, at each lease), an empty socket costs one system call.
    bool const may_read = system_clock_source().now() < deadline || !link_->is_quiet();
    if (may_read && PQconsumeInput(link_->raw()) == 0) return link_->lost(doing);
    while (memory_ptr<PGnotify> const one{PQnotifies(link_->raw())})
      arrived.emplace_back(one->relname, one->extra);
    if (!arrived.empty() || !may_read) return arrived;
    BOOST_OUTCOME_TRY(bool progressed, link_->wait_progress(deadline, doing));
    if (!progressed) return arrived;
  }
}

bool pg_session::in_transaction() const noexcept {
  auto const status = PQtransactionStatus(link_->raw());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE;
}

std::string pg_session::quote_literal(std::string_view text) const {
  memory_ptr<char> const quoted{has_nul(text) ? nullptr
                                              : PQescapeLiteral(link_->raw(), text.data(), text.size())};
  return quoted ? quoted.get() : unquotable;
}

std::string pg_session::quote_identifier(std::string_view text) const {
  memory_ptr<char> const quoted{has_nul(text) ? nullptr
                                              : PQescapeIdentifier(link_->raw(), text.data(), text.size())};
  return quoted ? quoted.get() : unquotable;
}

std::function<void()> pg_session::cancel_handle() const {
  std::shared_ptr<PGcancel> const handle{PQgetCancel(link_->raw()), free_cancel{}};
  return [handle] {
    char why[256];
    if (handle) PQcancel(handle.get(), why, sizeof why);
  };
}

}  // namespace pg
}  // namespace v0
}  // namespace shardway
