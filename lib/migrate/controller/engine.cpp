#include "shardway/migrate/controller/engine.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "lib/migrate/copy/job.hpp"
#include "lib/migrate/stream/apply/applier.hpp"
#include "lib/migrate/stream/mirror/mirror.hpp"
#include "lib/migrate/stream/read/dispatcher.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;

struct engine::parts {
  engine_options options;
  std::vector<std::shared_ptr<stream::apply_queue>> queues;
  std::unique_ptr<stream::dispatcher> stream;
  std::thread stream_thread;
  std::vector<std::thread> appliers;
  std::atomic<bool> is_copy_paused{};

  mutable std::mutex mutex;  // guards what follows
  std::shared_ptr<generation const> routing;
  std::map<std::string, std::unique_ptr<copy::job>, std::less<>> copies;
  std::vector<std::unique_ptr<stream::mirror>> mirrors;
  bool is_stopped{};

  void start_applier(std::size_t number);
  void stop_all();
};

namespace {

result<> check(engine_options const& options) {
  auto const bad = [](char const* what) {
    return error{error_code::invalid_argument, std::string("engine_options: ") + what};
  };
  if (!options.routing) return bad("routing is null");
  if (options.nodes.shards.size() != options.routing->migration.shards.size())
    return bad("nodes.shards has another size than the migration");
  auto const& limits = options.limits;
  if (limits.batch_changes_max == 0 || limits.queue_bytes_max == 0 || limits.chunk_rows <= 0 ||
      limits.copy_workers == 0)
    return bad("a limit is 0; each must be > 0");
  return success();
}

}  // namespace

void engine::parts::start_applier(std::size_t number) {
  stream::applier_options how{
      .shard = options.nodes.shards[number],
      .source = options.nodes.source,
      .token = options.token,
      .limits = options.limits,
      .number = shard_id{static_cast<std::uint16_t>(number)},
      .shows_all_passed =
          [this](stream::xid_snapshot const& snapshot) { return stream->shows_all_passed(snapshot); },
      .is_mine =
          [this, number](stream::followed_table const& table, stream_tuple const& row) {
            if (table.is_reference()) return true;
            auto const slot = stream::slot_of_tuple(table, row);
            return slot && slot.value() && stream->catalog()->shard_of(*slot.value()) == number;
          },
  };
  appliers.emplace_back([how = std::move(how), queue = queues[number]]() mutable {
    stream::applier{std::move(how), *queue}.run();
  });
}

void engine::parts::stop_all() {
  std::vector<std::unique_ptr<stream::mirror>> stopped_mirrors;
  std::map<std::string, std::unique_ptr<copy::job>, std::less<>> stopped_copies;
  {
    std::scoped_lock const lock(mutex);
    if (is_stopped) return;
    is_stopped = true;
    stopped_mirrors.swap(mirrors);
    stopped_copies.swap(copies);
  }
  stopped_copies.clear();
  stopped_mirrors.clear();
  stream->stop();
  for (auto const& queue : queues) queue->close();
  if (stream_thread.joinable()) stream_thread.join();
  for (auto& thread : appliers) thread.join();
}

engine::engine(std::unique_ptr<parts> made) : parts_(std::move(made)) {}

engine::~engine() { stop(); }

void engine::stop() { parts_->stop_all(); }

result<std::unique_ptr<engine>> engine::start(engine_options options) {
  BOOST_OUTCOME_TRYV(check(options));
  auto made = std::make_unique<parts>();
  made->routing = options.routing;
  made->options = std::move(options);
  auto const count = made->options.nodes.shards.size();
  for (std::size_t i = 0; i < count; ++i)
    made->queues.push_back(std::make_shared<stream::apply_queue>(made->options.limits.queue_bytes_max));
  made->mirrors.resize(count);
  made->stream = std::make_unique<stream::dispatcher>(
      stream::dispatcher_options{.source = made->options.nodes.source,
                                 .token = made->options.token,
                                 .limits = made->options.limits,
                                 .migration = made->routing->migration.name},
      made->queues);
  BOOST_OUTCOME_TRYV(made->stream->prepare(made->routing));
  for (std::size_t i = 0; i < count; ++i) made->start_applier(i);
  made->stream_thread = std::thread([stream = made->stream.get()] { stream->run(); });
  return std::unique_ptr<engine>{new engine(std::move(made))};
}

