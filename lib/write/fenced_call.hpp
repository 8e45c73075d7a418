// What one-shot writes and transactions have in common: attempts, retries and the receipt.
#pragma once

#include <functional>

#include "lib/authority/authority_wait.hpp"
#include "lib/write/attempt_result.hpp"
#include "lib/write/fenced_write.hpp"
#include "lib/write/second_half.hpp"
#include "lib/write/statement_list.hpp"
#include "lib/write/write_log.hpp"
#include "lib/write/write_plan.hpp"

namespace shardway {
inline namespace v0 {

/// The operation id of a call and the digest of what the call writes.
struct operation_claim {
  std::string id;
  std::string digest;
};

class fenced_call {
 public:
  fenced_call(write_host& host, dual_writer& dual_write, write_address const& address,
              write_options const& options, std::optional<operation_claim> operation = {});

  using attempt_type = std::function<attempt_result(fenced_call&, call_target const&)>;
  /// Attempts until one commits. Errors: as `execute_fenced`.
  result<write_receipt> run(attempt_type const& attempt);

  write_host& host() noexcept { return host_; }
  write_options const& options() const noexcept { return options_; }
  write_id id() const noexcept { return id_; }
  std::optional<operation_claim> const& operation() const noexcept { return operation_; }
  /// `cancelled` once the caller has asked to stop.
  result<void> check_stop() const;
  /// The operation's id is held by the attempt: no earlier one has committed.
  void forget_doubt() noexcept { doubt_.reset(); }
  /// How an attempt ends whose outcome is in doubt: an operation is tried again, for its id tells.
  attempt_result doubted(attempt_result);
  steady_time deadline() const noexcept { return deadline_; }
  epoch expected(call_target const& target) const noexcept { return wait_.expected(target); }
  outbox_context context(call_target const& target) const noexcept {
    return {id_, log_.next_ordinal, expected(target), target.slot};
  }
  write_log& log() noexcept { return log_; }

  /// What an attempt that ended asks for: nothing once it is worth trying again, else the error to give.
  result<void> after(attempt_end const&, call_target const&);
  /// Attempts that were given up so far.
  unsigned retries() const noexcept { return retried_; }

  /// The statements that open a fenced transaction, the fence last.
  statement_list opening(call_target const&, write_plan const&) const;
  /// What became of a COMMIT that was not answered. Fills in the position if it committed.
  attempt_result resolve(call_target const&, write_plan const&, lent_session const&, std::string xid,
                         error const& lost);
  /// The same for an answered one.
  attempt_result judge(call_target const&, commit_outcome const&, result<rows> const& position,
                       lent_session const&);

 private:
  write_receipt receipt(call_target const&, attempt_result, dual_write_result);
  write_receipt replayed(call_target const&, attempt_result);
  dual_write_result second_half(call_target const&, write_plan const&, attempt_result const&);
  lsn position_afterwards(call_target const&);

  write_host& host_;
  dual_writer& dual_writer_;
  write_address address_;
  write_options options_;
  std::optional<operation_claim> operation_;
  std::optional<error> doubt_;  ///< of an earlier attempt; the error to give unless a later one settles it
  write_id id_;
  steady_time deadline_;
  authority_wait wait_;
  write_log log_;
  unsigned attempts_{};
  unsigned retried_{};
};

statement position_statement();
statement xid_statement();

}  // namespace v0
}  // namespace shardway
