#include "lib/migrate/stream/mirror/mirror.hpp"

#include <algorithm>
#include <span>

#include "absl/strings/str_cat.h"
#include "lib/migrate/nodes/back_off.hpp"
#include "lib/migrate/nodes/lacks_partition.hpp"
#include "lib/migrate/nodes/pause.hpp"
#include "lib/migrate/nodes/reconnect.hpp"
#include "lib/migrate/stream/read/stored_windows.hpp"
#include "lib/migrate/stream/table_sql.hpp"
#include "lib/protocol/conflict.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/progress.hpp"
#include "lib/store/first_error.hpp"
#include "shardway/base/stop_point.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

constexpr std::chrono::milliseconds confirm_every{200};
// An idle mirror writes to the source: less often than an idle applier to its shard.
constexpr unsigned idle_factor = 5;
constexpr unsigned trim_every = 500;

steady_time now() { return system_clock_source().now(); }

bool may_fit_later(error const& failed) {
  return failed.code() == error_code::serialization_failure || failed.sqlstate() == "23505" ||
         failed.sqlstate() == "23P01" || nodes::lacks_partition(failed);
}

}  // namespace

mirror::mirror(mirror_options options, std::shared_ptr<generation const> routing)
    : options_(std::move(options)),
      reader_({.origin = "shard",
               .transaction_bytes_max = options_.limits.transaction_bytes_max,
               .retry_delay_max = options_.limits.retry_delay_max,
               .confirm_every = confirm_every},
              *this) {
  state_.stream = options_.shard.node;
  state_.is_running = true;
  update_generation(std::move(routing));
  thread_ = std::thread([this] { run(); });
}

mirror::~mirror() {
  reader_.stop();
  if (thread_.joinable()) thread_.join();
}

void mirror::update_generation(std::shared_ptr<generation const> routing) {
  std::scoped_lock const lock(mutex_);
  auto made = table_catalog::make(std::move(routing), catalog_.get());
  if (made)
    catalog_ = std::move(made).value();
  else
    state_.failure = made.error();
}

stream_state mirror::state() const {
  std::scoped_lock const lock(mutex_);
  auto state = state_;
  if (state.failure) state.is_running = false;
  state.is_connected = reader_.is_connected();
  state.lag_bytes = bytes_between(state.position.applied, shard_reading_.end);
  if (open_since_) state.lag = shard_reading_.lag_of(open_since_, now());
  return state;
}

void mirror::publish_position() {
  std::scoped_lock const lock(mutex_);
  state_.position = position_;
}

void mirror::run() {
  auto const outcome = reader_.run();
  std::scoped_lock const lock(mutex_);
  if (!outcome) state_.failure = outcome.error().while_doing("mirroring shard " + options_.shard.node);
  state_.is_running = false;
}

// The windows are known at the confirmed position. What is applied already is met again, for its flips only.
result<std::unique_ptr<change_stream>> mirror::open() {
  BOOST_OUTCOME_TRYV(connect_targets());
  BOOST_OUTCOME_TRY(auto const answer, source_->query(read_progress_statement(options_.shard.node)));
  BOOST_OUTCOME_TRY(position_, parse_progress(answer));
  BOOST_OUTCOME_TRY(auto const shard, origin());
  BOOST_OUTCOME_TRY(auto const held,
                    find_origin_slot(*shard_, shard, "rollback is not possible any more without loss"));
  BOOST_OUTCOME_TRYV(read_windows(held.confirmed_flush));
  BOOST_OUTCOME_TRYV(check_gap(held.confirmed_flush));
  BOOST_OUTCOME_TRY(auto stream, open_origin_stream(*shard_, shard, held.confirmed_flush));
  BOOST_OUTCOME_TRY(auto const noted, source_->query(has_conflicts_statement(options_.shard.node)));
  has_conflicts_ = noted.boolean(0, 0);
  tail_ = held.confirmed_flush;
  publish_position();
  return stream;
}

void mirror::close() {
  source_.reset();
  shard_.reset();
}

