#include "lib/migrate/copy/job.hpp"

#include <algorithm>

#include "lib/migrate/copy/old_transactions.hpp"
#include "lib/migrate/copy/plan.hpp"
#include "lib/migrate/stream/apply/sql.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/progress.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/stop_point.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::copy {
namespace {

steady_time now() { return system_clock_source().now(); }

bool may_try_again(error const& failed) {
  return failed.code() == error_code::node_unreachable || failed.code() == error_code::connection_lost ||
         failed.code() == error_code::deadline_exceeded ||
         failed.code() == error_code::serialization_failure || failed.code() == error_code::in_doubt ||
         failed.sqlstate() == "23505";
}

}  // namespace

copy_job::copy_job(copy_options options, stream::dispatcher& stream,
                   std::vector<std::shared_ptr<stream::apply_queue>> queues, copy_pause& gate)
    : options_(std::move(options)),
      stream_(stream),
      queues_(std::move(queues)),
      gate_(gate),
      started_(now()),
      thread_([this] { run(); }) {}

copy_job::~copy_job() { stop(); }

void copy_job::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

bool copy_job::wait(std::chrono::milliseconds time) const {
  auto const until = now() + time;
  while (!stopping_ && now() < until) sleep_for(std::chrono::milliseconds(5));
  return !stopping_;
}

void copy_job::fail(error why) {
  std::scoped_lock const lock(mutex_);
  if (!failure_) failure_ = std::move(why);
}

void copy_job::run() {
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

// CP3: nothing is read before every transaction that is older than the table's joining the stream has ended.
result<> copy_job::prepare() {
  BOOST_OUTCOME_TRY(auto const source, connect(options_.nodes.source));
  BOOST_OUTCOME_TRYV(wait_for_old_transactions(*source, now() + options_.limits.old_transactions_wait));
  for (auto const& table : tables_) {
    BOOST_OUTCOME_TRYV(plan_table(*source, table));
  }
  return success();
}

result<> copy_job::plan_table(session& source, stream::table_ptr const& table) {
  if (stream_.is_followed(table->name())) return success();
  BOOST_OUTCOME_TRY(auto const ranges, plan_chunks(source, *table, options_.limits.chunk_rows));
  std::vector<text_value> lower, upper;
  for (auto const& range : ranges) {
    lower.push_back(range.lower);
    upper.push_back(range.upper);
  }
  std::vector<statement> const statements{
      {.sql = "BEGIN"},
      engine_check_statement(options_.token, "copy"),
      {.sql = "DELETE FROM shardway.chunk WHERE relation = $1::text", .parameters = {table->name()}},
      {.sql = "INSERT INTO shardway.chunk (relation, lower, upper, state) SELECT $1::text, x.l, x.u, "
              "'planned' FROM ROWS FROM (pg_catalog.unnest($2::text[]), "
              "pg_catalog.unnest($3::text[])) WITH ORDINALITY AS x (l, u, n) ORDER BY x.n RETURNING id",
       .parameters = {table->name(), text_array(lower), text_array(upper)}},
      {.sql = "COMMIT"}};
  BOOST_OUTCOME_TRY(auto const answers, source.flush(statements));
  for (auto const& answer : answers)
    if (!answer) return answer.error().while_doing("planning the copy of table " + table->name());
  stream::followed_copy copy{.table = table, .order = stream::order_of(*table), .chunks = {}};
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    stream::followed_chunk chunk;
    BOOST_OUTCOME_TRY(chunk.id, answers[3].value().integer(i, 0));
    chunk.range = ranges[i];
    copy.chunks.push_back(std::move(chunk));
  }
  stream_.put_copy(std::move(copy));
  return success();
}

