// What the dispatcher remembers beside the stream: windows, chunks, lag; and what it tells the copy.
#include <algorithm>

#include "lib/migrate/stream/read/dispatcher.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/progress.hpp"
#include "shardway/base/ensure.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

result<session*> dispatcher::helper() {
  if (!helper_ || helper_->is_broken()) {
    BOOST_OUTCOME_TRY(helper_, connect(options_.source));
  }
  return helper_.get();
}

result<std::vector<std::string>> dispatcher::type_names(stream_relation const& relation) {
  BOOST_OUTCOME_TRY(auto const source, helper());
  std::string oids = "{", modifiers = "{";
  for (auto const& column : relation.columns) {
    oids += (oids.size() > 1 ? "," : "") + std::to_string(column.type_oid);
    modifiers += (modifiers.size() > 1 ? "," : "") + std::to_string(column.type_modifier);
  }
  BOOST_OUTCOME_TRY(
      auto const answer,
      source->query(
          {.sql = "SELECT pg_catalog.format_type(x.o, x.m) FROM ROWS FROM (pg_catalog.unnest($1::oid[]), "
                  "pg_catalog.unnest($2::int4[])) WITH ORDINALITY AS x (o, m, n) ORDER BY x.n",
           .parameters = {oids + "}", modifiers + "}"}}));
  std::vector<std::string> types;
  for (std::size_t i = 0; i < answer.size(); ++i) types.emplace_back(answer.text(i, 0));
  return types;
}

result<> dispatcher::read_windows(session& source) {
  BOOST_OUTCOME_TRY(auto const answer,
                    source.query({.sql = "SELECT l.line, s.document->>'confirmed' FROM shardway.status AS s, "
                                         "pg_catalog.jsonb_array_elements_text(s.document->'history') AS l "
                                         "(line) WHERE s.name = 'windows'"}));
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < answer.size(); ++i) lines.emplace_back(answer.text(i, 0));
  auto history = window_history::decode(lines);
  if (!history)
    return error{error_code::corrupt_data, "shardway.status holds windows that do not parse",
                 "restore the row 'windows' or copy the tables again"}
        .at_node(options_.source.node);
  if (!answer.empty()) start_ = std::max(start_, lsn::parse(answer.text(0, 1)).value_or(lsn{}));
  std::scoped_lock const lock(mutex_);
  router_.windows() = std::move(*history);
  router_.windows().rewind(start_);
  learn_groups();
  for (auto const& group : catalog_->routing().groups)
    if (group.stage == stage::sharded && !router_.windows().now(group.name))
      return error{error_code::stream_broken, "slots of group " + group.name +
                                                  " have moved, and shardway.status holds no windows for it"}
          .at_node(options_.source.node);
  return success();
}

// A group that joins starts as its generation says, and that is saved before any flip of it can be confirmed.
// While a group is not streamed its flips are not seen: it starts anew. Preconditions: the mutex is held.
void dispatcher::learn_groups() {
  for (auto const& group : catalog_->routing().groups) {
    bool const is_known = router_.windows().now(group.name) != nullptr;
    bool const is_streamed = group.stage != stage::observing && group.stage != stage::finalized;
    bool const has_moved = std::any_of(group.authority.begin(), group.authority.end(),
                                       [](auto const& range) { return range.shard.has_value(); });
    if (is_known && !is_streamed)
      router_.windows().forget(group.name);
    else if (!is_known && is_streamed && !has_moved)
      router_.windows().record(group.name, lsn{}, first_windows(group, std::nullopt));
    else
      continue;
    are_windows_dirty_ = true;
  }
}

result<> dispatcher::save_windows() {
  std::string history = "[";
  {
    std::scoped_lock const lock(mutex_);
    if (!are_windows_dirty_) return success();
    router_.windows().prune(confirmed());
    for (auto const& line : router_.windows().encode())
      history += (history.size() > 1 ? ",\"" : "\"") + line + '"';  // a group's name is an identifier
    are_windows_dirty_ = false;
  }
  auto const saved = write_windows(history + "]");
  if (saved) return success();
  std::scoped_lock const lock(mutex_);
  are_windows_dirty_ = true;
  return saved.error();
}

