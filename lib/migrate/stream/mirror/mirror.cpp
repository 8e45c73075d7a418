#include "lib/migrate/stream/mirror/mirror.hpp"

#include <algorithm>

#include "lib/migrate/nodes/reader_takeover.hpp"
#include "lib/migrate/nodes/reconnect.hpp"
#include "lib/pg/change_stream.hpp"
#include "lib/pg/replication_slot.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/progress.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/stop_point.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

constexpr std::chrono::milliseconds event_wait{50};
constexpr std::chrono::milliseconds confirm_every{200};
constexpr std::chrono::milliseconds poll_every{500};
constexpr unsigned idle_factor =
    5;  // an idle mirror writes to the source: less often than an idle applier to its shard
constexpr unsigned trim_every = 500;

steady_time now() { return system_clock_source().now(); }

}  // namespace

mirror_thread::mirror_thread(mirror_options options, std::shared_ptr<generation const> routing)
    : options_(std::move(options)) {
  state_.stream = options_.shard.node;
  state_.is_running = true;
  update_generation(std::move(routing));
  thread_ = std::thread([this] { run(); });
}

mirror_thread::~mirror_thread() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void mirror_thread::update_generation(std::shared_ptr<generation const> routing) {
  std::scoped_lock const lock(mutex_);
  auto made = table_catalog::make(std::move(routing), catalog_.get());
  if (made)
    catalog_ = std::move(made).value();
  else
    state_.failure = made.error();
}

stream_state mirror_thread::state() const {
  std::scoped_lock const lock(mutex_);
  auto state = state_;
  if (state.failure) state.is_running = false;
  auto const applied = state.position.applied;
  state.lag_bytes =
      shard_end_ > applied ? static_cast<std::int64_t>(shard_end_.value() - applied.value()) : 0;
  auto const since_poll = std::chrono::duration_cast<std::chrono::microseconds>(now() - polled_at_);
  if (open_since_)
    state.lag = std::chrono::milliseconds(
        std::max<std::int64_t>(0, shard_time_ + since_poll.count() - open_since_) / 1000);
  return state;
}

void mirror_thread::set_state(bool connected) {
  std::scoped_lock const lock(mutex_);
  state_.is_connected = connected;
  state_.position = position_;
}

void mirror_thread::run() {
  for (unsigned tries = 0; !stopping_; ++tries) {
    auto const served = serve();
    set_state(false);
    stream_.reset();
    source_.reset();
    shard_.reset();
    if (served || stopping_) break;
    if (!nodes::may_reconnect(served.error())) {
      std::scoped_lock const lock(mutex_);
      state_.failure = served.error().while_doing("mirroring shard " + options_.shard.node);
      return;
    }
    auto const until = now() + std::min(options_.limits.retry_delay_max,
                                        std::chrono::milliseconds(20) * (1u << std::min(tries, 7u)));
    while (!stopping_ && now() < until) sleep_for(std::chrono::milliseconds(10));
  }
  std::scoped_lock const lock(mutex_);
  state_.is_running = false;
}

result<> mirror_thread::serve() {
  BOOST_OUTCOME_TRYV(open());
  set_state(true);
  while (!stopping_) {
    BOOST_OUTCOME_TRY(auto event, stream_->next(now() + event_wait));
    if (event) {
      BOOST_OUTCOME_TRYV(take(std::move(*event)));
    }
    BOOST_OUTCOME_TRYV(advance_idle());
    if (now() >= next_confirm_) {
      BOOST_OUTCOME_TRYV(confirm());
    }
  }
  return success();
}

result<> mirror_thread::open() {
  open_.reset();
  BOOST_OUTCOME_TRY(source_, connect(options_.source));
  // Triggers fired on the shard already, and foreign keys held there. A controller that hangs must not hold
  // the rows it mirrors.
  BOOST_OUTCOME_TRYV(
      source_->simple("SET session_replication_role = replica; SET synchronous_commit = on; SET "
                      "idle_in_transaction_session_timeout = '5s'"));
  BOOST_OUTCOME_TRY(shard_, connect(options_.shard));
  BOOST_OUTCOME_TRY(auto const answer, source_->query(read_progress_statement(options_.shard.node)));
  BOOST_OUTCOME_TRY(position_, parse_progress(answer));
  std::string migration;
  {
    std::scoped_lock const lock(mutex_);
    if (!catalog_) return *state_.failure;
    migration = catalog_->routing().migration.name;
  }
  auto const name = names::reverse_replication_slot(migration, options_.shard.node);
  BOOST_OUTCOME_TRY(auto const held, find_replication_slot(*shard_, name));
  if (!held || held->is_lost())
    return error{error_code::stream_broken,
                 "replication slot " + name + " " + (held ? "is lost" : "does not exist"),
                 "rollback is not possible any more without loss"}
        .at_node(options_.shard.node);
  if (held->is_active) return nodes::end_other_reader(*shard_, name, options_.token);
  start_ = held->confirmed_flush;  // windows are known there; what is applied already is met again, for its
                                   // flips only
  BOOST_OUTCOME_TRYV(read_windows());
  bool const has_authority = windows_.is_open_somewhere();
  if (has_authority && position_.applied < held->confirmed_flush)
    return error{error_code::stream_broken,
                 "the source has mirrored less than replication slot " + name +
                     " has confirmed: changes between are missing",
                 "the source lost what it had committed: compare the tables and repair them"}
        .at_node(options_.shard.node);
  change_stream_options how{.replication_slot = name,
                            .publications = {names::publication(migration)},
                            .start = start_,
                            .messages = true};
  BOOST_OUTCOME_TRY(stream_, open_change_stream(options_.shard, how));
  tail_ = start_;
  return success();
}

