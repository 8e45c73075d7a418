// Waves without a server: each step of a wave, forward and back, fails in turn; then the next controller
// resumes. Writers go on all the while wherever a fence lets them, and the streams deliver no more than they
// must.
#include <array>
#include <atomic>
#include <mutex>

#include <gtest/gtest.h>

#include "lib/catalog/sha256.hpp"
#include "lib/migrate/wave/plan.hpp"
#include "sample_generation.hpp"
#include "shardway/catalog/generation_store.hpp"
#include "shardway/migrate/wave/wave.hpp"
#include "support/fake_clock.hpp"
#include "support/scripted_session.hpp"
#include "support/value_of.hpp"

namespace {

using namespace shardway_test;
using migrate::wave::authority_from_fences;
using migrate::wave::group_fences;

constexpr char wave_name[] = "wave-1";
constexpr std::int64_t first_token = 5, next_token = 6;

/// What a node of the model holds of the migration.
struct node_state {
  std::int64_t token{};
  std::vector<fence_row> fence;
  std::vector<std::vector<text_value>> waves;  ///< as selected: the columns of `unfinished_waves`
  std::map<std::string, std::string> decisions;
  std::vector<std::string> journal;
  std::map<std::uint64_t, std::pair<std::string, std::string>> generations;
  std::size_t markers{};
};
using server = scripted_server<node_state>;

std::string const& text(statement const& one, std::size_t parameter) { return *one.parameters.at(parameter); }
unsigned number(statement const& one, std::size_t parameter) {
  return static_cast<unsigned>(std::stoul(text(one, parameter)));
}

bool goes_back(std::vector<fence_row> const& fence, fence_row const& wanted) {
  return std::any_of(fence.begin(), fence.end(), [&](fence_row const& row) {
    return row.slots.overlaps(wanted.slots) && wanted.epoch < row.epoch;
  });
}

bool opens_again(std::vector<fence_row> const& fence, fence_row const& wanted) {
  return std::any_of(fence.begin(), fence.end(), [&](fence_row const& row) {
    return !row.open && row.slots.overlaps(wanted.slots) && wanted.epoch <= row.epoch;
  });
}

// As `fence_set` does: rows are split where the range begins and ends.
void set_fence(std::vector<fence_row>& fence, fence_row const& wanted) {
  std::vector<fence_row> made;
  for (auto const& row : fence) {
    if (!row.slots.overlaps(wanted.slots)) {
      made.push_back(row);
      continue;
    }
    auto const first = row.slots.first.value(), last = row.slots.last.value();
    auto const from = wanted.slots.first.value(), until = wanted.slots.last.value();
    auto piece = row;
    if (first < from) piece.slots = slots(first, from - 1u), made.push_back(piece);
    auto inside = wanted;
    inside.slots = slots(std::max(first, from), std::min(last, until));
    made.push_back(inside);
    if (last > until) piece.slots = slots(until + 1u, last), made.push_back(piece);
  }
  fence = std::move(made);
}

/// Slots of the wave, at the ends of its ranges and within, and others.
constexpr unsigned watched[]{0, 50, 99, 100, 1000, 1099, 1100, 4095};

/// Rows that writers have written; the model of what is in a node's tables.
struct row_written {
  int id{};
  unsigned slot{};
};

class world {
 public:
  world(planned_failure failing, wave_direction direction) : said(std::move(failing)), direction_(direction) {
    before = sample_generation();
    if (direction == wave_direction::back) give_to_shards(before);
    auto const document = encode(before);
    for (std::size_t i = 0; i < names_.size(); ++i) {
      node_state state;
      state.token = first_token;
      state.fence = first_fence(i);
      state.generations[before.number] = {document, sha256_hex(document)};
      servers.push_back(std::make_unique<server>(names_[i], said, std::move(state)));
      tables_.emplace_back();
    }
    for (std::size_t i = 0; i < servers.size(); ++i) answer_engine(i);
    said.before_step = [this] { write_wherever_open(); };
  }

