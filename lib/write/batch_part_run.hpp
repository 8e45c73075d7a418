// One node's part of a batch: its rows in one transaction.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "lib/write/fenced_call.hpp"
#include "lib/write/frame.hpp"
#include "lib/write/rows_by_node.hpp"
#include "shardway/write/batch.hpp"

namespace shardway {
inline namespace v0 {

/// Where each of these rows goes now. Errors: as `write_host::locate`.
result<std::vector<call_target>> locate_rows(write_host& host, std::string_view table,
                                             std::span<batch_row const> all, position_list const& positions);

/// Tries the transaction of one part until it commits, fails, or its rows belong to several nodes.
/// Thread safety: one thread at a time. Lifetime: what it was given outlives it.
class batch_part_run {
 public:
  struct row_answer {
    std::int64_t affected{};
    rows returned;
  };

  batch_part_run(write_host& host, dual_writer& dual_write, std::string_view table, std::string_view sql,
                 std::span<batch_row const> all, position_list positions, write_options const& options);

  /// False: authority has moved meanwhile, and the rows have to be grouped again.
  bool run();
  batch_part& part() noexcept { return part_; }
  std::vector<row_answer>& answers() noexcept { return answers_; }
  std::span<call_target const> targets() const noexcept { return targets_; }

 private:
  struct flush_plan;
  using answer_list = std::vector<result<rows>>;

  attempt_result attempt();
  attempt_result attempt_in_one_flush();
  attempt_result attempt_row_by_row();
  result<flush_plan> plan_flush();
  result<void> add_rows(statement_list& statements);
  attempt_result judge(flush_plan const& flush, lent_session const& session, answer_list& answers,
                       std::size_t arrived);
  attempt_result end_before_commit(flush_plan const& flush, std::size_t position, error const& why);
  void take_rows(flush_plan const& flush, answer_list& answers, std::size_t end);
  bool committed(attempt_result const& done);
  bool failed(error why);

  dual_writer& dual_writer_;
  std::string_view table_, sql_;
  std::span<batch_row const> all_;
  position_list positions_;
  fenced_call call_;
  std::vector<call_target> targets_;
  write_plan plan_;
  std::vector<framed_statement> framed_;
  std::vector<row_answer> answers_;
  batch_part part_;
};

}  // namespace v0
}  // namespace shardway