result<> mirror_thread::read_windows() {
  BOOST_OUTCOME_TRY(auto const catalog, connect(options_.catalog));
  BOOST_OUTCOME_TRY(
      auto const answer,
      catalog->query({.sql = "SELECT l.line FROM shardway.status AS s, "
                             "pg_catalog.jsonb_array_elements_text(s.document->'history') AS l (line) "
                             "WHERE s.name = $1::text",
                      .parameters = {windows_name()}}));
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < answer.size(); ++i) lines.emplace_back(answer.text(i, 0));
  auto history = window_history::decode(lines);
  if (!history)
    return error{error_code::corrupt_data, "shardway.status holds windows that do not parse",
                 "restore the row '" + windows_name() + "'"}
        .at_node(options_.catalog.node);
  windows_ = std::move(*history);
  windows_.rewind(start_);
  windows_changed_ = false;
  forget_finalized();
  return success();
}

// Their shards keep authority for good, but nothing of them is mirrored: they say nothing about what the
// source must hold.
void mirror_thread::forget_finalized() {
  std::scoped_lock const lock(mutex_);
  for (auto const& group : catalog_->routing().groups) {
    if (group.stage != stage::finalized || !windows_.now(group.name)) continue;
    windows_.forget(group.name);
    windows_changed_ = true;
  }
}

result<> mirror_thread::save_windows() {
  if (!windows_changed_) return success();
  windows_.prune(position_.applied);
  std::string history = "[";
  for (auto const& line : windows_.encode()) history += (history.size() > 1 ? ",\"" : "\"") + line + '"';
  BOOST_OUTCOME_TRY(auto const catalog, connect(options_.catalog));
  std::vector<statement> const statements{
      {.sql = "BEGIN"},
      engine_check_statement(options_.token, "mirror"),
      {.sql =
           "INSERT INTO shardway.status (name, document) VALUES ($1::text, "
           "pg_catalog.jsonb_build_object('history', $2::text::jsonb)) "
           "ON CONFLICT (name) DO UPDATE SET document = excluded.document, at = pg_catalog.clock_timestamp()",
       .parameters = {windows_name(), history + "]"}},
      {.sql = "COMMIT"}};
  BOOST_OUTCOME_TRY(auto const answers, catalog->flush(statements));
  for (auto const& answer : answers)
    if (!answer) return answer.error().while_doing("saving the windows of a mirror");
  windows_changed_ = false;
  return success();
}

result<> mirror_thread::take(stream_event event) {
  if (auto* begin = std::get_if<begin_event>(&event)) {
    open_ = decoded_transaction{.begin = *begin};
  } else if (auto* message = std::get_if<message_event>(&event)) {
    if (open_ && message->transactional && message->prefix == names::schema) open_->has_message = true;
  } else if (auto* row = std::get_if<row_event>(&event)) {
    std::size_t bytes = sizeof *row;
    for (auto const* tuple : {row->before ? &*row->before : nullptr, row->after ? &*row->after : nullptr})
      for (std::size_t i = 0; tuple && i < tuple->size(); ++i)
        bytes += sizeof(stream_value) + (*tuple)[i].text.size();
    return keep(std::move(*row), bytes);
  } else if (auto* truncate = std::get_if<truncate_event>(&event)) {
    return keep(std::move(*truncate), sizeof *truncate);
  } else if (auto* commit = std::get_if<commit_event>(&event)) {
    if (!open_)
      return error{error_code::protocol_violation, "the stream ends a transaction that it has not begun"};
    open_->end = commit->end_lsn;
    BOOST_OUTCOME_TRYV(mirror_transaction(*open_));
    tail_ = std::max(tail_, open_->end);
    open_.reset();
  } else if (auto* alive = std::get_if<keepalive_event>(&event); alive && !open_) {
    tail_ = std::max(tail_, alive->server_position);
  }
  return success();
}

result<> mirror_thread::keep(std::variant<row_event, truncate_event> change, std::size_t bytes) {
  if (!open_) return error{error_code::protocol_violation, "the stream shows a change outside a transaction"};
  open_->bytes += bytes;
  if (open_->bytes > options_.limits.transaction_bytes_max)
    return error{error_code::stream_broken, "a transaction of the shard is larger than transaction_bytes_max",
                 "raise engine_limits::transaction_bytes_max and start the mirror again"};
  open_->changes.push_back(std::move(change));
  return success();
}

