// One statement for many rows: each node that has authority for some of them gets its rows in one
// transaction.
#include "lib/write/fenced_batch.hpp"

#include <algorithm>
#include <deque>
#include <numeric>

#include <absl/strings/str_cat.h>

#include "lib/write/batch_part_run.hpp"
#include "lib/write/rows_by_node.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

bool is_one_shard(std::span<call_target const> targets) {
  return std::all_of(targets.begin(), targets.end(),
                     [&](auto const& one) { return one.placed == targets.front().placed; });
}

class batch_call {
 public:
  batch_call(write_host& host, dual_writer& dual_write, std::string_view table, std::string_view sql,
             std::span<batch_row const> all, batch_options const& options)
      : host_(host),
        dual_writer_(dual_write),
        table_(table),
        sql_(sql),
        all_(all),
        options_(options),
        deadline_(system_clock_source().now() + options.deadline) {}

  result<batch_receipt> run() {
    receipt_.rows.resize(all_.size());
    position_list every(all_.size());
    std::iota(every.begin(), every.end(), std::size_t{0});
    BOOST_OUTCOME_TRYV(group(every));
    while (!work_.empty()) {
      auto positions = std::move(work_.front());
      work_.pop_front();
      BOOST_OUTCOME_TRYV(run_part(std::move(positions)));
    }
    return std::move(receipt_);
  }

 private:
  result<void> group(position_list const& positions) {
    BOOST_OUTCOME_TRY(auto targets, locate_rows(host_, table_, all_, positions));
    auto parts = rows_by_node(positions, targets);
    if (options_.single_transaction && parts.size() > 1) {
      // Perhaps only an old generation sets them apart.
      (void)host_.refresh(targets.front().current->number, deadline_);
      BOOST_OUTCOME_TRY(targets, locate_rows(host_, table_, all_, positions));
      parts = rows_by_node(positions, targets);
      if (parts.size() > 1) return crossing(table_, targets);
    }
    for (auto& part : parts) work_.push_back(std::move(part));
    return success();
  }

  result<void> run_part(position_list positions) {
    auto const left = std::chrono::duration_cast<milliseconds>(deadline_ - system_clock_source().now());
    write_options const options{.isolation = options_.isolation,
                                .deadline = std::max(milliseconds{1}, left),
                                .retries_max = options_.retries_max};
    batch_part_run run{host_, dual_writer_, table_, sql_, all_, positions, options};
    if (!run.run()) return group(positions);
    if (options_.single_transaction) report_crossing(run);
    take_answers(run, positions);
    receipt_.parts.push_back(std::move(run.part()));
    return success();
  }

  void take_answers(batch_part_run& run, position_list const& positions) {
    auto const part = receipt_.parts.size();
    for (std::size_t i = 0; i < positions.size(); ++i) {
      auto& answer = receipt_.rows[positions[i]];
      answer.part = part;
      if (i >= run.answers().size()) continue;
      answer.affected = run.answers()[i].affected;
      answer.returned = std::move(run.answers()[i].returned);
      receipt_.affected += answer.affected;
    }
  }

  // Allowed while the source has authority for all rows; refused once they have moved.
  void report_crossing(batch_part_run const& run) {
    auto const targets = run.targets();
    if (targets.empty() || !targets.front().node.is_source() || is_one_shard(targets)) return;
    host_.crosses_shards(targets.front());
  }

  write_host& host_;
  dual_writer& dual_writer_;
  std::string_view table_, sql_;
  std::span<batch_row const> all_;
  batch_options const& options_;
  steady_time deadline_;
  std::deque<position_list> work_;
  batch_receipt receipt_;
};

}  // namespace

result<batch_receipt> execute_batch_fenced(write_host& host, dual_writer& dual_write, std::string_view table,
                                           std::string_view sql, std::span<batch_row const> rows,
                                           batch_options const& options) {
  if (options.deadline <= milliseconds{0})
    return error{error_code::invalid_argument, "a batch's deadline must be above 0"};
  if (rows.size() > batch_rows_max)
    return error{error_code::invalid_argument, absl::StrCat("a batch has ", rows.size(), " rows; at most ",
                                                            batch_rows_max, " in one call")};
  if (rows.empty()) return batch_receipt{};
  return batch_call{host, dual_write, table, sql, rows, options}.run();
}

}  // namespace v0
}  // namespace shardway
