// The applier of a shard without a server: each statement of its batches fails in turn. Rows and position
// commit together, each state that commits is one that the source had, and totals stay exact.
#include <atomic>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "lib/migrate/stream/apply/applier.hpp"
#include "lib/store/text_array.hpp"
#include "sample_generation.hpp"
#include "support/fake_clock.hpp"
#include "support/scripted_session.hpp"
#include "support/value_of.hpp"

namespace {

using namespace shardway_test;
using namespace migrate::stream;
using kind_type = stream_change::kind_type;

struct stored_row {
  std::int64_t version{};
  std::string customer, note;
  friend bool operator==(stored_row const&, stored_row const&) = default;
};
using table_rows = std::map<std::string, stored_row>;

/// What the shard holds; on the source only its rows count.
struct node_state {
  table_rows rows;
  std::vector<std::vector<text_value>> progress;  ///< as selected
  std::set<std::pair<std::string, std::string>> receipts;
  int epoch{1};
};
using server = scripted_server<node_state>;

lsn position_in(node_state const& state) {
  return state.progress.empty() ? lsn{} : *lsn::parse(*state.progress.back()[0]);
}

row_version version_at(std::uint64_t position) { return *row_version::make(epoch{1}, lsn{position}); }
stream_value value(std::string text) { return {stream_value::kind_type::text, std::move(text)}; }
constexpr stream_value::kind_type unchanged = stream_value::kind_type::unchanged;

table_ptr const& orders() {
  static table_ptr const table = value_of(follow_table(sample_table("shop.orders", "sales")));
  return table;
}
stream_change upsert(std::string id, std::string note, std::uint64_t position, bool has_outbox = false) {
  return {.kind = kind_type::upsert,
          .table = orders(),
          .key = {id},
          .image = {value(id), value("7"), value(std::move(note))},
          .version = version_at(position),
          .has_outbox = has_outbox};
}
// An update that left a large note alone: it presumes the row.
stream_change touch(std::string id, std::uint64_t position) {
  auto change = upsert(std::move(id), {}, position);
  change.image[2] = {unchanged, {}};
  return change;
}
stream_change remove(std::string id, std::uint64_t position) {
  return {.kind = kind_type::remove, .table = orders(), .key = {id}, .version = version_at(position)};
}

// Three transactions of the source, each a batch of its own (batch_changes_max is 3).
std::vector<shard_item> source_transactions() {
  shard_item first;
  first.end = lsn{0x110};
  first.commit_time = 1;
  first.changes = {upsert("a", "a1", 0x100, true), upsert("b", "b1", 0x108, true)};
  first.write_ids = {"w1", "w2"};
  first.ordinals = {"1", "1"};
  shard_item second;
  second.end = lsn{0x210};
  second.commit_time = 2;
  second.changes = {upsert("a", "a2", 0x200), remove("b", 0x208)};
  shard_item third;
  third.end = lsn{0x310};
  third.commit_time = 3;
  third.changes = {upsert("c", "c1", 0x300), touch("d", 0x308)};
  third.flips = {{"sales", slots(0, 99), epoch{2}}};
  third.marker = 9;
  return {first, second, third};
}
constexpr lsn last{0x310}, tail{0x400};

// The rows that a shard at this position has; `a` was there by its dual write, with an image that differs.
table_rows rows_at(lsn applied) {
  table_rows rows{{"a", {version_at(0x100).bigint(), "7", "stale"}}};
  if (applied >= lsn{0x110}) {
    rows["a"].note = "a1";
    rows["b"] = {version_at(0x108).bigint(), "7", "b1"};
  }
  if (applied >= lsn{0x210}) {
    rows["a"] = {version_at(0x200).bigint(), "7", "a2"};
    rows.erase("b");
  }
  if (applied >= lsn{0x310}) {
    rows["c"] = {version_at(0x300).bigint(), "7", "c1"};
    rows["d"] = {version_at(0x308).bigint(), "7", "whole"};
  }
  return rows;
}

// Array parameters, row by row.
std::vector<std::vector<std::string>> unnest(statement const& one) {
  std::vector<std::vector<std::string>> by_row;
  for (auto const& parameter : one.parameters) {
    auto const column = *parse_text_array(*parameter);
    by_row.resize(column.size());
    for (std::size_t i = 0; i < column.size(); ++i) by_row[i].push_back(column[i]);
  }
  return by_row;
}

void answer_rows(server& shard) {
  shard.changes("sw_delete", [](node_state& state, statement const& one) -> result<rows> {
    std::int64_t removed = 0;
    for (auto const& row : unnest(one)) {
      auto const found = state.rows.find(row[0]);
      if (found == state.rows.end() || found->second.version > std::stoll(row[1])) continue;
      state.rows.erase(found);
      ++removed;
    }
    return affecting(removed);
  });
  shard.changes("sw_upsert", [](node_state& state, statement const& one) -> result<rows> {
    for (auto const& row : unnest(one)) {
      stored_row const wanted{std::stoll(row[3]), row[1], row[2]};
      auto const [found, is_new] = state.rows.try_emplace(row[0], wanted);
      if (!is_new && found->second.version < wanted.version) found->second = wanted;
    }
    return affecting(1);
  });
  shard.changes("sw_correct", [](node_state& state, statement const& one) -> result<rows> {
    std::int64_t corrected = 0;
    for (auto const& row : unnest(one)) {
      auto const found = state.rows.find(row[0]);
      if (found == state.rows.end() || found->second.version != std::stoll(row.back())) continue;
      auto wanted = found->second;
      wanted.customer = row[1];
      if (row.size() == 4)
        wanted.note = row[2];  // the large column is left out where the update left it alone
      if (found->second == wanted) continue;
      found->second = wanted;
      ++corrected;
    }
    return affecting(corrected);
  });
  shard.changes("sw_partial", [](node_state& state, statement const& one) -> result<rows> {
    for (auto const& row : unnest(one))
      if (auto const found = state.rows.find(row[0]);
          found != state.rows.end() && found->second.version < std::stoll(row[2]))
        found->second.version = std::stoll(row[2]);
    return affecting(1);
  });
  shard.reads("sw_missing", [](node_state& state, statement const& one) -> result<rows> {
    std::vector<std::vector<text_value>> missing;
    auto const asked = unnest(one);
    for (std::size_t i = 0; i < asked.size(); ++i)
      if (!state.rows.contains(asked[i][0])) missing.push_back({std::to_string(i + 1)});
    return rows_with(missing);
  });
  shard.changes("sw_receipts", [](node_state& state, statement const& one) -> result<rows> {
    std::int64_t taken = 0;
    for (auto const& row : unnest(one))
      taken += static_cast<std::int64_t>(state.receipts.erase({row[0], row[1]}));
    return affecting(taken);
  });
}

void answer_engine(server& shard) {
  shard.reads("SET session_replication_role",
              [](node_state&, statement const&) -> result<rows> { return affecting(0); });
  shard.reads("FROM shardway.stream_progress WHERE", [](node_state& state, statement const&) -> result<rows> {
    if (state.progress.empty()) return rows_with({});
    return rows_with({state.progress.back()});
  });
  shard.changes("shardway.engine_begin",
                [](node_state&, statement const&) -> result<rows> { return rows_with({{""}}); });
  shard.changes("DELETE FROM shardway.parked",
                [](node_state&, statement const&) -> result<rows> { return affecting(0); });
  shard.reads("FROM shardway.conflict",
              [](node_state&, statement const&) -> result<rows> { return rows_with({{"f"}}); });
  shard.reads("LOCK TABLE", [](node_state&, statement const&) -> result<rows> { return affecting(0); });
  shard.reads("WHERE is_open)",
              [](node_state&, statement const&) -> result<rows> { return rows_with({{"f"}}); });
  shard.reads("SELECT max(commit_lsn)",
              [](node_state&, statement const&) -> result<rows> { return rows_with({{std::nullopt}}); });
  shard.reads("pg_advisory_xact_lock",
              [](node_state&, statement const&) -> result<rows> { return rows_with({{""}}); });
  shard.changes("shardway.fence_set", [](node_state& state, statement const& one) -> result<rows> {
    state.epoch = std::stoi(*one.parameters[3]);
    return rows_with({{""}});
  });
  shard.changes("INSERT INTO shardway.stream_progress",
                [](node_state& state, statement const& one) -> result<rows> {
                  state.progress.emplace_back(one.parameters.begin() + 1, one.parameters.end());
                  return affecting(1);
                });
}

/// A shard, the source that a missing row is fetched from, and the applier between them.
class world {
 public:
  explicit world(planned_failure failing)
      : said(std::move(failing)),
        shard("shard0", said, {.rows = rows_at({}), .progress = {}, .receipts = {{"w1", "1"}}}),
        source("source", said, {}) {
    answer_rows(shard);
    answer_engine(shard);
    source.reads("pg_current_snapshot",
                 [](node_state&, statement const&) -> result<rows> { return rows_with({{"9:9:"}}); });
    source.reads("SELECT \"id\"", [](node_state&, statement const& one) -> result<rows> {
      return rows_with({{one.parameters[0], "7", "whole"}});
    });
    // I4 and I5, of each state that commits.
    shard.after_commit = [this](node_state const& state) {
      if (state.rows != rows_at(position_in(state)))
        said.note_problem("rows and position did not commit together");
      if (position_in(state) < reached_) said.note_problem("the position went back");
      reached_ = position_in(state);
    };
  }