void engine::update_generation(std::shared_ptr<generation const> routing) {
  std::vector<std::unique_ptr<copy::job>>
      ended;  // a group that goes back to observing is not copied any more
  {
    std::scoped_lock const lock(parts_->mutex);
    for (auto copy = parts_->copies.begin(); copy != parts_->copies.end();) {
      auto const* group = routing->find_group(copy->first);
      bool const goes_on = group && group->stage != stage::observing;
      if (!goes_on) ended.push_back(std::move(copy->second));
      copy = goes_on ? std::next(copy) : parts_->copies.erase(copy);
    }
    parts_->routing = routing;
    for (auto const& mirror : parts_->mirrors)
      if (mirror) mirror->update_generation(routing);
  }
  ended.clear();
  if (auto const taken = parts_->stream->update_generation(std::move(routing)); !taken)
    parts_->stream->refuse(taken.error());
}

result<> engine::start_copy(std::string_view group) {
  std::scoped_lock const lock(parts_->mutex);
  if (!parts_->routing->find_group(group))
    return error{error_code::invalid_argument, "there is no group \"" + std::string(group) + "\""};
  auto& job = parts_->copies[std::string(group)];
  if (job && job->is_running())
    return error{error_code::invalid_argument,
                 "the copy of group \"" + std::string(group) + "\" runs already"};
  copy::job_options how{.nodes = parts_->options.nodes,
                        .token = parts_->options.token,
                        .limits = parts_->options.limits,
                        .group = std::string(group)};
  job = std::make_unique<copy::job>(std::move(how), *parts_->stream, parts_->queues, parts_->is_copy_paused);
  return success();
}

copy_progress engine::copy_state(std::string_view group) const {
  std::scoped_lock const lock(parts_->mutex);
  if (auto const found = parts_->copies.find(group); found != parts_->copies.end())
    return found->second->state();
  copy_progress state{
      .is_running = false, .is_paused = parts_->is_copy_paused, .is_complete = true, .tables = {}};
  for (auto const& table : parts_->routing->tables) {
    if (table.manifest.group != group) continue;
    state.tables.push_back(parts_->stream->progress(table.manifest.table));
    if (!parts_->stream->is_complete(table.manifest.table)) state.is_complete = false;
  }
  return state;
}

void engine::pause_copy() { parts_->is_copy_paused = true; }

void engine::resume_copy() { parts_->is_copy_paused = false; }

result<> engine::start_mirror(shard_id shard) {
  std::scoped_lock const lock(parts_->mutex);
  if (parts_->is_stopped || shard.value() >= parts_->mirrors.size())
    return error{error_code::invalid_argument, "there is no shard of that number, or the engine was stopped"};
  auto& mirror = parts_->mirrors[shard.value()];
  if (mirror && mirror->state().is_running) return success();
  mirror = std::make_unique<stream::mirror>(
      stream::mirror_options{.shard = parts_->options.nodes.shards[shard.value()],
                             .source = parts_->options.nodes.source_mirror,
                             .catalog = parts_->options.nodes.source,
                             .token = parts_->options.token,
                             .limits = parts_->options.limits,
                             .number = shard},
      parts_->routing);
  return success();
}

void engine::stop_mirror(shard_id shard) {
  std::unique_ptr<stream::mirror> stopped;
  std::scoped_lock const lock(parts_->mutex);
  if (shard.value() < parts_->mirrors.size()) stopped = std::move(parts_->mirrors[shard.value()]);
}

stream_state engine::stream(shard_id shard) const {
  if (shard.value() >= parts_->queues.size()) return {};
  auto const& queue = *parts_->queues[shard.value()];
  auto state = queue.state();
  state.stream = parts_->options.nodes.shards[shard.value()].node;
  parts_->stream->add_lag(queue, state);
  state.is_connected = state.is_connected && parts_->stream->is_connected();
  if (auto const failed = parts_->stream->failure(); failed && !state.failure) state.failure = failed;
  if (state.failure) state.is_running = false;
  return state;
}

stream_state engine::mirror(shard_id shard) const {
  std::scoped_lock const lock(parts_->mutex);
  if (shard.value() >= parts_->mirrors.size() || !parts_->mirrors[shard.value()]) return {};
  return parts_->mirrors[shard.value()]->state();
}

std::optional<error> engine::dispatcher_failure() const { return parts_->stream->failure(); }

std::map<std::string, std::string> engine::paused_groups() const { return parts_->stream->paused_groups(); }

lsn engine::decoded() const { return parts_->stream->decoded(); }

lsn engine::confirmed() const { return parts_->stream->confirmed(); }

}  // namespace v0
}  // namespace shardway