  wave_plan plan() const {
    bool const forward = direction_ == wave_direction::forward;
    return {.wave = wave_name,
            .group = "sales",
            .direction = direction_,
            .ranges = {{shard(0), moved(1)}, {shard(1), moved(2)}},
            .before = epoch{static_cast<std::uint16_t>(forward ? 1 : 2)},
            .after = epoch{static_cast<std::uint16_t>(forward ? 2 : 3)}};
  }
  static slot_range moved(std::size_t node) { return node == 1 ? slots(0, 99) : slots(1000, 1099); }

  /// A controller's sessions, one a node.
  struct controller {
    std::vector<std::unique_ptr<scripted_session<node_state>>> links;
    node_sessions nodes;
  };
  controller connect() {
    controller made;
    for (auto const& one : servers)
      made.links.push_back(std::make_unique<scripted_session<node_state>>(*one));
    made.nodes.source = made.links[0].get();
    for (std::size_t i = 1; i < made.links.size(); ++i) made.nodes.shards.push_back(made.links[i].get());
    return made;
  }

  /// The node that is open for the slot; nothing if none is, and a problem if two are (I1).
  std::optional<std::size_t> open_node(unsigned slot) {
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < servers.size(); ++i)
      for (auto const& row : servers[i]->committed().fence) {
        if (!row.open || !row.slots.contains(slot_id{static_cast<std::uint16_t>(slot)})) continue;
        if (found) said.note_problem("I1: two nodes are open for slot " + std::to_string(slot));
        found = i;
      }
    return found;
  }
  bool has(std::size_t node, int id) const { return has_row(tables_[node], id); }

  fake_clock clock;
  conversation said;
  generation before;
  std::vector<std::unique_ptr<server>> servers;
  std::vector<row_written> acknowledged;

 private:
  void give_to_shards(generation& now) const {
    now.groups.front().stage = stage::sharded;
    now.groups.front().authority = {{moved(1), shard(0), epoch{2}, lsn{8}},
                                    {slots(100, 999), std::nullopt, epoch{1}, {}},
                                    {moved(2), shard(1), epoch{2}, lsn{8}},
                                    {slots(1100, 4095), std::nullopt, epoch{1}, {}}};
  }
  std::vector<fence_row> first_fence(std::size_t node) const {
    std::vector<fence_row> fence{{.slots = all_slots, .epoch = epoch{1}, .open = node == 0}};
    if (direction_ == wave_direction::forward) return fence;
    for (std::size_t moved_to : {1, 2})
      if (node == 0)
        set_fence(fence, {.slots = moved(moved_to), .epoch = epoch{1}, .open = false, .wave = "wave-0"});
      else if (node == moved_to)
        set_fence(fence, {.slots = moved(moved_to), .epoch = epoch{2}, .open = true});
    return fence;
  }

  static bool has_row(std::vector<row_written> const& all, int id) {
    return std::any_of(all.begin(), all.end(), [&](auto const& row) { return row.id == id; });
  }

  // Between any two steps a row of each slot is written where its fence is open and not locked.
  void write_wherever_open() {
    std::lock_guard const lock{mutex_};
    for (unsigned const slot : watched) {
      auto const node = open_node(slot);
      if (!node || servers[*node]->is_locked("EXCLUSIVE MODE")) continue;
      row_written const row{static_cast<int>(acknowledged.size()), slot};
      tables_[*node].push_back(row);
      acknowledged.push_back(row);
    }
  }

  // The stream is just past the last marker: it has brought what was written before that, and nothing after.
  std::size_t deliver(std::size_t origin, std::size_t target) {
    std::lock_guard const lock{mutex_};
    auto const markers = servers[origin]->committed().markers;
    auto const known = written_before_.find({origin, markers});
    if (known == written_before_.end()) return 0;
    for (std::size_t i = 0; i < known->second; ++i)
      if (!has_row(tables_[target], tables_[origin][i].id)) tables_[target].push_back(tables_[origin][i]);
    return markers;
  }