  /// Feeds everything from the beginning, as the replication slot does after a restart, and runs until it is
  /// applied or the applier gives up; the failure it left.
  std::optional<error> run() {
    apply_queue queue{std::size_t{1} << 20};
    for (auto const& item : source_transactions()) queue.put(item);
    queue.set_tail(tail);
    said.before_step = [&] {
      if (queue.committed().applied > reached_) said.note_problem("confirmed past what is committed");
      if (++steps_ > 2000) queue.close();
    };
    applier_options how{.shard = {.node = "shard0", .conninfo = {}},
                        .source = {.node = "source", .conninfo = {}},
                        .token = 1,
                        .limits = {},
                        .number = shard_id{0},
                        .shows_all_passed = [](xid_snapshot const&) { return true; },
                        .is_mine = [](followed_table const&, stream_tuple const&) { return true; }};
    how.limits.batch_changes_max = 3;
    how.limits.batch_wait = std::chrono::milliseconds{0};
    how.open = [this](connect_options const& to) { return connect(to); };
    std::jthread const watcher{[&](std::stop_token const& ended) {
      while (!ended.stop_requested() && queue.committed().applied < tail) {
        clock.advance(std::chrono::milliseconds{50});
        std::this_thread::sleep_for(std::chrono::microseconds{200});
      }
      queue.close();
    }};
    applier{std::move(how), queue}.run();
    said.before_step = {};
    if (steps_ > 2000) said.note_problem("the applier does not come to an end");
    return queue.state().failure;
  }

