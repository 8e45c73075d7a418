// What the dispatcher remembers beside the stream: windows, chunks, lag; and what it does for the copy.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/migrate/stream/read/dispatcher.hpp"
#include "lib/migrate/stream/read/stored_windows.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

constexpr auto windows_row = "windows";  // of shardway.status

bool is_streamed(group_state const& group) {
  return group.stage != stage::observing && group.stage != stage::finalized;
}

}  // namespace

result<session*> dispatcher::source_session() {
  if (!session_ || session_->is_broken()) {
    BOOST_OUTCOME_TRY(session_, connect(options_.source));
  }
  return session_.get();
}

result<std::vector<std::string>> dispatcher::type_names(stream_relation const& relation) {
  BOOST_OUTCOME_TRY(auto const source, source_session());
  std::vector<std::string> oids, modifiers;
  for (auto const& column : relation.columns) {
    oids.push_back(std::to_string(column.type_oid));
    modifiers.push_back(std::to_string(column.type_modifier));
  }
  BOOST_OUTCOME_TRY(
      auto const answer,
      source->query(
          {.sql = "SELECT pg_catalog.format_type(x.o, x.m) FROM ROWS FROM (pg_catalog.unnest($1::oid[]), "
                  "pg_catalog.unnest($2::int4[])) WITH ORDINALITY AS x (o, m, n) ORDER BY x.n",
           .parameters = {text_array(oids), text_array(modifiers)}}));
  std::vector<std::string> types;
  for (std::size_t i = 0; i < answer.size(); ++i) types.emplace_back(answer.text(i, 0));
  return types;
}

result<> dispatcher::read_windows(session& source) {
  BOOST_OUTCOME_TRY(auto stored, load_windows(source, windows_row));
  start_ = std::max(start_, stored.confirmed.value_or(lsn{}));
  std::scoped_lock const lock(mutex_);
  auto& windows = router_.windows();
  windows = std::move(stored.history);
  windows.rewind(start_);
  router_.set_paused(std::move(stored.paused));
  learn_groups();
  for (auto const& group : catalog_->routing().groups)
    if (group.stage == stage::sharded && !windows.now(group.name))
      return error{error_code::stream_broken,
                   absl::StrCat("slots of group ", group.name,
                                " have moved, and shardway.status holds no windows for it")}
          .at_node(options_.source.node);
  return success();
}

// A group that joins starts as its generation says, and that is saved before any flip of it can be confirmed.
// While a group is not streamed its flips are not seen: it starts anew. Preconditions: the mutex is held.
void dispatcher::learn_groups() {
  auto& windows = router_.windows();
  for (auto const& group : catalog_->routing().groups) {
    bool const is_known = windows.now(group.name) != nullptr;
    bool const has_moved = std::any_of(group.authority.begin(), group.authority.end(),
                                       [](auto const& range) { return range.shard.has_value(); });
    if (is_known && !is_streamed(group)) {
      windows.forget(group.name);
      router_.resume(group.name);
    }
    if (!is_known && is_streamed(group) && !has_moved)
      windows.record(group.name, lsn{}, first_windows(group, std::nullopt));
  }
}

result<> dispatcher::save_windows() {
  std::string document;
  {
    std::scoped_lock const lock(mutex_);
    auto& windows = router_.windows();
    if (!windows.is_changed()) return success();
    windows.prune(confirmed());
    document = encode_windows(windows, std::max(start_, confirmed()), router_.paused());
    windows.set_changed(false);
  }
  auto const saved = [&]() -> result<> {
    BOOST_OUTCOME_TRY(auto const source, source_session());
    return stream::save_windows(*source, options_.token, windows_row, document);
  }();
  if (saved) return success();
  std::scoped_lock const lock(mutex_);
  router_.windows().set_changed(true);
  return saved.error();
}

result<> dispatcher::read_chunks(session& source) {
  BOOST_OUTCOME_TRY(auto const answer,
                    source.query({.sql = "SELECT relation, id, lower, upper, state, row_count, byte_count "
                                         "FROM shardway.chunk ORDER BY relation, id"}));
  std::map<std::string, followed_copy> copies;
  auto const known = catalog();
  for (std::size_t i = 0; i < answer.size(); ++i) {
    auto const table = known->find(std::string(answer.text(i, 0)));
    auto const* group = table ? known->routing().find_group(table->group()) : nullptr;
    if (!group || !is_streamed(*group)) continue;
    auto& copy = copies
                     .try_emplace(table->name(),
                                  followed_copy{.table = table, .order = order_of(*table), .chunks = {}})
                     .first->second;
    followed_chunk chunk;
    BOOST_OUTCOME_TRY(chunk.id, answer.integer(i, 1));
    BOOST_OUTCOME_TRY(chunk.rows, answer.integer(i, 5));
    BOOST_OUTCOME_TRY(chunk.bytes, answer.integer(i, 6));
    if (answer.at(i, 2)) chunk.range.lower = std::string(answer.text(i, 2));
    if (answer.at(i, 3)) chunk.range.upper = std::string(answer.text(i, 3));
    if (answer.text(i, 4) == "closed") chunk.machine = chunk_machine{chunk_step::closed};
    copy.chunks.push_back(std::move(chunk));
  }
  for (auto& [name, copy] : copies) put_copy(std::move(copy));
  return success();
}