  void answer_engine(std::size_t node);
  void answer_fence(std::size_t node);
  void answer_waves(std::size_t node);
  void answer_generations(std::size_t node);
  result<rows> flip(std::size_t node, node_state& state, statement const& one);

  std::vector<std::string> const names_{"source", "shard0", "shard1", "shard2"};
  wave_direction direction_;
  std::mutex mutex_;
  std::vector<std::vector<row_written>> tables_;
  std::map<std::pair<std::size_t, std::size_t>, std::size_t>
      written_before_;                                      // (node, marker): rows of the node
  std::array<std::atomic<bool>, 4> closed_without_lock_{};  // by node
};

void world::answer_engine(std::size_t node) {
  auto& on = *servers[node];
  on.changes("shardway.engine_check", [](node_state& state, statement const& one) -> result<rows> {
    auto const token = static_cast<std::int64_t>(number(one, 0));
    if (token < state.token) return server_says("SW006", "");
    state.token = token;
    return rows_with({{""}});
  });
  on.reads("set_config('lock_timeout'",
           [](node_state&, statement const&) -> result<rows> { return rows_with({{"50ms"}}); });
  on.reads("FROM pg_catalog.pg_locks", [](node_state&, statement const&) -> result<rows> {
    return rows_with({{"pid 1, application dump, in transaction for 1 s"}});
  });
  on.changes("INSERT INTO shardway.marker",
             [this, node](node_state& state, statement const&) -> result<rows> {
               std::lock_guard const lock{mutex_};
               written_before_[{node, ++state.markers}] = tables_[node].size();
               return rows_with({{std::to_string(state.markers)}});
             });
  on.reads("FROM shardway.stream_progress", [this, node](node_state&, statement const& one) -> result<rows> {
    auto const origin =
        static_cast<std::size_t>(std::find(names_.begin(), names_.end(), text(one, 0)) - names_.begin());
    std::vector<text_value> position{"0/1000", std::to_string(deliver(origin, node))};
    position.resize(9, "0");
    return rows_with({position});
  });
  answer_fence(node);
  answer_waves(node);
  answer_generations(node);
}

result<rows> world::flip(std::size_t node, node_state& state, statement const& one) {
  fence_row const wanted{.slots = slots(number(one, 1), number(one, 2)),
                         .epoch = epoch{static_cast<std::uint16_t>(number(one, 3))},
                         .open = text(one, 4) == "t",
                         .wave = one.parameters[5].value_or("")};
  if (goes_back(state.fence, wanted)) return server_says("SW008", "");
  if (!wanted.open) closed_without_lock_[node] = !servers[node]->is_locked("EXCLUSIVE MODE");
  // The decision comes first: the side that gains opens by `commit`, the one that lost opens again by
  // `abort`.
  auto const decisions = servers[0]->committed().decisions;
  auto const decided = decisions.contains(wave_name) ? decisions.at(wave_name) : "nothing";
  bool const gains = (node != 0) == (direction_ == wave_direction::forward);
  if (wanted.open && opens_again(state.fence, wanted))
    said.note_problem(names_[node] + " opens under an epoch that it had before: an old writer would pass");
  if (wanted.open && decided != (gains ? "commit" : "abort"))
    said.note_problem(names_[node] + " opens while " + decided + " is decided");
  set_fence(state.fence, wanted);
  return rows_with({{""}});
}

void world::answer_fence(std::size_t node) {
  auto& on = *servers[node];
  on.changes("shardway.fence_set",
             [this, node](node_state& state, statement const& one) { return flip(node, state, one); });
  on.reads("SELECT slot_from, slot_to", [](node_state& state, statement const&) -> result<rows> {
    std::vector<std::vector<text_value>> all;
    for (auto const& row : state.fence)
      all.push_back({std::to_string(row.slots.first.value()), std::to_string(row.slots.last.value()),
                     std::to_string(row.epoch.value()), row.open ? "t" : "f", row.wave, "f"});
    return rows_with(all);
  });
}