  fake_clock clock;
  conversation said;
  server shard, source;

 private:
  result<std::unique_ptr<session>> connect(connect_options const& to) {
    if (said.next(to.node, 0, "(connect)"))
      return error{error_code::node_unreachable, "no connection"}.at_node(to.node);
    return std::unique_ptr<session>{
        std::make_unique<scripted_session<node_state>>(to.node == "source" ? source : shard)};
  }

  lsn reached_{};
  std::atomic<int> steps_{};
};

void expect_all_applied(node_state const& state) {
  ASSERT_FALSE(state.progress.empty());
  EXPECT_EQ(position_in(state), tail);
  EXPECT_EQ(state.rows, rows_at(last));
  EXPECT_TRUE(state.receipts.empty());
  EXPECT_EQ(state.epoch, 2);
  // marker, changes, outbox, duplicates, healed, corrected
  std::vector<text_value> const exact{"9", "6", "2", "1", "1", "1"};
  EXPECT_EQ(std::vector(state.progress.back().begin() + 1, state.progress.back().begin() + 7), exact);
}

std::vector<std::string> const sqlstates{"XX000", "40001", "23505", "57P01", "57014"};

std::map<std::string, std::size_t> apply_once(planned_failure const& failing) {
  world all{failing};
  auto const failure = all.run();
  auto const counts = all.said.counts();
  if (failing.number == 0) {
    EXPECT_FALSE(failure) << failure->to_string();
  }
  if (!failure) expect_all_applied(all.shard.committed());
  // What stopped for good goes on where it was once it is started again.
  if (failure) {
    auto const again = all.run();
    EXPECT_FALSE(again) << again->to_string();
    expect_all_applied(all.shard.committed());
  }
  EXPECT_EQ(all.said.problems(), std::vector<std::string>{});
  if (!testing::Test::HasFailure()) return counts;
  ADD_FAILURE() << describe(failing) << (failure ? "; stopped: " + failure->to_string() : "")
                << describe(all.said);
  return {};
}

TEST(applier, commits_rows_and_position_together_whichever_step_fails) {
  auto const runs = fail_each_step(sqlstates, apply_once);
  RecordProperty("runs", static_cast<int>(runs));
}

}  // namespace