// Triggers fired on the shard already, and foreign keys held there. A controller that hangs must not hold the
// rows it mirrors.
result<> mirror::connect_targets() {
  BOOST_OUTCOME_TRY(source_, connect(options_.source));
  BOOST_OUTCOME_TRYV(
      source_->simple("SET session_replication_role = replica; SET synchronous_commit = on; SET "
                      "idle_in_transaction_session_timeout = '5s'"));
  BOOST_OUTCOME_TRY(shard_, connect(options_.shard));
  return success();
}

result<origin_stream> mirror::origin() const {
  std::scoped_lock const lock(mutex_);
  if (!catalog_) return *state_.failure;
  auto const& migration = catalog_->routing().migration.name;
  return origin_stream{.node = options_.shard,
                       .replication_slot = names::reverse_replication_slot(migration, options_.shard.node),
                       .publication = names::publication(migration),
                       .messages = true,
                       .token = options_.token};
}

result<> mirror::check_gap(lsn confirmed) const {
  if (!windows_.is_open_somewhere() || position_.applied >= confirmed) return success();
  return error{error_code::stream_broken,
               absl::StrCat("the source has mirrored less than the replication slot on shard ",
                            options_.shard.node, " has confirmed: changes between are missing"),
               "the source lost what it had committed: compare the tables and repair them"}
      .at_node(options_.shard.node);
}

result<> mirror::read_windows(lsn start) {
  BOOST_OUTCOME_TRY(auto const catalog, connect(options_.catalog));
  BOOST_OUTCOME_TRY(auto stored, load_windows(*catalog, windows_row()));
  windows_ = std::move(stored.history);
  windows_.rewind(start);
  forget_finalized();
  return success();
}

// The shards of a finalized group keep authority for good, but nothing of it is mirrored: its windows say
// nothing about what the source must hold.
void mirror::forget_finalized() {
  std::scoped_lock const lock(mutex_);
  for (auto const& group : catalog_->routing().groups)
    if (group.stage == stage::finalized) windows_.forget(group.name);
}

result<> mirror::save_windows() {
  if (!windows_.is_changed()) return success();
  windows_.prune(position_.applied);
  BOOST_OUTCOME_TRY(auto const catalog, connect(options_.catalog));
  BOOST_OUTCOME_TRYV(
      stream::save_windows(*catalog, options_.token, windows_row(), encode_windows(windows_, std::nullopt)));
  windows_.set_changed(false);
  return success();
}

result<> mirror::take_transaction(decoded_transaction const& transaction) {
  auto next = position_;
  if (transaction.end <= position_.applied) {  // sent again (S1)
    BOOST_OUTCOME_TRYV(read_ours(transaction, next.marker));
    tail_ = std::max(tail_, transaction.end);
    return success();
  }
  {
    std::scoped_lock const lock(mutex_);
    open_since_ = transaction.begin.commit_time;
  }
  next.applied = transaction.end;
  BOOST_OUTCOME_TRY(auto const changes, plan(transaction));
  BOOST_OUTCOME_TRYV(read_ours(transaction, next.marker));
  next.totals.changes += static_cast<std::int64_t>(changes.size());
  if (!changes.empty() || next.marker != position_.marker) {
    BOOST_OUTCOME_TRYV(apply(changes, next));
  }
  tail_ = std::max(tail_, transaction.end);
  std::scoped_lock const lock(mutex_);
  open_since_ = 0;
  return success();
}

result<> mirror::take_position(lsn position) {
  tail_ = std::max(tail_, position);
  return success();
}

