#include "lib/migrate/copy/job.hpp"

#include "lib/catalog/guarded.hpp"
#include "lib/migrate/copy/old_transactions.hpp"
#include "lib/migrate/copy/plan.hpp"
#include "lib/migrate/nodes/back_off.hpp"
#include "lib/migrate/nodes/pause.hpp"
#include "lib/migrate/nodes/reconnect.hpp"
#include "lib/migrate/stream/snapshot.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/base/stop_point.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::copy {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds first_retry{20};

steady_time now() { return system_clock_source().now(); }

bool may_try_again(error const& failed) {
  return nodes::may_reconnect(failed) || failed.code() == error_code::serialization_failure ||
         failed.sqlstate() == "23505";
}

}  // namespace

job::job(job_options options, stream::dispatcher& stream,
         std::vector<std::shared_ptr<stream::apply_queue>> queues, std::atomic<bool> const& is_paused)
    : options_(std::move(options)),
      stream_(stream),
      queues_(std::move(queues)),
      is_paused_(is_paused),
      started_(now()),
      thread_([this] { run(); }) {}

job::~job() { stop(); }

void job::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

bool job::wait(milliseconds time) const {
  return nodes::pause(time, [this] { return stopping_.load(); });
}

void job::fail(error why) {
  std::scoped_lock const lock(mutex_);
  if (!failure_) failure_ = std::move(why);
}

void job::run() {
  auto const catalog = stream_.catalog();
  for (auto const& [name, table] : catalog->tables())
    if (table->group() == options_.group) tables_.push_back(table);
  if (auto prepared = prepare(); !prepared) {
    if (!stopping_) fail(prepared.error());
  } else {
    std::vector<std::thread> workers;
    for (unsigned i = 0; i < options_.limits.copy_workers; ++i) workers.emplace_back([this] { work(); });
    for (auto& worker : workers) worker.join();
  }
  running_ = false;
}

// CP3: before the first read, every transaction that began before the table joined the stream must have
// ended.
result<> job::prepare() {
  BOOST_OUTCOME_TRY(auto const source, connect(options_.nodes.source));
  BOOST_OUTCOME_TRYV(wait_for_old_transactions(*source, now() + options_.limits.old_transactions_wait));
  for (auto const& table : tables_) {
    BOOST_OUTCOME_TRYV(plan_table(*source, table));
  }
  return success();
}

result<> job::plan_table(session& source, stream::table_ptr const& table) {
  if (stream_.is_followed(table->name())) return success();
  BOOST_OUTCOME_TRY(auto const ranges, plan_chunks(source, *table, options_.limits.chunk_rows));
  std::vector<text_value> lower, upper;
  for (auto const& range : ranges) {
    lower.push_back(range.lower);
    upper.push_back(range.upper);
  }
  auto const planned = run_guarded(
      source, options_.token,
      {{.sql = "DELETE FROM shardway.chunk WHERE relation = $1::text", .parameters = {table->name()}},
       {.sql = "INSERT INTO shardway.chunk (relation, lower, upper, state) SELECT $1::text, x.l, x.u, "
               "'planned' FROM ROWS FROM (pg_catalog.unnest($2::text[]), "
               "pg_catalog.unnest($3::text[])) WITH ORDINALITY AS x (l, u, n) ORDER BY x.n RETURNING id",
        .parameters = {table->name(), text_array(lower), text_array(upper)}}});
  if (!planned) return planned.error().while_doing("planning the copy of table " + table->name());
  stream::followed_copy copy{.table = table, .order = stream::order_of(*table), .chunks = {}};
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    stream::followed_chunk chunk;
    BOOST_OUTCOME_TRY(chunk.id, planned.value()[1].integer(i, 0));
    chunk.range = ranges[i];
    copy.chunks.push_back(std::move(chunk));
  }
  stream_.put_copy(std::move(copy));
  return success();
}

result<job::worker_nodes> job::connect_nodes() const {
  worker_nodes connected;
  BOOST_OUTCOME_TRY(connected.source, connect(options_.nodes.source));
  for (auto const& shard : options_.nodes.shards) {
    BOOST_OUTCOME_TRY(auto made, connect(shard));
    // Foreign keys and triggers must not fire: rows arrive in any order, and their triggers have already run
    // on the source.
    BOOST_OUTCOME_TRYV(made->simple("SET session_replication_role = replica"));
    connected.shards.push_back(std::move(made));
  }
  return connected;
}

void job::work() {
  nodes::back_off pauses{first_retry, options_.limits.retry_delay_max};
  while (!stopping_) {
    auto connected = connect_nodes();
    auto const before = rows_copied_.load();
    auto const done = connected ? work_until_done(connected.value()) : result<>{connected.error()};
    if (done || stopping_) return;
    if (!may_try_again(done.error())) {
      stopping_ = true;
      return fail(done.error());
    }
    if (rows_copied_ > before) pauses.reset();
    wait(pauses.next());
  }
}

result<> job::work_until_done(worker_nodes& connected) {
  for (;;) {
    while (is_paused_ && wait(milliseconds(20))) continue;
    if (stopping_) return success();
    if (auto const stream = stream_.failure()) return stream->while_doing("copying group " + options_.group);
    BOOST_OUTCOME_TRY(auto const has_more, copy_one(connected));
    if (!has_more) return success();
  }
}

std::optional<std::pair<stream::table_ptr, std::size_t>> job::claim() {
  std::scoped_lock const lock(mutex_);
  for (auto const& table : tables_) {
    auto const count = static_cast<std::size_t>(stream_.progress(table->name()).chunks);
    for (std::size_t i = 0; i < count; ++i)
      if (stream_.is_planned(table->name(), i) && claimed_.emplace(table->name(), i).second)
        return std::pair{table, i};
  }
  return std::nullopt;
}