result<> dispatcher::write_windows(std::string const& history) {
  BOOST_OUTCOME_TRY(auto const source, helper());
  std::vector<statement> const statements{
      {.sql = "BEGIN"},
      engine_check_statement(options_.token, "stream"),
      {.sql =
           "INSERT INTO shardway.status (name, document) VALUES ('windows', "
           "pg_catalog.jsonb_build_object('confirmed', $1::text, 'history', $2::text::jsonb)) "
           "ON CONFLICT (name) DO UPDATE SET document = excluded.document, at = pg_catalog.clock_timestamp()",
       .parameters = {std::max(start_, confirmed()).to_string(), history}},
      {.sql = "COMMIT"}};
  BOOST_OUTCOME_TRY(auto const answers, source->flush(statements));
  for (auto const& answer : answers)
    if (!answer) return answer.error().while_doing("saving the windows of the stream");
  return success();
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
    if (!group || group->stage == stage::observing || group->stage == stage::finalized) continue;
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
    if (!group || group->stage == stage::observing || group->stage == stage::finalized)
      copies_.forget(name);
    else
      copies_.replace_table(table);
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
  std::scoped_lock const lock(mutex_);
  auto const end = std::max(source_lsn_, decoded());
  state.lag_bytes = end > state.position.applied
                        ? static_cast<std::int64_t>(end.value() - state.position.applied.value())
                        : 0;
  auto const since_poll =
      std::chrono::duration_cast<std::chrono::microseconds>(system_clock_source().now() - polled_at_);
  if (oldest)
    state.lag = std::chrono::milliseconds(
        std::max<std::int64_t>(0, source_time_ + since_poll.count() - oldest) / 1000);
  else if (decoded() < source_lsn_)
    state.lag = std::chrono::duration_cast<std::chrono::milliseconds>(since_poll);
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
  auto const now = progress(table);
  return now.chunks > 0 && now.chunks == now.chunks_closed;
}

followed_chunk& dispatcher::chunk_at(std::string const& table, std::size_t chunk) {
  auto* copy = copies_.find(table);
  ensure(copy && chunk < copy->chunks.size(), "a chunk that is copied stays registered");
  return copy->chunks[chunk];
}

bool dispatcher::is_planned(std::string const& table, std::size_t chunk) const {
  std::scoped_lock const lock(mutex_);
  return const_cast<dispatcher*>(this)->chunk_at(table, chunk).machine.step() == chunk_step::planned;
}

chunk_range dispatcher::range_of(std::string const& table, std::size_t chunk) const {
  std::scoped_lock const lock(mutex_);
  return const_cast<dispatcher*>(this)->chunk_at(table, chunk).range;
}

std::int64_t dispatcher::id_of(std::string const& table, std::size_t chunk) const {
  std::scoped_lock const lock(mutex_);
  return const_cast<dispatcher*>(this)->chunk_at(table, chunk).id;
}

lsn dispatcher::open_chunk(std::string const& table, std::size_t chunk) {
  std::scoped_lock const lock(mutex_);
  chunk_at(table, chunk).machine.open(passed_.xids());
  return copies_.emptied_at(table);
}

bool dispatcher::accept_snapshot(std::string const& table, std::size_t chunk, xid_snapshot const& snapshot) {
  std::scoped_lock const lock(mutex_);
  return chunk_at(table, chunk).machine.accept(snapshot);
}

std::optional<std::uint64_t> dispatcher::hand_over(std::string const& table, std::size_t chunk) {
  std::scoped_lock const lock(mutex_);
  auto& held = chunk_at(table, chunk);
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
  auto& held = chunk_at(table, chunk);
  held.machine.close();
  held.rows = rows;
  held.bytes = bytes;
}

void dispatcher::fail_chunk(std::string const& table, std::size_t chunk) {
  std::scoped_lock const lock(mutex_);
  auto& held = chunk_at(table, chunk);
  copies_.drop_deferred(held);
  held.machine.fail();
  held.is_emptied = false;
}

std::shared_ptr<window_state const> dispatcher::windows_of(std::string const& group) const {
  std::scoped_lock const lock(mutex_);
  if (auto known = const_cast<dispatcher*>(this)->router_.windows().now(group)) return known;
  auto const* state = catalog_->routing().find_group(group);
  return std::make_shared<window_state const>(state ? first_windows(*state, std::nullopt) : window_state{});
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
