// Changes of sampled rows, through the applier that the stream uses.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "lib/migrate/rehearsal/sample.hpp"
#include "lib/migrate/stream/apply/apply_queue.hpp"
#include "shardway/migrate/nodes/engine_nodes.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::rehearsal {

/// The source's transactions of a play, in order, each with one position: every row whole, then with half of
/// its columns left alone, then deleted, then inserted again. So the table ends as it began. Pure.
std::vector<stream::shard_item> plan_play(std::vector<sampled_table> const&, std::size_t rows_each);

struct played {
  std::int64_t changes{};
  std::chrono::microseconds took{};
};
/// Applies the items on the scratch database as the stream would. Errors: the applier's failure, and
/// `deadline_exceeded`.
result<played> play(std::vector<stream::shard_item> items, connect_options const& scratch,
                    connect_options const& source);

}  // namespace migrate::rehearsal
}  // namespace v0
}  // namespace shardway
