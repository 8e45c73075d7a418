// What one-shot writes and transactions have in common: attempts, retries and the receipt.
#pragma once

#include <functional>

#include "lib/authority/authority_wait.hpp"
#include "lib/protocol/operation.hpp"
#include "lib/write/fenced_write.hpp"
#include "lib/write/frame.hpp"
#include "lib/write/second_half.hpp"

namespace shardway {
inline namespace v0 {

/// How an attempt ended short of a COMMIT that is known.
struct attempt_end {
  enum class kind_type : unsigned char {
    refused,  ///< by the fence: nothing was changed; wait, then again
    again,    ///< 40001, 40P01, or a connection lost before COMMIT: run it again, counted
    failed,   ///< give the error to the caller
  };
  kind_type kind{};
  error why{};
  std::shared_ptr<write_target const>
      target{};  ///< of a refusal: the slot that was refused, where it is not the call's first
};
/// How an error before COMMIT ends the attempt.
attempt_end end_of(error const&);

/// A commit, or the end of an attempt.
struct attempt_result {
  std::optional<attempt_end> end{};
  commit_outcome_kind outcome{commit_outcome_kind::committed};
  lsn position{};  ///< 0: not known
  bool answer_lost{};
  rows returned{};
  std::optional<operation_record>
      replayed{};  ///< the operation had committed before; this attempt wrote nothing
};

/// What a call's operation id stands for.
struct operation_claim {
  std::string id;
  std::string digest;
};

class fenced_call {
 public:
  fenced_call(write_host& host, dual_writer& dual_write, write_address const& to,
              write_options const& options, std::optional<operation_claim> operation = {});

  using attempt_type = std::function<attempt_result(fenced_call&, write_target const&)>;
  /// Attempts until one commits. Errors: as `execute_fenced`.
  result<write_receipt> run(attempt_type const& attempt);

  write_host& host() noexcept { return host_; }
  write_options const& options() const noexcept { return options_; }
  write_id id() const noexcept { return id_; }
  std::optional<operation_claim> const& operation() const noexcept { return operation_; }
  /// `cancelled` once the caller has asked to stop.
  result<void> check_stop() const;
  /// The operation's id is held by the attempt: no earlier one has committed.
  void settled() noexcept { doubt_.reset(); }
  /// How an attempt ends whose outcome is in doubt: an operation is tried again, for its id tells.
  attempt_result doubted(attempt_result);
  steady_time deadline() const noexcept { return deadline_; }
  epoch expected(write_target const& target) const noexcept { return wait_.expected(target); }
  outbox_context context(write_target const& target) const noexcept {
    return {id_, log_.next_ordinal, expected(target), target.slot};
  }
  write_log& log() noexcept { return log_; }

  /// What an attempt that ended asks for: nothing once it is worth trying again, else the error to give.
  result<void> after(attempt_end const&, write_target const&);
  /// Attempts that were given up so far.
  unsigned retries() const noexcept { return retried_; }

  /// The statements that open a fenced transaction, the fence last.
  std::vector<statement> opening(write_target const&, write_plan const&) const;
  /// What became of a COMMIT that was not answered. Fills in the position if it committed.
  attempt_result resolve(write_target const&, write_plan const&, lent_session const&, std::string xid,
                         error const& lost);
  /// The same for an answered one.
  attempt_result judge(write_target const&, commit_outcome const&, result<rows> const& position,
                       lent_session const&);

 private:
  write_receipt receipt(write_target const&, attempt_result, dual_write_result);
  write_receipt replayed(write_target const&, attempt_result);
  dual_write_result second_half(write_target const&, write_plan const&, attempt_result const&);
  lsn position_afterwards(write_target const&);

  write_host& host_;
  dual_writer& dual_writer_;
  write_address to_;
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
