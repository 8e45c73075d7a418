#include "lib/client/watch/replica_watch.hpp"

#include <algorithm>

#include "lib/read/replay_position.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds query_time{250};
constexpr milliseconds pause_after_failure{500};
constexpr std::chrono::seconds samples_kept{60};
constexpr milliseconds samples_apart{10};

steady_time now() { return system_clock_source().now(); }

result<token_position> replica_position(session& link) {
  BOOST_OUTCOME_TRY(auto const answer, link.query(replay_position_statement(), now() + query_time));
  if (auto const position = parse_replay_position(answer, link.identity())) return *position;
  return error{error_code::precondition_failed, "the replica is not in recovery"};
}

// Where the shard's stream is in the source's WAL.
result<token_position> stream_position_of(session& link) {
  BOOST_OUTCOME_TRY(
      auto const answer,
      link.query(
          {.sql =
               "SELECT (SELECT applied_lsn FROM shardway.stream_progress WHERE stream = 'source' ORDER BY id "
               "DESC LIMIT 1), EXISTS (SELECT relation FROM shardway.parked UNION ALL SELECT relation FROM "
               "shardway.conflict)",
           .name = "shardway_stream"},
          now() + query_time));
  auto const position = lsn::parse(answer.text(0, 0));
  if (!position || answer.boolean(0, 1))
    return error{error_code::precondition_failed,
                 "the stream has no position, or a key is parked or in conflict"};
  return token_position{.system_identifier = 0, .incarnation = 0, .position = *position};
}

bool shards_serve_reads(generation const& current) {
  return std::any_of(current.tables.begin(), current.tables.end(), [&](table_state const& table) {
    auto const reached = current.find_group(table.manifest.group)->stage;
    if (table.manifest.kind == table_kind::reference && reached == stage::replicating) return true;
    if (table.manifest.kind != table_kind::reference && table.manifest.reads.from_shards_percent == 0)
      return false;
    return reached == stage::dual_writing || reached == stage::sharded;
  });
}

}  // namespace

void replica_watch::start() {
  thread_ = std::thread([this] { work(); });
}

void replica_watch::stop() noexcept {
  {
    std::lock_guard const lock{mutex_};
    stopping_ = true;
  }
  news_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::vector<replica_view> replica_watch::replicas_of(node_definition const& primary) const {
  std::vector<replica_view> views;
  auto const time = now();
  std::lock_guard const lock{mutex_};
  for (auto const& replica : primary.replicas) {
    auto const found = replicas_.find(replica.name);
    views.push_back(found == replicas_.end() ? replica_view{} : found->second.seen);
    if (found == replicas_.end()) continue;
    views.back().avoided = found->second.health.is_avoided(time);
    views.back().cost = found->second.health.cost();
  }
  return views;
}

replica_view replica_watch::shard(std::string const& name) const {
  std::lock_guard const lock{mutex_};
  auto const found = replicas_.find(name);
  if (found == replicas_.end()) return {};
  auto view = found->second.seen;
  view.avoided = found->second.health.is_avoided(now());
  return view;
}

std::optional<token_position> replica_watch::newest_position(std::string const& primary) const {
  std::lock_guard const lock{mutex_};
  auto const found = samples_.find(primary);
  if (found == samples_.end()) return std::nullopt;
  return found->second.back().position;
}

void replica_watch::record(std::string const& node, read_outcome outcome, std::chrono::nanoseconds took) {
  std::lock_guard const lock{mutex_};
  auto const found = replicas_.find(node);
  if (found == replicas_.end()) return;
  auto& health = found->second.health;
  if (outcome == read_outcome::begun) return health.begun();
  health.ended();
  if (outcome == read_outcome::answered) health.answered(took);
  if (outcome == read_outcome::failed) health.failed(now());
}

void replica_watch::wait_for_news(steady_time deadline) {
  std::unique_lock lock{mutex_};
  news_.wait_until(lock, deadline, [this, seen = rounds_] { return stopping_ || rounds_ != seen; });
}

std::optional<token_position> replica_watch::primary_position_since(std::string const& primary,
                                                                    steady_time oldest) const {
  std::lock_guard const lock{mutex_};
  auto const found = samples_.find(primary);
  if (found == samples_.end()) return std::nullopt;
  for (auto const& one : found->second)
    if (one.when >= oldest) return one.position;
  return std::nullopt;
}

void replica_watch::put(std::string const& key, replica_view seen, std::chrono::nanoseconds took) {
  std::lock_guard const lock{mutex_};
  auto& one = replicas_[key];
  one.seen = seen;
  if (seen.known) one.health.polled(took);
}

void replica_watch::poll(std::string const& key, connect_options const& address, asked_position ask) {
  polled_replica* one{};
  {
    std::lock_guard const lock{mutex_};
    one = &replicas_[key];
  }
  if (now() < one->retry) return;
  auto const give_up = [&] {
    put(key, {}, {});  // a position counts for the connection it was seen on (R4)
    one->link.reset();
    one->retry = now() + pause_after_failure;
  };
  if (!one->link) {
    auto quick = address;
    quick.connect_timeout = std::min(quick.connect_timeout, query_time);
    auto made = connect(quick);
    if (!made) return give_up();
    one->link = std::move(made).value();
  }
  auto const asked = now();
  auto const position = ask(*one->link);
  if (!position) return give_up();
  put(key, {.known = true, .position = position.value()}, now() - asked);
}

void replica_watch::poll_primary(node_definition const& node, bool is_source) {
  auto const asked = now();
  auto lent = pools_.lend(pools_.address_of(node, is_source), asked + query_time);
  if (!lent) return;
  auto const answer = lent.value().link->query(
      {.sql = "SELECT pg_catalog.pg_current_wal_insert_lsn()", .name = "shardway_position"},
      asked + query_time);
  auto const position = answer ? lsn::parse(answer.value().text(0, 0)) : std::nullopt;
  if (!position) return;
  std::lock_guard const lock{mutex_};
  auto& kept = samples_[node.name];
  if (!kept.empty() && kept.back().when + samples_apart > asked) return;
  // What was committed before the question is below the answer, so the time of the question is the sample's.
  kept.push_back(
      {asked, {lent.value().facts->system_identifier, lent.value().facts->incarnation, *position}});
  while (kept.front().when + samples_kept < asked) kept.pop_front();
}

void replica_watch::round(routing_view const& view) {
  bool const with_shards = shards_serve_reads(view.current);
  auto const one_node = [&](node_definition const& node, bool is_source) {
    if (with_shards && !is_source) poll(node.name, pools_.address_of(node, false), stream_position_of);
    if (node.replicas.empty() && !(with_shards && is_source)) return;
    poll_primary(node, is_source);
    for (auto const& replica : node.replicas)
      poll(replica.name, pools_.address_of(replica, false), replica_position);
  };
  one_node(view.current.migration.source, true);
  for (auto const& shard : view.current.migration.shards) one_node(shard, false);
}

void replica_watch::work() {
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    lock.unlock();
    if (auto const view = generations_.view()) round(*view);
    lock.lock();
    ++rounds_;
    news_.notify_all();
    news_.wait_for(lock, options_.replica_interval, [this] { return stopping_; });
  }
}

}  // namespace v0
}  // namespace shardway
