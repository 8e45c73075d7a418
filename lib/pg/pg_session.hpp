// `session` on libpq.
#pragma once

#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "lib/pg/connection.hpp"

namespace shardway {
inline namespace v0 {
namespace pg {

/// The names that are prepared on one connection. When the server has given a plan up, the name gets a new
/// number and so a new name on the server: the old name may still exist there, and it cannot be closed inside
/// a failed transaction.
class prepared_names {
 public:
  struct plan {
    std::string on_server;
    unsigned number{};
    bool is_prepared{};
  };
  bool is_prepared(std::string const& name) const {
    auto const found = known_.find(name);
    return found != known_.end() && found->second.is_prepared;
  }
  /// Lifetime: the connection's.
  plan& plan_of(std::string const& name) {
    auto& found = known_[name];
    if (found.on_server.empty()) found.on_server = absl::StrCat(name, "~0");
    return found;
  }
  void forget(std::string const& name) {
    auto& entry = plan_of(name);
    entry = {absl::StrCat(name, "~", entry.number + 1), entry.number + 1, false};
  }

 private:
  std::unordered_map<std::string, plan> known_;
};

class pg_session final : public session {
 public:
  pg_session(std::shared_ptr<connection> link, node_identity identity, connection_path path)
      : link_(std::move(link)),
        identity_(std::move(identity)),
        may_prepare_(path == connection_path::direct) {}

  result<rows> query(statement const&, steady_time deadline) override;
  result<std::vector<result<rows>>> flush(std::span<statement const>, steady_time deadline) override;
  std::vector<result<rows>> salvaged() override { return std::exchange(salvaged_, {}); }
  result<rows> simple(std::string_view sql, steady_time deadline) override;
  commit_outcome commit(steady_time deadline) override;
  result<std::unique_ptr<copy_reader>> copy_out(std::string_view sql) override;
  result<std::unique_ptr<copy_writer>> copy_in(std::string_view sql) override;
  result<std::vector<std::pair<std::string, std::string>>> notifications(steady_time deadline) override;
  bool is_broken() const noexcept override { return link_->is_broken(); }
  bool in_transaction() const noexcept override;
  node_identity const& identity() const noexcept override { return identity_; }
  std::string quote_literal(std::string_view) const override;
  std::string quote_identifier(std::string_view) const override;
  std::function<void()> cancel_handle() const override;

  std::shared_ptr<connection> share_link() const noexcept { return link_; }

 private:
  struct sent_statement {
    statement const* what{};
    prepared_names::plan* plan{};  // null: parsed each time
    bool had_plan{};               // prepared before this flush
    bool prepares{};               // a Parse goes before it
  };
  bool send(sent_statement const&);
  bool send_sync();
  result<std::vector<sent_statement>> send_all(std::span<statement const>);
  result<> receive(sent_statement const&, steady_time deadline, std::vector<result<rows>>& answers);
  result<rows> judge(sent_statement const&, PGresult const* answer, bool prepare_succeeded);
  result<answer_ptr> start_copy(std::string_view sql, ExecStatusType expected, std::string_view doing);

  std::shared_ptr<connection> link_;
  node_identity identity_;
  bool may_prepare_;  // not behind a pooler: a name belongs to one server connection, and a pooler changes
                      // that
  prepared_names names_;
  std::vector<result<rows>> salvaged_;  // of a flush that broke
};

}  // namespace pg
}  // namespace v0
}  // namespace shardway