void world::answer_waves(std::size_t node) {
  auto& on = *servers[node];
  on.changes("INSERT INTO shardway.wave_decision",
             [this](node_state& state, statement const& one) -> result<rows> {
               bool const is_new = state.decisions.emplace(text(one, 0), text(one, 1)).second;
               if (is_new && text(one, 1) == "commit" &&
                   std::any_of(closed_without_lock_.begin(), closed_without_lock_.end(),
                               [](auto const& is) { return is.load(); }))
                 said.note_problem(
                     "commit is decided though a fence was closed without its lock: writers may still run");
               return affecting(is_new ? 1 : 0);
             });
  on.reads("SELECT decision FROM shardway.wave_decision",
           [](node_state& state, statement const& one) -> result<rows> {
             auto const found = state.decisions.find(text(one, 0));
             if (found == state.decisions.end()) return rows_with({});
             return rows_with({{found->second}});
           });
  on.changes("INSERT INTO shardway.wave ", [](node_state& state, statement const& one) -> result<rows> {
    for (auto const& wave : state.waves)
      if (wave[0] == one.parameters[0]) return affecting(0);
    auto const& given = one.parameters;
    state.waves.push_back(
        {given[0], given[1], given[2], given[3], given[4], given[5], given[6], given[7], "then", "", ""});
    return affecting(1);
  });
  on.changes("UPDATE shardway.wave SET", [](node_state& state, statement const& one) -> result<rows> {
    for (auto& wave : state.waves) {
      if (wave[0] != one.parameters[0]) continue;
      wave[6] = one.parameters[1];
      wave[7] = one.parameters[2];
      if (wave[6] == "done" || wave[6] == "aborted") wave[9] = "now";
      return affecting(1);
    }
    return affecting(0);
  });
  on.reads("FROM shardway.wave WHERE finished_at IS NULL",
           [](node_state& state, statement const&) -> result<rows> {
             std::vector<std::vector<text_value>> all;
             for (auto const& wave : state.waves)
               if (wave[9] == "") all.push_back(wave);
             return rows_with(all);
           });
  on.changes("INSERT INTO shardway.journal", [](node_state& state, statement const& one) -> result<rows> {
    state.journal.push_back(text(one, 1));
    return affecting(1);
  });
}

void world::answer_generations(std::size_t node) {
  auto& on = *servers[node];
  using copy = std::vector<text_value>;
  on.reads("SELECT coalesce(max(generation), 0)", [](node_state& state, statement const&) -> result<rows> {
    return rows_with({{std::to_string(state.generations.rbegin()->first)}});
  });
  on.reads("ORDER BY generation DESC LIMIT 1", [](node_state& state, statement const&) -> result<rows> {
    auto const& [document, digest] = state.generations.rbegin()->second;
    return rows_with({copy{document, digest}});
  });
  on.reads("SELECT document, sha256 FROM shardway.generation WHERE",
           [](node_state& state, statement const& one) -> result<rows> {
             auto const found = state.generations.find(number(one, 0));
             if (found == state.generations.end()) return rows_with({});
             return rows_with({copy{found->second.first, found->second.second}});
           });
  on.changes("INSERT INTO shardway.generation", [](node_state& state, statement const& one) -> result<rows> {
    bool const is_new =
        state.generations.emplace(number(one, 0), std::pair{text(one, 1), text(one, 2)}).second;
    return affecting(is_new ? 1 : 0);
  });
  on.changes("SELECT pg_notify",
             [](node_state&, statement const&) -> result<rows> { return rows_with({{""}}); });
}

// ---- what has to stand after the next controller

generation newest_on(world const& all, std::size_t node) {
  auto const state = all.servers[node]->committed();
  return value_of(decode_generation(state.generations.rbegin()->second.first));
}

