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
  identified_session(std::unique_ptr<session> link, connection_facts facts)
      : link_(std::move(link)), facts_(std::move(facts)) {}
  connection_facts const& facts() const noexcept { return facts_; }
  session& inner() noexcept { return *link_; }
  /// Statements that code for libpqxx has prepared on this connection.
  bool knows_prepared(std::string const& name) const { return prepared_.contains(name); }
  void add_prepared(std::string name) { prepared_.insert(std::move(name)); }
  /// Ends every query by then, whatever deadline it names. For calls into other rooms that name no
  /// deadline.
  void limit(steady_time latest) noexcept { latest_ = latest; }

  result<rows> query(statement const& what, steady_time deadline) override {
    return link_->query(what, std::min(deadline, latest_));
  }
  result<std::vector<result<rows>>> flush(std::span<statement const> all, steady_time deadline) override {
    return link_->flush(all, std::min(deadline, latest_));
  }
  std::vector<result<rows>> salvaged() override { return link_->salvaged(); }
  result<rows> simple(std::string_view sql, steady_time deadline) override {
    return link_->simple(sql, std::min(deadline, latest_));
  }
  commit_outcome commit(steady_time deadline) override { return link_->commit(deadline); }
  result<std::unique_ptr<copy_reader>> copy_out(std::string_view sql) override {
    return link_->copy_out(sql);
  }
  result<std::unique_ptr<copy_writer>> copy_in(std::string_view sql) override { return link_->copy_in(sql); }
  result<std::vector<std::pair<std::string, std::string>>> notifications(steady_time deadline) override {
    return link_->notifications(deadline);
  }
  bool is_broken() const noexcept override { return link_->is_broken(); }
  bool in_transaction() const noexcept override { return link_->in_transaction(); }
  node_identity const& identity() const noexcept override { return link_->identity(); }
  std::string quote_literal(std::string_view text) const override { return link_->quote_literal(text); }
  std::string quote_identifier(std::string_view text) const override { return link_->quote_identifier(text); }
  std::function<void()> cancel_handle() const override { return link_->cancel_handle(); }

 private:
  std::unique_ptr<session> link_;
  connection_facts facts_;
  std::set<std::string> prepared_{};
  steady_time latest_{steady_time::max()};
};

/// Connects and asks the node for the facts of the connection. A replica has no evidence of commits: it
/// is asked for system and incarnation only. A primary with synchronous_commit off may lose acknowledged
/// writes in a crash (W17): the listener learns of it, unless `is_reported` is set already. Cost: a
/// connection and one round trip.
result<std::unique_ptr<session>> connect_identified(connect_options const&, events* listener,
                                                    std::atomic<bool>* is_reported = nullptr);

/// Sets a limit for the length of a scope. Preconditions: the session was made by `connect_identified`.
class query_limit {
 public:
  query_limit(session& link, steady_time latest) noexcept : link_(static_cast<identified_session&>(link)) {
    link_.limit(latest);
  }
  ~query_limit() { link_.limit(steady_time::max()); }
  query_limit(query_limit const&) = delete;
  query_limit& operator=(query_limit const&) = delete;

 private:
  identified_session& link_;
};

}  // namespace v0
}  // namespace shardway
