// The dual writes of a transaction that has committed on the source: one job a shard.
#pragma once

#include "lib/write/dual_writer.hpp"

namespace shardway {
inline namespace v0 {

/// What a committed transaction has captured.
struct captured_changes {
  write_id id{};
  std::shared_ptr<generation const> current;
  std::vector<dual_write_change> changes;
};

/// One job a shard, the shards in order, changes of one shard in the order they were made. Pure.
std::vector<dual_write_job> jobs_of(captured_changes captured);

/// The worse of the two states, and the sum of the rows. Pure.
dual_write_result combined(dual_write_result all, dual_write_result const& more);

/// Sends every job: now and within `budget` for all together, or to the background where it is 0.
dual_write_result send_second_half(dual_writer& writer, captured_changes changes,
                                   std::chrono::milliseconds budget, steady_time deadline);

}  // namespace v0
}  // namespace shardway