// S23: an insert may meet the row of another shard whose mirror is behind. Then the other one goes first. A
// row that the source itself has authority for stays: the change is set aside, and the mirror goes on (AP10).
result<> mirror::apply(std::vector<planned_change> changes, stream_position const& next) {
  auto const deadline = now() + options_.limits.parked_wait;
  nodes::back_off pauses{std::chrono::milliseconds(5), std::chrono::milliseconds(200)};
  forget_conflicts(changes);
  while (!reader_.is_stopping()) {
    BOOST_OUTCOME_TRY(auto const tried, try_apply(changes, next));
    if (tried.is_done) return success();
    if (!waits_for_partition_) {
      BOOST_OUTCOME_TRY(bool const is_set_aside, set_aside(changes, tried));
      if (is_set_aside) continue;
    }
    if (now() >= deadline && !waits_for_partition_)
      return error{error_code::stream_broken,
                   "a change of the shard does not fit the source's copy: its row is missing there, or "
                   "belongs to another shard",
                   "compare the table; repair it, then start the mirror again"}
          .at_node(options_.source.node);
    nodes::pause(pauses.next(), [this] { return reader_.is_stopping(); });
    BOOST_OUTCOME_TRYV(reader_.confirm(confirmed_));
  }
  return error{error_code::cancelled, "the engine is stopping"};
}

// Not done: nothing remains. A row is not there that must be, or is there and must not be.
result<mirror::try_result> mirror::try_apply(std::vector<planned_change> const& changes,
                                             stream_position const& next) {
  std::vector<statement> statements{{.sql = "BEGIN"},
                                    engine_statement(options_.token, "mirror"),
                                    advance_statement(options_.shard.node, next)};
  auto const before_changes = statements.size();
  for (auto const& change : changes) statements.push_back(change.sql);
  BOOST_OUTCOME_TRY(auto const answers, source_->flush(statements));
  auto const written = first_error(answers);
  try_result tried;
  auto reached = next;
  for (std::size_t i = 0; i < changes.size() && !tried.misfit; ++i) {
    auto const& answer = answers[before_changes + i];
    bool const changed = answer && answer.value().affected() > 0;
    if (!answer || (changes[i].must_change() && !changed)) tried.misfit = i;
    // AP20: a delete whose row is not there leaves the copy as it should be, and is counted.
    if (answer && changes[i].kind == planned_change::kind_type::remove && !changed)
      ++reached.totals.corrected;
  }
  note_partition(written ? error{} : written.error());
  if (written && !tried.misfit) {
    BOOST_OUTCOME_TRYV(commit(reached));
    tried.is_done = true;
    return tried;
  }
  BOOST_OUTCOME_TRYV(source_->query({.sql = "ROLLBACK"}));
  if (!written && !may_fit_later(written.error())) return written.error();
  if (!written && written.error().sqlstate() == "23505")
    tried.taken = unique_expressions(written.error().server_detail());
  return tried;
}

// AP5c, AS13: a partition that was made on the shard alone. The source is not changed by the migration, so
// the mirror waits until somebody makes it there.
void mirror::note_partition(error const& failed) {
  waits_for_partition_ = nodes::lacks_partition(failed);
  std::scoped_lock const lock(mutex_);
  state_.waiting = waits_for_partition_ ? failed.message() : std::string();
}

result<> mirror::commit(stream_position const& next) {
  if (stop_point("before_mirror_commit")) return nodes::stopped_by_test("before_mirror_commit");
  auto const outcome = source_->commit();
  if (!outcome.is_committed())
    return outcome.why.value_or(
        error{error_code::connection_lost, "a mirror's transaction was not committed"});
  if (stop_point("after_mirror_commit")) return nodes::stopped_by_test("after_mirror_commit");
  position_ = next;
  publish_position();
  if (++commits_ % trim_every == 0) {
    BOOST_OUTCOME_TRYV(source_->query(trim_progress_statement(options_.shard.node)));
  }
  return success();
}

// Nothing is open: what was decoded is mirrored, so that the position may move without a change.
result<> mirror::idle(bool is_open) {
  if (is_open || tail_ <= position_.applied || now() < next_idle_) return success();
  next_idle_ = now() + idle_factor * options_.limits.idle_progress;
  auto next = position_;
  next.applied = tail_;
  return apply({}, next);
}

result<> mirror::poll() {
  BOOST_OUTCOME_TRY(auto const reading, read_origin(*shard_));
  std::scoped_lock const lock(mutex_);
  shard_reading_ = reading;
  return success();
}

result<lsn> mirror::prepare_confirmation() {
  if (position_.applied > confirmed_) {
    BOOST_OUTCOME_TRYV(save_windows());
    confirmed_ = position_.applied;
  }
  return confirmed_;
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
