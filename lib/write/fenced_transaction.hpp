// The transaction that `write` hands to the caller's function.
#pragma once

#include <map>

#include "lib/write/fenced_call.hpp"

namespace shardway {
inline namespace v0 {

class fenced_transaction final : public write_transaction {
 public:
  fenced_transaction(fenced_call& call, call_target const& target, write_plan const& plan,
                     lent_session const& lent)
      : call_(call), target_(target), plan_(plan), lent_(lent) {}

  result<rows> execute(std::string_view table, std::string_view sql,
                       std::vector<text_value> parameters) override;
  result<rows> execute_for(shard_key const& key, std::string_view table, std::string_view sql,
                           std::vector<text_value> parameters) override;
  result<> also(shard_key const& key) override;
  result<rows> query(std::string_view sql, std::vector<text_value> parameters) override;
  result<> savepoint(std::string_view name) override;
  result<> rollback_to(std::string_view name) override;
  result<session*> begin_lending(std::vector<std::string> const& search_path) override;
  result<> end_lending(bool was_aborted) override;
  write_id id() const noexcept override { return call_.id(); }
  std::string_view node() const noexcept override { return target_.node_name; }

  /// BEGIN and the fence.
  result<> begin();
  /// Mappings of the rows changed, before COMMIT.
  result<> keep_lookups();
  /// What goes before COMMIT in its flush to learn what triggers captured; nothing where none does.
  std::vector<statement> last_statements() const;
  /// Their answers: the changes join those of frames, in the order of versions.
  result<> take_captured(std::span<result<rows> const> answers);
  /// The error that has made the transaction unfit to commit.
  std::optional<error> const& failure() const noexcept { return failure_; }
  std::string const& xid() const noexcept { return xid_; }
  /// The call's operation id is taken: `begin` failed for that.
  bool is_repeat() const noexcept { return is_repeat_; }
  /// The target whose fence refused, if not the first one's.
  std::shared_ptr<call_target const> const& refused_target() const noexcept { return refused_target_; }

 private:
  struct mark {
    std::size_t changes{};
    std::int64_t affected{};
    std::size_t lookups{};
  };
  struct change_count {
    std::int64_t all{};
    std::int64_t uncaptured{};
  };
  bool has_capture_triggers() const;
  bool is_captured_by_trigger(call_target const&, std::string_view sql) const;
  void announce(call_target const&);
  void announce_raw(bool raw);
  void forget_announced();
  result<rows> change_raw(call_target const&, std::string_view sql, std::vector<text_value> parameters);
  statement count_statement() const;
  static result<change_count> counted(rows const&);
  result<> failed_while_lent(error const& why);
  result<void> check_table(std::string_view table) const;
  result<call_target> enter(std::string_view table, shard_key const& key);
  result<void> pass_fence(call_target const&);
  result<rows> change(call_target const&, write_plan const&, std::string_view sql,
                      std::vector<text_value> parameters);
  result<std::vector<result<rows>>> send(std::span<statement const>);
  result<rows> send_with_xid(statement const&);
  error fail(error why);

  fenced_call& call_;
  call_target const& target_;
  write_plan const& plan_;
  lent_session const& lent_;
  std::map<std::string, mark, std::less<>> marks_;
  std::vector<call_target> others_;  ///< one a slot that was entered after the first
  std::shared_ptr<call_target const> refused_target_;
  std::optional<error> failure_;
  std::string xid_;
  bool is_repeat_{};
  std::vector<statement> pending_;                    ///< settings that go ahead of the next statement
  std::optional<std::vector<text_value>> announced_;  ///< the shard key that capture triggers compare with
  std::optional<bool> is_raw_{false};                 ///< nothing: not known
  bool has_run_unframed_{};                           ///< a query, a raw change or lent code
  change_count before_lending_;
};

}  // namespace v0
}  // namespace shardway
