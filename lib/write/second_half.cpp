#include "lib/write/second_half.hpp"

#include <algorithm>
#include <map>

namespace shardway {
inline namespace v0 {

using std::chrono::milliseconds;

std::vector<dual_write_job> jobs_of(captured_changes captured) {
  std::map<shard_id, std::vector<dual_write_change>> by_shard;
  for (auto& change : captured.changes) by_shard[change.shard].push_back(std::move(change));
  std::vector<dual_write_job> jobs;
  for (auto& [shard, changes] : by_shard)
    jobs.push_back(
        {.id = captured.id, .current = captured.current, .shard = shard, .changes = std::move(changes)});
  return jobs;
}

dual_write_result combined(dual_write_result all, dual_write_result const& more) {
  all.rows_applied += more.rows_applied;
  if (more.state > all.state) {
    all.state = more.state;
    all.reason = more.reason;
  }
  return all;
}

dual_write_result send_second_half(dual_writer& writer, captured_changes changes, milliseconds budget,
                                   steady_time deadline) {
  bool const in_background = budget.count() == 0;
  auto const until = std::min(deadline, system_clock_source().now() + budget);
  dual_write_result all;
  for (auto& job : jobs_of(std::move(changes))) {
    auto const left = std::chrono::duration_cast<milliseconds>(until - system_clock_source().now());
    // If the others left no time for a shard, it is not tried: it would count as one that does not
    // answer.
    bool const now = !in_background && left > milliseconds{0};
    all = combined(std::move(all), now ? writer.apply(job, left) : writer.enqueue(std::move(job)));
  }
  return all;
}

}  // namespace v0
}  // namespace shardway