result<> mirror_thread::mirror_transaction(decoded_transaction const& transaction) {
  if (transaction.end <= position_.applied) {  // sent again (S1)
    std::int64_t marker{};
    BOOST_OUTCOME_TRYV(read_ours(transaction, marker));
    return success();
  }
  {
    std::scoped_lock const lock(mutex_);
    open_since_ = transaction.begin.commit_time;
  }
  auto next = position_;
  next.applied = transaction.end;
  BOOST_OUTCOME_TRY(auto const changes, plan(transaction));
  BOOST_OUTCOME_TRYV(read_ours(transaction, next.marker));
  next.totals.changes += static_cast<std::int64_t>(changes.size());
  if (!changes.empty() || next.marker != position_.marker) {
    BOOST_OUTCOME_TRYV(apply(changes, next));
  }
  std::scoped_lock const lock(mutex_);
  open_since_ = 0;
  return success();
}

// S23: an insert may meet the row of another shard whose mirror is behind. Then the other one goes first.
result<> mirror_thread::apply(std::vector<planned> const& changes, stream_position const& next) {
  auto const deadline = now() + options_.limits.parked_wait;
  for (unsigned tries = 0; !stopping_; ++tries) {
    BOOST_OUTCOME_TRY(auto const done, attempt(changes, next));
    if (done) return success();
    if (now() >= deadline)
      return error{error_code::stream_broken,
                   "a change of the shard does not fit the source's copy: its row is missing there, or "
                   "belongs to another shard",
                   "compare the table; repair it, then start the mirror again"}
          .at_node(options_.source.node);
    sleep_for(std::chrono::milliseconds(std::min(200u, 5u << std::min(tries, 6u))));
    BOOST_OUTCOME_TRYV(stream_->confirm(confirmed_));
  }
  return error{error_code::cancelled, "the engine is stopping"};
}

result<bool> mirror_thread::attempt(std::vector<planned> const& changes, stream_position const& next) {
  std::vector<statement> statements{{.sql = "BEGIN"},
                                    engine_statement(options_.token, "mirror"),
                                    advance_statement(options_.shard.node, next)};
  auto const first = statements.size();
  for (auto const& change : changes) statements.push_back(change.what);
  BOOST_OUTCOME_TRY(auto const answers, source_->flush(statements));
  bool fits = true;
  std::optional<error> failed;
  for (std::size_t i = 0; i < answers.size() && !failed; ++i) {
    if (!answers[i])
      failed = answers[i].error();
    else if (i >= first && changes[i - first].must_change && answers[i].value().affected() == 0)
      fits = false;
  }
  bool const may_fit_later =
      failed && (failed->code() == error_code::serialization_failure || failed->sqlstate() == "23505");
  if (failed || !fits) {
    BOOST_OUTCOME_TRYV(source_->query({.sql = "ROLLBACK"}));
    if (failed && !may_fit_later) return *failed;
    return false;
  }
  if (stop_point("before_mirror_commit")) return nodes::stopped_by_test("before_mirror_commit");
  auto const outcome = source_->commit();
  if (!outcome.is_committed())
    return outcome.why.value_or(
        error{error_code::connection_lost, "a mirror's transaction was not committed"});
  if (stop_point("after_mirror_commit")) return nodes::stopped_by_test("after_mirror_commit");
  position_ = next;
  set_state(true);
  if (++commits_ % trim_every == 0) {
    BOOST_OUTCOME_TRYV(source_->query(trim_progress_statement(options_.shard.node)));
  }
  return true;
}

// Nothing is open: what was decoded is mirrored, so that the position may move without a change.
result<> mirror_thread::advance_idle() {
  if (now() >= next_poll_) {
    next_poll_ = now() + poll_every;
    BOOST_OUTCOME_TRY(
        auto const answer,
        shard_->query(
            {.sql =
                 "SELECT pg_catalog.pg_current_wal_lsn(), (extract(epoch FROM pg_catalog.clock_timestamp() - "
                 "'2000-01-01 00:00:00+00') * 1000000)::int8",
             .name = "sw_poll"}));
    BOOST_OUTCOME_TRY(auto const time, answer.integer(0, 1));
    std::scoped_lock const lock(mutex_);
    shard_end_ = lsn::parse(answer.text(0, 0)).value_or(shard_end_);
    shard_time_ = time;
    polled_at_ = now();
  }
  if (open_ || tail_ <= position_.applied || now() < next_idle_) return success();
  next_idle_ = now() + idle_factor * options_.limits.idle_progress;
  auto next = position_;
  next.applied = tail_;
  return apply({}, next);
}

result<> mirror_thread::confirm() {
  next_confirm_ = now() + confirm_every;
  if (position_.applied > confirmed_) {
    BOOST_OUTCOME_TRYV(save_windows());
    confirmed_ = position_.applied;
  }
  return stream_->confirm(confirmed_);
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