result<copy_job::worker_nodes> copy_job::connect_nodes() const {
  worker_nodes nodes;
  BOOST_OUTCOME_TRY(nodes.source, connect(options_.nodes.source));
  for (auto const& shard : options_.nodes.shards) {
    BOOST_OUTCOME_TRY(auto made, connect(shard));
    // Foreign keys and triggers do not fire: rows come in any order, and as they were finished on the source.
    BOOST_OUTCOME_TRYV(made->simple("SET session_replication_role = replica"));
    nodes.shards.push_back(std::move(made));
  }
  return nodes;
}

void copy_job::work() {
  unsigned tries = 0;
  while (!stopping_) {
    auto nodes = connect_nodes();
    auto const before = rows_copied_.load();
    auto const done = nodes ? work_until_done(nodes.value()) : result<>{nodes.error()};
    if (done) return;
    if (stopping_) return;
    if (!may_try_again(done.error())) {
      stopping_ = true;
      return fail(done.error());
    }
    tries = rows_copied_ > before ? 0 : tries + 1;
    wait(std::min(options_.limits.retry_delay_max,
                  std::chrono::milliseconds(20) * (1u << std::min(tries, 7u))));
  }
}

result<> copy_job::work_until_done(worker_nodes& nodes) {
  for (;;) {
    while (gate_.is_closed() && wait(std::chrono::milliseconds(20))) continue;
    if (stopping_) return success();
    if (auto const stream = stream_.failure()) return stream->while_doing("copying group " + options_.group);
    BOOST_OUTCOME_TRY(auto const has_more, copy_one(nodes));
    if (!has_more) return success();
  }
}

std::optional<std::pair<stream::table_ptr, std::size_t>> copy_job::claim() {
  std::scoped_lock const lock(mutex_);
  for (auto const& table : tables_) {
    auto const count = static_cast<std::size_t>(stream_.progress(table->name()).chunks);
    for (std::size_t i = 0; i < count; ++i)
      if (stream_.is_planned(table->name(), i) && claimed_.emplace(table->name(), i).second)
        return std::pair{table, i};
  }
  return std::nullopt;
}

void copy_job::unclaim(std::string const& table, std::size_t chunk) {
  std::scoped_lock const lock(mutex_);
  claimed_.erase({table, chunk});
}

result<bool> copy_job::copy_one(worker_nodes& nodes) {
  auto const mine = claim();
  if (!mine) return false;
  auto const& [table, chunk] = *mine;
  auto copied = copy_chunk(nodes, table, chunk);
  if (!copied) stream_.fail_chunk(table->name(), chunk);
  auto const done =
      copied ? finish_chunk(nodes, table->name(), chunk, copied.value()) : result<>{copied.error()};
  unclaim(table->name(), chunk);
  if (!done) return done.error();
  return true;
}

result<copy_job::counts> copy_job::copy_chunk(worker_nodes& nodes, stream::table_ptr const& table,
                                              std::size_t chunk) {
  BOOST_OUTCOME_TRYV(wait_for_shards(stream_.open_chunk(table->name(), chunk)));
  if (stop_point("before_chunk_snapshot"))
    return error{error_code::connection_lost, "stopped by a test at before_chunk_snapshot"};
  BOOST_OUTCOME_TRYV(take_snapshot(nodes, table->name(), chunk));
  if (stop_point("after_chunk_snapshot"))
    return error{error_code::connection_lost, "stopped by a test at after_chunk_snapshot"};
  return copy_rows(nodes, *table, stream_.range_of(table->name(), chunk));
}

// CP8: a table that is emptied on a shard after rows were copied there would lose rows that are newer than
// the TRUNCATE.
result<> copy_job::wait_for_shards(lsn position) const {
  for (auto const& queue : queues_) {
    while (queue->committed().applied < position) {
      if (auto const state = queue->state(); state.failure) return *state.failure;
      if (auto const stream = stream_.failure())
        return stream->while_doing("copying group " + options_.group);
      if (!wait(std::chrono::milliseconds(10))) return error{error_code::cancelled, "the copy is stopping"};
    }
  }
  return success();
}

