#include "lib/migrate/rehearsal/play.hpp"

#include <algorithm>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "lib/migrate/stream/apply/applier.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::rehearsal {
namespace {

constexpr std::chrono::seconds play_wait{120};
constexpr std::uint64_t first_position = 0x1000;
constexpr std::uint64_t position_step = 0x100;

using kind_type = stream::stream_change::kind_type;

bool is_in_key(stream::followed_table const& table, std::size_t column) {
  return std::find(table.key.begin(), table.key.end(), column) != table.key.end();
}

stream_value value_of(std::optional<std::string> const& text) {
  if (!text) return {};
  return {stream_value::kind_type::text, *text};
}

// `partial`: what an update sends whose TOAST columns did not change. Here every second column that is not
// in the key.
stream_tuple image_of(stream::followed_table const& table, row_texts const& values, bool partial) {
  stream_tuple image;
  for (std::size_t i = 0; i < values.size(); ++i) {
    bool const is_left = partial && i % 2 == 0 && !is_in_key(table, i);
    image.push_back(is_left ? stream_value{stream_value::kind_type::unchanged, {}} : value_of(values[i]));
  }
  return image;
}

stream::stream_change change_of(sampled_table const& sampled, rows_by_key::value_type const& row,
                                kind_type kind, bool partial, lsn position) {
  stream::stream_change change;
  change.kind = kind;
  change.table = sampled.table;
  change.key = row.first;
  change.version = row_version::make(epoch{1}, position).value_or(row_version{});
  if (kind == kind_type::upsert) change.image = image_of(*sampled.table, row.second, partial);
  return change;
}

stream::shard_item transaction_of(std::vector<sampled_table> const& sample, std::size_t rows_each,
                                  kind_type kind, bool partial, lsn position) {
  stream::shard_item item;
  item.end = position;
  for (auto const& table : sample) {
    std::size_t taken = 0;
    for (auto const& row : table.rows) {
      if (++taken > rows_each) break;
      item.changes.push_back(change_of(table, row, kind, partial, position));
      item.bytes += stream::size_of(item.changes.back());
    }
  }
  return item;
}

}  // namespace

std::vector<stream::shard_item> plan_play(std::vector<sampled_table> const& sample, std::size_t rows_each) {
  std::vector<stream::shard_item> items;
  auto const add = [&](kind_type kind, bool partial) {
    lsn const position{first_position + position_step * items.size()};
    items.push_back(transaction_of(sample, rows_each, kind, partial, position));
  };
  add(kind_type::upsert, false);
  add(kind_type::upsert, true);
  add(kind_type::remove, false);
  add(kind_type::upsert, false);
  return items;
}

result<played> play(std::vector<stream::shard_item> items, connect_options const& scratch,
                    connect_options const& source) {
  engine_limits const limits{};
  stream::apply_queue queue{limits.queue_bytes_max};
  stream::applier worker{{.shard = scratch,
                          .source = source,
                          .limits = limits,
                          .shows_all_passed = [](auto const&) { return true; },
                          .is_mine = [](auto const&, auto const&) { return true; }},
                         queue};
  std::jthread thread{[&worker] { worker.run(); }};
  absl::Cleanup const close = [&queue] { queue.close(); };
  auto const began = steady_now();
  played done;
  std::uint64_t barrier = 0;
  // One batch each: together only the last change of a row would be left of them.
  for (auto& item : items) {
    done.changes += static_cast<std::int64_t>(item.changes.size());
    item.barrier = ++barrier;
    queue.put(std::move(item));
    if (queue.wait_for_barrier(barrier, steady_now() + play_wait)) continue;
    if (auto const state = queue.state(); state.failure) return *state.failure;
    return error{error_code::deadline_exceeded, "the changes of a rehearsal were not applied in time",
                 "look for locks and load on the shard, then rehearse again"}
        .at_node(scratch.node);
  }
  done.took = std::chrono::duration_cast<std::chrono::microseconds>(steady_now() - began);
  return done;
}

}  // namespace migrate::rehearsal
}  // namespace v0
}  // namespace shardway