void expect_fences_published(world& all) {
  group_fences fences{.source = all.servers[0]->committed().fence, .shards = {}};
  for (std::size_t i = 1; i < all.servers.size(); ++i)
    fences.shards.push_back(all.servers[i]->committed().fence);
  auto const published = newest_on(all, 0);
  for (std::size_t i = 1; i < all.servers.size(); ++i)
    EXPECT_EQ(newest_on(all, i).number, published.number) << "the copy of node " << i;
  auto const authority = authority_from_fences(published.groups.front(), fences);
  EXPECT_TRUE(authority) << authority.error().to_string();
  if (authority) {
    EXPECT_EQ(authority.value(), published.groups.front().authority)
        << "what is published is not what the fences say";
  }
}

// I2: what a writer was told it has written is where authority is now.
void expect_nothing_lost(world& all) {
  std::size_t lost = 0;
  for (auto const& row : all.acknowledged) {
    auto const node = all.open_node(row.slot);
    if (!node || !all.has(*node, row.id)) ++lost;
  }
  EXPECT_EQ(lost, 0U) << "acknowledged rows that the authority lacks, of " << all.acknowledged.size();
}

void expect_end(world& all, wave_direction direction) {
  auto const source = all.servers[0]->committed();
  auto const decision = source.decisions.find(wave_name);
  bool const committed = decision != source.decisions.end() && decision->second == "commit";
  bool const on_shard = committed == (direction == wave_direction::forward);
  for (std::size_t const node : {1, 2})
    for (unsigned const slot : {world::moved(node).first.value(), world::moved(node).last.value()})
      EXPECT_EQ(all.open_node(slot), on_shard ? node : 0U) << "slot " << slot;
  for (unsigned const slot : {100U, 1100U, 4095U}) EXPECT_EQ(all.open_node(slot), 0U);
  for (auto const& wave : source.waves) EXPECT_EQ(wave[6], committed ? "done" : "aborted");
  expect_fences_published(all);
  expect_nothing_lost(all);
  EXPECT_EQ(all.said.problems(), std::vector<std::string>{});
}

void expect_report(world& all, result<wave_report> const& ran, planned_failure const& failing) {
  if (failing.number == 0) {
    EXPECT_TRUE(ran && ran.value().committed);
  }
  if (!ran) return;
  auto const decisions = all.servers[0]->committed().decisions;
  EXPECT_EQ(decisions.at(wave_name), ran.value().committed ? "commit" : "abort");
  EXPECT_EQ(ran.value().why_aborted.has_value(), !ran.value().committed);
}

std::vector<std::string> const sqlstates{"XX000", "55P03", "40001", "57014", "57P01", "SW006"};

std::map<std::string, std::size_t> wave_once(wave_direction direction, planned_failure const& failing) {
  world all{failing, direction};
  {
    auto first = all.connect();
    auto const ran = run_wave(first.nodes, all.before, all.plan(), first_token, {});
    expect_report(all, ran, failing);
    if (ran) expect_end(all, direction);
  }
  auto next = all.connect();
  auto const counts = all.said.counts();
  auto const resumed = resume_waves(next.nodes, newest_on(all, 0), next_token, {});
  EXPECT_TRUE(resumed) << resumed.error().to_string();
  expect_end(all, direction);
  if (!testing::Test::HasFailure()) return counts;
  ADD_FAILURE() << shardway::name(direction) << "; " << describe(failing) << describe(all.said);
  return {};
}

TEST(wave_forward, ends_whole_or_undone_whichever_step_fails) {
  auto const runs = fail_each_step(
      sqlstates, [](auto const& failing) { return wave_once(wave_direction::forward, failing); });
  RecordProperty("runs", static_cast<int>(runs));
}

TEST(wave_back, ends_whole_or_undone_whichever_step_fails) {
  auto const runs =
      fail_each_step(sqlstates, [](auto const& failing) { return wave_once(wave_direction::back, failing); });
  RecordProperty("runs", static_cast<int>(runs));
}

}  // namespace
