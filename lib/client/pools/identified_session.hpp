// A pooled session that knows the facts of its connection.
#pragma once

#include <algorithm>
#include <atomic>
#include <set>

#include "lib/store/lent_session.hpp"
#include "shardway/observe/events.hpp"
#include "shardway/pg/connect.hpp"

namespace shardway {
inline namespace v0 {

class identified_session final : public session {
 public:
  identified_session(std::unique_ptr<session> on, connection_facts facts)
      : on_(std::move(on)), facts_(std::move(facts)) {}
  connection_facts const& facts() const noexcept { return facts_; }
  session& inner() noexcept { return *on_; }
  /// Statements that code for libpqxx has prepared on this connection.
  bool knows_prepared(std::string const& name) const { return prepared_.contains(name); }
  void add_prepared(std::string name) { prepared_.insert(std::move(name)); }
  /// No query takes longer than this, whatever deadline it names: for calls of other rooms that name none.
  void limit(steady_time latest) noexcept { latest_ = latest; }

  result<rows> query(statement const& what, steady_time deadline) override {
    return on_->query(what, std::min(deadline, latest_));
  }
  result<std::vector<result<rows>>> flush(std::span<statement const> all, steady_time deadline) override {
    return on_->flush(all, std::min(deadline, latest_));
  }
  std::vector<result<rows>> salvaged() override { return on_->salvaged(); }
  result<rows> simple(std::string_view sql, steady_time deadline) override {
    return on_->simple(sql, std::min(deadline, latest_));
  }
  commit_outcome commit(steady_time deadline) override { return on_->commit(deadline); }
  result<std::unique_ptr<copy_reader>> copy_out(std::string_view sql) override { return on_->copy_out(sql); }
  result<std::unique_ptr<copy_writer>> copy_in(std::string_view sql) override { return on_->copy_in(sql); }
  result<std::vector<std::pair<std::string, std::string>>> notifications(steady_time deadline) override {
    return on_->notifications(deadline);
  }
  bool is_broken() const noexcept override { return on_->is_broken(); }
  bool in_transaction() const noexcept override { return on_->in_transaction(); }
  node_identity const& identity() const noexcept override { return on_->identity(); }
  std::string quote_literal(std::string_view text) const override { return on_->quote_literal(text); }
  std::string quote_identifier(std::string_view text) const override { return on_->quote_identifier(text); }
  std::function<void()> cancel_handle() const override { return on_->cancel_handle(); }

 private:
  std::unique_ptr<session> on_;
  connection_facts facts_;
  std::set<std::string> prepared_{};
  steady_time latest_{steady_time::max()};
};

/// Connects and asks for the facts. A replica has no evidence of commits to give: only system and incarnation
/// are asked for there. Cost: a connection and one round trip. A primary with synchronous_commit off is told
/// to the listener, unless `is_told` says that it was: what it acknowledges, a crash may lose (W17).
result<std::unique_ptr<session>> connect_with_facts(connect_options const&, events* listener,
                                                    std::atomic<bool>* is_told = nullptr);

/// Sets a limit for the length of a scope. Preconditions: the session was made by `connect_with_facts`.
class query_limit {
 public:
  query_limit(session& on, steady_time latest) noexcept : on_(static_cast<identified_session&>(on)) {
    on_.limit(latest);
  }
  ~query_limit() { on_.limit(steady_time::max()); }
  query_limit(query_limit const&) = delete;
  query_limit& operator=(query_limit const&) = delete;

 private:
  identified_session& on_;
};

}  // namespace v0
}  // namespace shardway
