// A conversation with servers that are not there: sessions on a small model of each server, which records
// every statement and lets one of them fail, so that a test makes each step of an algorithm fail in turn.
//
// `scripted_server<State>` is one server: its committed `State` (any copyable value), and rules that say what
// a statement does to it. `scripted_session` is a session on it with PostgreSQL's ways: a transaction works
// on a copy that COMMIT puts in place, 25P02 after an error in a transaction, ROLLBACK for the COMMIT of a
// failed one, savepoints, `salvaged()`. `conversation` numbers the steps of each server and holds the
// failure. What no rule knows is a problem that the test asserts not to have.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shardway/base/sqlstate.hpp"
#include "shardway/store/session.hpp"
#include "support/conversation.hpp"

namespace shardway_test {

/// One server. Thread safety: shared use is safe; two transactions that change it at once are a problem, for
/// no statement waits for a lock of another.
template <class State>
class scripted_server {
 public:
  /// Answers one statement on the transaction's own state.
  using answer_function = std::function<shardway::result<shardway::rows>(State&, shardway::statement const&)>;

  scripted_server(std::string name, conversation& said, State initial)
      : name_(std::move(name)), said_(said), committed_(std::move(initial)) {}

  /// A statement whose text or name holds `part` is answered by `answer`; the first rule that fits counts.
  /// Those of `changes` give the transaction an xid.
  void reads(std::string part, answer_function answer) {
    rules_.push_back({std::move(part), std::move(answer), false});
  }
  void changes(std::string part, answer_function answer) {
    rules_.push_back({std::move(part), std::move(answer), true});
  }

  /// Called with each state that COMMIT has put in place, before its answer. Set it before the first session.
  std::function<void(State const&)> after_commit;

  State committed() const {
    std::lock_guard const lock{mutex_};
    return committed_;
  }
  bool has_committed(std::int64_t xid) const {
    std::lock_guard const lock{mutex_};
    return xids_.contains(xid);
  }
  /// Something that happens on the server beside the sessions.
  template <class Change>
  void happen(Change const& change) {
    std::lock_guard const lock{mutex_};
    change(committed_);
    ++version_;
  }
  /// Whether a transaction that is open has sent LOCK TABLE with `part` in its text.
  bool is_locked(std::string_view part) const {
    std::lock_guard const lock{mutex_};
    return std::any_of(locks_.begin(), locks_.end(),
                       [&](std::string const& one) { return one.find(part) != std::string::npos; });
  }
  std::string const& node() const noexcept { return name_; }
  conversation& said() const noexcept { return said_; }

 private:
  template <class>
  friend class scripted_session;
  struct rule {
    std::string part;
    answer_function answer;
    bool is_change{};
  };
  struct copy {
    State state;
    std::uint64_t version{};
  };

  rule const* rule_of(shardway::statement const& one) const {
    for (auto const& each : rules_)
      if (one.sql.find(each.part) != std::string::npos || one.name.find(each.part) != std::string::npos)
        return &each;
    return nullptr;
  }
  copy begin() const {
    std::lock_guard const lock{mutex_};
    return {committed_, version_};
  }
  void commit(copy const& done, std::int64_t xid) {
    std::lock_guard const lock{mutex_};
    if (xid == 0) return;
    if (done.version != version_)
      said_.note_problem(name_ + ": two transactions changed it at once, which the model cannot do");
    committed_ = done.state;
    if constexpr (requires { committed_.end_transaction(); }) committed_.end_transaction();
    ++version_;
    xids_.insert(xid);
    if (after_commit) after_commit(committed_);
  }
  void take_lock(std::string const& sql) {
    std::lock_guard const lock{mutex_};
    locks_.insert(sql);
  }
  void give_back(std::vector<std::string> const& locks) {
    std::lock_guard const lock{mutex_};
    for (auto const& one : locks) locks_.erase(locks_.find(one));
  }
  std::int64_t next_xid() {
    std::lock_guard const lock{mutex_};
    return ++last_xid_;
  }
  std::size_t next_flush() {
    std::lock_guard const lock{mutex_};
    return ++flushes_;
  }
  shardway::lsn position() const {
    std::lock_guard const lock{mutex_};
    return shardway::lsn{0x1000 + version_ * 0x100};
  }