// CP2: a commit may be decoded before a snapshot shows it, for as long as a synchronous standby makes it
// wait.
result<> copy_job::take_snapshot(worker_nodes& nodes, std::string const& table, std::size_t chunk) {
  for (unsigned tries = 0; !stopping_; ++tries) {
    BOOST_OUTCOME_TRYV(nodes.source->query({.sql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}));
    BOOST_OUTCOME_TRY(auto const shown,
                      nodes.source->query({.sql = "SELECT pg_catalog.pg_current_snapshot()::text"}));
    auto const snapshot = stream::xid_snapshot::parse(shown.text(0, 0));
    if (!snapshot)
      return error{error_code::protocol_violation, "the source's snapshot does not parse"}.at_node(
          options_.nodes.source.node);
    if (stream_.accept_snapshot(table, chunk, *snapshot)) return success();
    BOOST_OUTCOME_TRYV(nodes.source->query({.sql = "ROLLBACK"}));
    wait(std::chrono::milliseconds(std::min(200u, 2u << std::min(tries, 7u))));
  }
  return error{error_code::cancelled, "the copy is stopping"};
}

// I6: closed in the catalog only after every shard has committed past the deferred changes.
result<> copy_job::finish_chunk(worker_nodes& nodes, std::string const& table, std::size_t chunk,
                                counts counted) {
  auto const barrier = stream_.hand_over(table, chunk);
  if (!barrier) {
    stream_.fail_chunk(table, chunk);
    return success();
  }
  for (auto const& queue : queues_) {
    while (!queue->wait_for_barrier(*barrier, now() + std::chrono::milliseconds(200))) {
      if (auto const state = queue->state(); state.failure) return *state.failure;
      if (stopping_) return error{error_code::cancelled, "the copy is stopping"};
    }
  }
  if (stop_point("before_chunk_close"))
    return error{error_code::connection_lost, "stopped by a test at before_chunk_close"};
  auto const id = stream_.id_of(table, chunk);
  auto closed = set_chunk(*nodes.source, id, counted);
  // The rows are where they belong; only the note of it is missing. It is written as soon as the source can
  // be reached.
  for (unsigned tries = 0;
       !closed && may_try_again(closed.error()) && wait(std::chrono::milliseconds(50 << std::min(tries, 5u)));
       ++tries) {
    auto fresh = connect(options_.nodes.source);
    if (fresh) closed = set_chunk(*fresh.value(), id, counted);
  }
  if (!closed) return closed;
  stream_.close_chunk(table, chunk, counted.rows, counted.bytes);
  rows_copied_ += counted.rows;
  return success();
}

result<> copy_job::set_chunk(session& source, std::int64_t id, counts counted) {
  std::vector<statement> const statements{
      {.sql = "BEGIN"},
      engine_check_statement(options_.token, "copy"),
      {.sql = "UPDATE shardway.chunk SET state = 'closed', row_count = $2::int8, byte_count = $3::int8, "
              "closed_at = pg_catalog.clock_timestamp() WHERE id = $1::int8",
       .parameters = {std::to_string(id), std::to_string(counted.rows), std::to_string(counted.bytes)}},
      {.sql = "COMMIT"}};
  BOOST_OUTCOME_TRY(auto const answers, source.flush(statements));
  for (auto const& answer : answers)
    if (!answer) return answer.error().while_doing("closing a chunk");
  return success();
}

copy_progress copy_job::state() const {
  copy_progress state{
      .is_running = running_, .is_paused = gate_.is_closed(), .is_complete = true, .tables = {}};
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

void copy_pause::close() {
  std::scoped_lock const lock(mutex_);
  is_closed_ = true;
}

void copy_pause::open() {
  std::scoped_lock const lock(mutex_);
  is_closed_ = false;
}

bool copy_pause::is_closed() const {
  std::scoped_lock const lock(mutex_);
  return is_closed_;
}

}  // namespace migrate::copy
}  // namespace v0
}  // namespace shardway