void job::unclaim(std::string const& table, std::size_t chunk) {
  std::scoped_lock const lock(mutex_);
  claimed_.erase({table, chunk});
}

result<bool> job::copy_one(worker_nodes& connected) {
  auto const mine = claim();
  if (!mine) return false;
  auto const& [table, chunk] = *mine;
  auto copied = copy_chunk(connected, table, chunk);
  if (!copied) stream_.fail_chunk(table->name(), chunk);
  auto const done =
      copied ? finish_chunk(connected, table->name(), chunk, copied.value()) : result<>{copied.error()};
  unclaim(table->name(), chunk);
  if (!done) return done.error();
  return true;
}

result<job::counts> job::copy_chunk(worker_nodes& connected, stream::table_ptr const& table,
                                    std::size_t chunk) {
  BOOST_OUTCOME_TRYV(wait_for_shards(stream_.open_chunk(table->name(), chunk)));
  if (stop_point("before_chunk_snapshot")) return nodes::stopped_by_test("before_chunk_snapshot");
  BOOST_OUTCOME_TRYV(take_snapshot(connected, table->name(), chunk));
  if (stop_point("after_chunk_snapshot")) return nodes::stopped_by_test("after_chunk_snapshot");
  return copy_rows(connected, *table, stream_.range_of(table->name(), chunk));
}

// CP8: if a table were emptied on a shard after rows were copied there, rows that are newer than the TRUNCATE
// would be lost.
result<> job::wait_for_shards(lsn position) const {
  for (auto const& queue : queues_) {
    while (queue->committed().applied < position) {
      if (auto const state = queue->state(); state.failure) return *state.failure;
      if (auto const stream = stream_.failure())
        return stream->while_doing("copying group " + options_.group);
      if (!wait(milliseconds(10))) return error{error_code::cancelled, "the copy is stopping"};
    }
  }
  return success();
}

// CP2: a commit may be decoded before a snapshot shows it. This lasts as long as a synchronous standby delays
// the commit.
result<> job::take_snapshot(worker_nodes& connected, std::string const& table, std::size_t chunk) {
  nodes::back_off pauses{milliseconds(2), milliseconds(200)};
  do {
    BOOST_OUTCOME_TRY(auto const snapshot, stream::begin_snapshot(*connected.source));
    if (stream_.accept_snapshot(table, chunk, snapshot)) return success();
    BOOST_OUTCOME_TRYV(connected.source->query({.sql = "ROLLBACK"}));
  } while (wait(pauses.next()));
  return error{error_code::cancelled, "the copy is stopping"};
}

// I6: the catalog records the chunk as closed only after every shard has committed past the deferred changes.
result<> job::finish_chunk(worker_nodes& connected, std::string const& table, std::size_t chunk,
                           counts counted) {
  auto const barrier = stream_.hand_over(table, chunk);
  if (!barrier) {
    stream_.fail_chunk(table, chunk);
    return success();
  }
  for (auto const& queue : queues_) {
    while (!queue->wait_for_barrier(*barrier, now() + milliseconds(200))) {
      if (auto const state = queue->state(); state.failure) return *state.failure;
      if (stopping_) return error{error_code::cancelled, "the copy is stopping"};
    }
  }
  if (stop_point("before_chunk_close")) return nodes::stopped_by_test("before_chunk_close");
  auto closed = note_closed(connected, stream_.id_of(table, chunk), counted);
  if (!closed) return closed;
  stream_.close_chunk(table, chunk, counted.rows, counted.bytes);
  rows_copied_ += counted.rows;
  return success();
}

// The rows are in place, but the catalog does not show it yet. Retries until the source can be reached.
result<> job::note_closed(worker_nodes& connected, std::int64_t id, counts counted) {
  auto closed = set_chunk(*connected.source, id, counted);
  nodes::back_off pauses{milliseconds(50), milliseconds(1600)};
  while (!closed && may_try_again(closed.error()) && wait(pauses.next())) {
    auto fresh = connect(options_.nodes.source);
    if (fresh) closed = set_chunk(*fresh.value(), id, counted);
  }
  return closed;
}

result<> job::set_chunk(session& source, std::int64_t id, counts counted) {
  auto const closed = run_guarded(
      source, options_.token,
      {{.sql = "UPDATE shardway.chunk SET state = 'closed', row_count = $2::int8, byte_count = $3::int8, "
               "closed_at = pg_catalog.clock_timestamp() WHERE id = $1::int8",
        .parameters = {std::to_string(id), std::to_string(counted.rows), std::to_string(counted.bytes)}}});
  if (!closed) return closed.error().while_doing("closing a chunk");
  return success();
}

copy_progress job::state() const {
  copy_progress state{.is_running = running_, .is_paused = is_paused_, .is_complete = true, .tables = {}};
  auto const catalog = stream_.catalog();
  for (auto const& [name, table] : catalog->tables()) {
    if (table->group() != options_.group) continue;
    state.tables.push_back(stream_.progress(name));
    if (!stream_.is_complete(name)) state.is_complete = false;
  }
  auto const seconds = std::chrono::duration<double>(now() - started_).count();
  state.rows_per_second = seconds > 0 ? static_cast<double>(rows_copied_) / seconds : 0;
  std::scoped_lock const lock(mutex_);
  state.failure = failure_;
  return state;
}

}  // namespace migrate::copy
}  // namespace v0
}  // namespace shardway