  std::string name_;
  conversation& said_;
  mutable std::mutex mutex_;
  State committed_;
  std::uint64_t version_{};
  std::set<std::int64_t> xids_;  // of transactions that committed
  std::multiset<std::string> locks_;
  std::int64_t last_xid_{};
  std::size_t flushes_{};
  std::vector<rule> rules_;
};

inline shardway::rows rows_with(std::vector<std::vector<shardway::text_value>> const& all,
                                std::vector<std::string> const& names = {}) {
  std::vector<shardway::rows::column> columns;
  auto const width = all.empty() ? names.size() : all.front().size();
  for (std::size_t i = 0; i < width; ++i) columns.push_back({i < names.size() ? names[i] : "", 25});
  std::vector<shardway::text_value> values;
  for (auto const& row : all) values.insert(values.end(), row.begin(), row.end());
  return {std::move(columns), all.size(), std::move(values), static_cast<std::int64_t>(all.size())};
}
/// The answer to a statement without rows.
inline shardway::rows affecting(std::int64_t count) { return {{}, 0, {}, count}; }
inline shardway::error server_says(std::string const& sqlstate, std::string const& node) {
  return shardway::error{shardway::code_of_sqlstate(sqlstate), "the scripted server refused a statement"}
      .at_node(node)
      .with_server(sqlstate, "");
}

/// Thread safety: one thread at a time. Lifetime: the server outlives it.
template <class State>
class scripted_session final : public shardway::session {
 public:
  explicit scripted_session(scripted_server<State>& server)
      : server_(server), identity_{server.node(), 1, 150020, 1} {}
  ~scripted_session() override { close(); }
  scripted_session(scripted_session const&) = delete;
  scripted_session& operator=(scripted_session const&) = delete;

  using rows = shardway::rows;
  template <class T>
  using result = shardway::result<T>;
  using statement = shardway::statement;
  using steady_time = shardway::steady_time;

  result<rows> query(statement const& one, steady_time deadline) override {
    BOOST_OUTCOME_TRY(auto answers, flush({&one, 1}, deadline));
    return std::move(answers.front());
  }

  result<std::vector<result<rows>>> flush(std::span<statement const> all, steady_time) override {
    salvaged_.clear();
    if (is_broken_) return lost();
    std::vector<result<rows>> answers;
    auto const flush = server_.next_flush();
    std::optional<shardway::error> silence;  // the connection is gone, and the server goes on
    for (auto const& one : all) {
      auto const planned = server_.said().next(server_.node(), flush, one.sql);
      auto const fails_by = [&](failure_kind kind) { return planned && *planned == kind; };
      bool const ends_session = fails_by(failure_kind::error) && ends_with(server_.said().sqlstate());
      if (fails_by(failure_kind::lost_before) || ends_session)
        return dropped(std::move(answers),
                       ends_session ? server_says(server_.said().sqlstate(), server_.node()) : lost());
      auto answer = fails_by(failure_kind::error) ? failed(one) : execute(one);
      if (fails_by(failure_kind::lost_after)) return dropped(std::move(answers), lost());
      if (fails_by(failure_kind::answers_lost)) silence = lost();
      if (!silence) answers.push_back(std::move(answer));
    }
    if (silence) return dropped(std::move(answers), *silence);
    return answers;
  }
  std::vector<result<rows>> salvaged() override { return std::exchange(salvaged_, {}); }

  /// A text is one step: it is executed as a whole or not at all.
  result<rows> simple(std::string_view sql, steady_time deadline) override {
    return query({.sql = std::string(sql)}, deadline);
  }
  shardway::commit_outcome commit(steady_time deadline) override {
    using kind = shardway::commit_outcome_kind;
    if (is_broken_) return {kind::in_doubt, lost()};
    if (!in_transaction())
      return {kind::rolled_back,
              shardway::error{shardway::error_code::invalid_argument, "COMMIT without a transaction"}};
    return shardway::outcome_of_commit(simple("COMMIT", deadline));
  }
  result<std::unique_ptr<shardway::copy_reader>> copy_out(std::string_view) override { return unsupported(); }
  result<std::unique_ptr<shardway::copy_writer>> copy_in(std::string_view) override { return unsupported(); }
  result<std::vector<std::pair<std::string, std::string>>> notifications(steady_time) override {
    return unsupported();
  }
  bool is_broken() const noexcept override { return is_broken_; }
  bool in_transaction() const noexcept override { return open_.has_value(); }
  shardway::node_identity const& identity() const noexcept override { return identity_; }
  std::string quote_literal(std::string_view text) const override { return "'" + std::string(text) + "'"; }
  std::string quote_identifier(std::string_view text) const override {
    return "\"" + std::string(text) + "\"";
  }
  std::function<void()> cancel_handle() const override {
    return [] {};
  }

 private:
  struct savepoint {
    std::string name;
    State state;
  };
  struct transaction {
    typename scripted_server<State>::copy copy;
    std::int64_t xid{};
    bool has_failed{};
    std::vector<savepoint> savepoints{};
    std::vector<std::string> locks{};
  };

