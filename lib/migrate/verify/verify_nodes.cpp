#include "lib/migrate/verify/verify_nodes.hpp"

#include <algorithm>
#include <future>

#include "lib/migrate/wave/flip.hpp"
#include "lib/protocol/progress.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::verify {

result<verify_nodes> verify_nodes::open(engine_nodes const& nodes) {
  verify_nodes opened;
  BOOST_OUTCOME_TRY(opened.source_, connect(nodes.source));
  for (auto const& shard : nodes.shards) {
    BOOST_OUTCOME_TRY(auto connected, connect(shard));
    opened.shards_.push_back(std::move(connected));
  }
  return opened;
}

result<std::vector<rows>> verify_nodes::query_all(
    std::function<statement(std::size_t)> const& statement_for) {
  std::vector<std::future<result<rows>>> answers;
  for (std::size_t i = 0; i <= shards_.size(); ++i) {
    auto* node = i == 0 ? source_.get() : shards_[i - 1].get();
    answers.push_back(
        std::async(std::launch::async, [node, sql = statement_for(i)] { return node->query(sql); }));
  }
  std::vector<rows> collected;
  std::optional<error> failed;
  for (auto& answer : answers) {
    auto got = answer.get();
    if (!got) failed = got.error();
    if (got) collected.push_back(std::move(got.value()));
  }
  if (failed) return *failed;
  return collected;
}

namespace {

result<bool> passed(session& target, std::string const& stream, lsn wanted,
                    std::chrono::steady_clock::time_point until) {
  for (;;) {
    BOOST_OUTCOME_TRY(auto const answer, target.query(read_progress_statement(stream)));
    BOOST_OUTCOME_TRY(auto const position, parse_progress(answer));
    if (position.applied >= wanted) return true;
    if (steady_now() >= until) return false;
    sleep_for(std::chrono::milliseconds{5});
  }
}

bool is_mirrored(generation const& now) {
  return std::any_of(now.groups.begin(), now.groups.end(),
                     [](group_state const& group) { return group.stage == stage::sharded; });
}

}  // namespace

result<bool> verify_nodes::wait_for_streams(generation const& now, std::chrono::milliseconds limit) {
  auto const until = steady_now() + limit;
  BOOST_OUTCOME_TRY(auto const source_end, wave::current_lsn(*source_));
  std::vector<lsn> shard_ends;
  for (auto const& shard : shards_) {
    BOOST_OUTCOME_TRY(auto const end, wave::current_lsn(*shard));
    shard_ends.push_back(end);
  }
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    BOOST_OUTCOME_TRY(auto const forward,
                      passed(*shards_[i], std::string(names::source_stream), source_end, until));
    if (!forward) return false;
    if (!is_mirrored(now)) continue;
    BOOST_OUTCOME_TRY(auto const back, passed(*source_, now.migration.shards[i].name, shard_ends[i], until));
    if (!back) return false;
  }
  return true;
}

}  // namespace migrate::verify
}  // namespace v0
}  // namespace shardway