result<> dispatcher::update_generation(std::shared_ptr<generation const> routing) {
  auto const before = catalog();
  if (before && before->shard_count() != routing->migration.shards.size())
    return error{error_code::invalid_argument, "the number of shards can't change while the engine runs"};
  BOOST_OUTCOME_TRY(auto made, table_catalog::make(std::move(routing), before.get()));
  std::scoped_lock const lock(mutex_);
  catalog_ = made;
  router_.set_catalog(made);
  for (auto const& [name, table] : made->tables()) {
    auto const* group = made->routing().find_group(table->group());
    if (group && is_streamed(*group))
      copies_.replace_table(table);
    else
      copies_.forget(name);
  }
  if (!before) return success();
  for (auto const& [name, table] : before->tables())
    if (!made->find(name)) copies_.forget(name);
  learn_groups();
  return success();
}

std::shared_ptr<table_catalog const> dispatcher::catalog() const {
  std::scoped_lock const lock(mutex_);
  return catalog_;
}

std::map<std::string, std::string> dispatcher::paused_groups() const {
  std::scoped_lock const lock(mutex_);
  return router_.paused();
}

std::optional<error> dispatcher::failure() const {
  std::scoped_lock const lock(mutex_);
  return failure_;
}

bool dispatcher::shows_all_passed(xid_snapshot const& snapshot) const {
  std::scoped_lock const lock(mutex_);
  return std::all_of(passed_.xids().begin(), passed_.xids().end(),
                     [&](std::uint32_t xid) { return snapshot.shows(xid); });
}

void dispatcher::add_lag(apply_queue const& queue, stream_state& state) const {
  auto const oldest = queue.oldest_commit_time();
  auto const now = system_clock_source().now();
  std::scoped_lock const lock(mutex_);
  state.lag_bytes = bytes_between(state.position.applied, std::max(source_.end, decoded()));
  if (oldest)
    state.lag = source_.lag_of(oldest, now);
  else if (decoded() < source_.end)
    state.lag = std::chrono::duration_cast<std::chrono::milliseconds>(source_.age(now));
}

void dispatcher::put_copy(followed_copy copy) {
  std::scoped_lock const lock(mutex_);
  copies_.put(std::move(copy));
}

bool dispatcher::is_followed(std::string const& table) const {
  std::scoped_lock const lock(mutex_);
  return copies_.progress(table).chunks > 0;
}

table_copy_progress dispatcher::progress(std::string const& table) const {
  std::scoped_lock const lock(mutex_);
  return copies_.progress(table);
}

bool dispatcher::is_complete(std::string const& table) const {
  auto const copied = progress(table);
  return copied.chunks > 0 && copied.chunks == copied.chunks_closed;
}

bool dispatcher::is_planned(std::string const& table, std::size_t chunk) const {
  std::scoped_lock const lock(mutex_);
  return copies_.chunk(table, chunk).machine.step() == chunk_step::planned;
}

chunk_range dispatcher::range_of(std::string const& table, std::size_t chunk) const {
  std::scoped_lock const lock(mutex_);
  return copies_.chunk(table, chunk).range;
}

std::int64_t dispatcher::id_of(std::string const& table, std::size_t chunk) const {
  std::scoped_lock const lock(mutex_);
  return copies_.chunk(table, chunk).id;
}

lsn dispatcher::open_chunk(std::string const& table, std::size_t chunk) {
  std::scoped_lock const lock(mutex_);
  copies_.chunk(table, chunk).machine.open(passed_.xids());
  return copies_.emptied_until(table);
}

bool dispatcher::accept_snapshot(std::string const& table, std::size_t chunk, xid_snapshot const& snapshot) {
  std::scoped_lock const lock(mutex_);
  return copies_.chunk(table, chunk).machine.accept(snapshot);
}

std::optional<std::uint64_t> dispatcher::hand_over(std::string const& table, std::size_t chunk) {
  std::scoped_lock const lock(mutex_);
  auto& held = copies_.chunk(table, chunk);
  if (held.is_emptied) return std::nullopt;
  held.machine.copied();
  --copies_.find(table)->unfinished;
  std::vector<shard_item> items(queues_.size());
  for (auto& kept : copies_.drain(held)) items[kept.shard].changes.push_back(std::move(kept.change));
  ++last_barrier_;
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    items[i].barrier = last_barrier_;
    queues_[i]->put(std::move(items[i]));
  }
  return last_barrier_;
}

void dispatcher::close_chunk(std::string const& table, std::size_t chunk, std::int64_t rows,
                             std::int64_t bytes) {
  std::scoped_lock const lock(mutex_);
  auto& held = copies_.chunk(table, chunk);
  held.machine.close();
  held.rows = rows;
  held.bytes = bytes;
}

void dispatcher::fail_chunk(std::string const& table, std::size_t chunk) {
  std::scoped_lock const lock(mutex_);
  auto& held = copies_.chunk(table, chunk);
  copies_.drop_deferred(held);
  held.machine.fail();
  held.is_emptied = false;
}

std::shared_ptr<window_state const> dispatcher::windows_of(std::string const& group) const {
  std::scoped_lock const lock(mutex_);
  if (auto known = router_.windows().now(group)) return known;
  auto const* state = catalog_->routing().find_group(group);
  return std::make_shared<window_state const>(state ? first_windows(*state, std::nullopt) : window_state{});
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
