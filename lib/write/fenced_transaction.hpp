// The transaction that `write` hands to the caller's function.
#pragma once

#include <map>

#include "fenced_call.hpp"

namespace shardway {
inline namespace v0 {

class fenced_transaction final : public write_transaction {
 public:
  fenced_transaction(fenced_call& call, write_target const& target, write_plan const& plan, lent_session const& on)
      : call_(call), target_(target), plan_(plan), on_(on) {}

  result<rows> execute(std::string_view table, std::string_view sql, std::vector<text_value> parameters) override;
  result<rows> query(std::string_view sql, std::vector<text_value> parameters) override;
  result<> savepoint(std::string_view name) override;
  result<> rollback_to(std::string_view name) override;
  write_id id() const noexcept override { return call_.id(); }
  std::string_view node() const noexcept override { return target_.node_name; }

  /// BEGIN and the fence.
  result<> begin();
  /// The error that has made the transaction unfit to commit.
  std::optional<error> const& failure() const noexcept { return failure_; }
  std::string const& xid() const noexcept { return xid_; }

 private:
  struct mark {
    std::size_t changes{};
    std::int64_t affected{};
  };
  result<void> check_table(std::string_view table) const;
  result<std::vector<result<rows>>> send(std::span<statement const>);
  result<rows> send_with_xid(statement const&);
  error fail(error why);

  fenced_call& call_;
  write_target const& target_;
  write_plan const& plan_;
  lent_session const& on_;
  std::map<std::string, mark, std::less<>> marks_;
  std::optional<error> failure_;
  std::string xid_;
};

}  // namespace v0
}  // namespace shardway