  static bool ends_with(std::string const& sqlstate) {
    return shardway::needs_reconnect(shardway::code_of_sqlstate(sqlstate));
  }
  shardway::error lost() const {
    return shardway::error{shardway::error_code::connection_lost, "the connection broke"}.at_node(
        identity_.name);
  }
  shardway::error unsupported() const {
    return shardway::error{shardway::error_code::internal, "a scripted session does not do this"};
  }
  shardway::error dropped(std::vector<result<rows>> answers, shardway::error why) {
    is_broken_ = true;
    close();
    salvaged_ = std::move(answers);
    return why;
  }

  void close() {
    if (open_) server_.give_back(open_->locks);
    open_.reset();
  }

  static bool is_word(std::string_view sql, std::string_view word) {
    return sql.substr(0, word.size()) == word;
  }

  // COMMIT that fails has rolled back; BEGIN that fails has begun nothing.
  result<rows> failed(statement const& one) {
    if (open_ && open_->has_failed) return execute(one);
    if (is_word(one.sql, "COMMIT") || is_word(one.sql, "ROLLBACK"))
      close();
    else if (open_)
      open_->has_failed = true;
    return server_says(server_.said().sqlstate(), identity_.name);
  }

  result<rows> execute(statement const& one) {
    if (is_word(one.sql, "BEGIN")) {
      if (!open_) open_.emplace(transaction{server_.begin()});
      return affecting(0).with_command("BEGIN", false);
    }
    if (is_word(one.sql, "COMMIT")) return ended(true);
    if (is_word(one.sql, "ROLLBACK TO SAVEPOINT ")) return back_to(one.sql.substr(22));
    if (is_word(one.sql, "ROLLBACK")) return ended(false);
    if (open_ && open_->has_failed) return server_says("25P02", identity_.name);
    if (is_word(one.sql, "SAVEPOINT ")) {
      if (!open_) return server_says("25P01", identity_.name);
      open_->savepoints.push_back({one.sql.substr(10), open_->copy.state});
      return affecting(0);
    }
    if (is_word(one.sql, "RELEASE SAVEPOINT ")) {
      if (open_ && !open_->savepoints.empty()) open_->savepoints.pop_back();
      return affecting(0);
    }
    if (is_word(one.sql, "LOCK TABLE ") && !open_) return server_says("25P01", identity_.name);
    if (is_word(one.sql, "LOCK TABLE ")) {
      server_.take_lock(one.sql);
      open_->locks.push_back(one.sql);
      return affecting(0);
    }
    return answered(one);
  }

  result<rows> ended(bool by_commit) {
    bool const commits = by_commit && open_ && !open_->has_failed;
    if (commits) server_.commit(open_->copy, open_->xid);
    bool const was_open = open_.has_value();
    close();
    return affecting(0).with_command(commits || (by_commit && !was_open) ? "COMMIT" : "ROLLBACK", false);
  }

  result<rows> back_to(std::string const& name) {
    auto& all = open_->savepoints;
    auto const found =
        std::find_if(all.rbegin(), all.rend(), [&](auto const& one) { return one.name == name; });
    if (found == all.rend()) return server_says("3B001", identity_.name);
    open_->copy.state = found->state;
    open_->has_failed = false;
    all.erase(found.base(), all.end());
    return affecting(0);
  }

  // A statement outside a transaction is one of its own.
  result<rows> answered(statement const& one) {
    bool const is_alone = !open_;
    if (is_alone) open_.emplace(transaction{server_.begin()});
    auto answer = by_rule(one);
    if (!answer) open_->has_failed = true;
    if (is_alone) (void)ended(answer.has_value());
    return answer;
  }

  result<rows> by_rule(statement const& one) {
    if (auto const* rule = server_.rule_of(one)) {
      if (rule->is_change && open_->xid == 0) open_->xid = server_.next_xid();
      return rule->answer(open_->copy.state, one);
    }
    if (one.sql == "SELECT pg_catalog.pg_current_xact_id_if_assigned()")
      return rows_with({{open_->xid == 0 ? shardway::text_value{} : std::to_string(open_->xid)}});
    if (one.sql == "SELECT pg_catalog.pg_current_wal_insert_lsn()")
      return rows_with({{server_.position().to_string()}});
    server_.said().note_problem(identity_.name + " does not know: " + one.sql);
    return server_says("42601", identity_.name);
  }

  scripted_server<State>& server_;
  shardway::node_identity identity_;
  std::optional<transaction> open_;
  bool is_broken_{};
  std::vector<result<rows>> salvaged_;
};

}  // namespace shardway_test
