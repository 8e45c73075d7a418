// A migration whose controllers are killed at named stop points, one after the other, while services write.
#pragma once

#include <map>

#include "lib/protocol/fence.hpp"
#include "migration_fixture.hpp"
#include "shardway/migrate/wave/wave.hpp"
#include "shardway/testing/stop_points.hpp"

namespace shardway_test {

/// How many slots have no open node, more than one, or the source.
struct ownership {
  int nowhere{};
  int twice{};
  int on_source{};
  bool operator==(ownership const&) const = default;
};

/// Checks for slots that are open on two nodes, for as long as it lives. It reads the shards first: a forward
/// wave closes a slot on the source before it opens the slot on a shard. So a slot that is still open on the
/// source in the later read breaks I1.
class fence_watch {
 public:
  fence_watch(std::string source, std::vector<std::string> shards)
      : source_(std::move(source)),
        shards_(std::move(shards)),
        thread_([this](std::stop_token stop) { run(stop); }) {}
  std::int64_t breaches() const { return breaches_; }
  std::int64_t looks() const { return looks_; }

 private:
  void run(std::stop_token stop) {
    for (; !stop.stop_requested(); std::this_thread::sleep_for(20ms)) look();
  }
  void look() {
    std::vector<int> open(limits::slot_count);
    for (auto const& shard : shards_) count(shard, open);
    count(source_, open);
    for (auto const nodes : open) breaches_ += nodes > 1;
    ++looks_;
  }
  void count(std::string const& address, std::vector<int>& open) {
    auto& on = sessions_[address];
    if (!on || on->is_broken()) {
      auto fresh = connect({.node = "watched", .conninfo = address});
      if (!fresh) return;
      on = std::move(fresh.value());
    }
    auto const answer = on->query(read_fence_statement("sales"));
    if (!answer) return;  // before the group is prepared there is no fence
    for (auto const& row : value_of(parse_fence(answer.value())))
      for (std::uint32_t slot = row.slots.first.value(); row.open && slot <= row.slots.last.value(); ++slot)
        ++open[slot];
  }

  std::string source_;
  std::vector<std::string> shards_;
  std::map<std::string, std::unique_ptr<session>> sessions_;
  std::atomic<std::int64_t> breaches_{}, looks_{};
  std::jthread thread_;
};

class kill_fixture : public migration_fixture {
 protected:
  void begin(int threads = 3) {
    start();
    service_.emplace(address(fleet_->source()), threads);
    std::vector<std::string> shards;
    for (std::size_t i = 0; i < fleet_->shard_count(); ++i)
      shards.push_back(address(fleet_->shard(i)) + " user=engine");
    watch_.emplace(address(fleet_->source()) + " user=engine", std::move(shards));
  }
  void TearDown() override {
    watch_.reset();
    service_.reset();
    controller_.reset();
  }

  std::string stop_file() const { return file_ + ".stopped"; }
  void run_controller(std::string const& stop_points = {}, std::string const& guards_off = {}) {
    if (controller_) controller_->stop();
    shardway::testing::release_stop(stop_file());
    controller_ = std::make_unique<controller_process>(file_, stop_points, guards_off);
  }
  void ensure_controller() {
    if (!controller_ || controller_->ended_within(1ms))
      controller_ = std::make_unique<controller_process>(file_);
  }

  std::int64_t enqueue(std::string const& kind, std::string const& arguments) {
    if (catalog_->is_broken()) catalog_ = open(fleet_->source(), "engine");
    return value_of(enqueue_request(*catalog_, kind, arguments));
  }
  /// Repeats a request if a gate refuses it, or if a test broke its connection. After a start, streams and
  /// mirrors need a moment.
  request ask_until_green(std::string const& kind, std::string const& arguments,
                          std::chrono::seconds limit = 60s) {
    auto const until = std::chrono::steady_clock::now() + limit;
    for (;;) {
      if (catalog_->is_broken()) catalog_ = open(fleet_->source(), "engine");
      auto answer = ask(kind, arguments);
      if (answer.state == request_state::done ||
          (answer.error_code != "gate_red" && answer.error_code != "connection_lost") ||
          std::chrono::steady_clock::now() > until)
        return answer;
      std::this_thread::sleep_for(200ms);
    }
  }

  void advance() { done(ask_until_green("advance", advance_arguments)); }
  /// Meets every condition of a wave.
  void prepare_waves() {
    if (ready_) return;
    advance();
    done(ask_until_green("guard", R"({"group": "sales", "mode": "refusing"})"));
    done(ask_until_green("verify", R"({"group": "sales"})"));
    ready_ = true;
  }
  static std::string wave_to(int percent) {
    return R"({"group": "sales", "approved_by": "test", "percent": )" + std::to_string(percent) + "}";
  }
  void wave(int percent) { done(ask_until_green("wave", wave_to(percent))); }

  ownership owned() {
    std::vector<int> open(limits::slot_count);
    ownership found;
    auto const count = [&](shardway::testing::server& node) {
      auto const on = migration_fixture::open(node, "engine");
      auto const fence = value_of(parse_fence(value_of(on->query(read_fence_statement("sales")))));
      int slots = 0;
      for (auto const& row : fence)
        for (std::uint32_t slot = row.slots.first.value(); row.open && slot <= row.slots.last.value();
             ++slot, ++slots)
          ++open[slot];
      return slots;
    };
    for (std::size_t i = 0; i < fleet_->shard_count(); ++i) count(fleet_->shard(i));
    found.on_source = count(fleet_->source());
    for (auto const nodes : open) {
      found.nowhere += nodes == 0;
      found.twice += nodes > 1;
    }
    return found;
  }
  template <class Condition>
  bool soon(Condition condition, std::chrono::seconds limit = 30s) {
    auto const until = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(20ms);
    }
    return true;
  }

  /// Each acknowledged write is exactly once on the nodes named, and each write in doubt at most once.
  void expect_exact(std::vector<shardway::testing::server*> const& nodes) {
    std::map<std::int64_t, int> seen;
    for (auto* node : nodes) {
      auto const found = run_on(*node, "SELECT unnest(operations) FROM shop.orders");
      for (std::size_t i = 0; i < found.size(); ++i) ++seen[value_of(found.integer(i, 0))];
    }
    std::size_t lost = 0, twice = 0;
    auto const log = service_->acknowledged();
    for (auto const& operation : log) {
      lost += seen[operation.number] == 0 && !operation.in_doubt;
      twice += seen[operation.number] > 1;
    }
    EXPECT_EQ(lost, 0u);
    EXPECT_EQ(twice, 0u);
    EXPECT_GT(log.size(), 50u);
  }
  std::vector<shardway::testing::server*> shards() {
    std::vector<shardway::testing::server*> nodes;
    for (std::size_t i = 0; i < fleet_->shard_count(); ++i) nodes.push_back(&fleet_->shard(i));
    return nodes;
  }

  /// The final check of a test that keeps the copy: nothing is lost or duplicated, both sides are equal, each
  /// slot is open on one node.
  void expect_whole() {
    service_->stop();
    EXPECT_EQ(service_->stale_reads(), 0);
    EXPECT_EQ(watch_->breaches(), 0);
    EXPECT_GT(watch_->looks(), 10);
    auto const at = owned();
    EXPECT_EQ(at.nowhere, 0);
    EXPECT_EQ(at.twice, 0);
    auto const checked = ask_until_green("verify", R"({"group": "sales"})");
    done(checked);
    EXPECT_THAT(checked.result, ::testing::HasSubstr("\"equal\": true")) << checked.result;
    expect_exact({&fleet_->source()});
    expect_exact(shards());
  }
  /// No service noticed: every write succeeded, and none waited as long as a client may.
  void expect_no_failures() {
    EXPECT_EQ(service_->failed(), 0) << service_->first_failure();
    EXPECT_LT(service_->worst_stall(), 5s);
  }

  static constexpr char advance_arguments[] = R"({"group": "sales", "to": "dual_writing"})";
  std::optional<writers> service_;
  std::optional<fence_watch> watch_;
  std::unique_ptr<controller_process> controller_;
  bool ready_{};
  int percent_{};
};

/// Kills a controller at a stop point, starts the next one and brings the step to its end.
class kill_walk : public kill_fixture {
 protected:
  void walk(std::vector<std::string> const& points) {
    begin();
    for (std::size_t i = 0; i < points.size(); ++i) {
      SCOPED_TRACE(points[i]);
      kill_at(points[i], i + 1 < points.size() && is_early(points[i + 1]));
      if (HasFatalFailure()) return;
    }
    expect_no_failures();
    if (points.back().starts_with("finalize")) return expect_finalized();
    ensure_controller();
    prepare_waves();
    expect_whole();
  }

 private:
  // If the next point belongs to the same step, the controller for that point is the successor. Else a
  // controller that is not killed ends the step.
  void kill_at(std::string const& point, bool is_next_early) {
    bring_to(point);
    if (point.starts_with("wave")) return kill_wave(point);
    run_controller(point + ":kill");
    auto const [kind, arguments] = step_of(point);
    auto asked = kind.empty()     ? 0
                 : advance_asked_ ? std::exchange(advance_asked_, 0)
                                  : enqueue(kind, arguments);
    ASSERT_NO_FATAL_FAILURE(expect_killed(
        point,
        [&] {
          if (point.starts_with("repair")) damage();
          return kind;
        },
        asked, arguments));
    if (is_next_early) {
      advance_asked_ = asked;
      return;
    }
    ensure_controller();
    if (kind.empty()) return;
    auto const answer = value_of(wait_for_request(*catalog_, asked, std::chrono::steady_clock::now() + 60s));
    if (answer.state != request_state::done) done(ask_until_green(kind, arguments));
  }

  /// Does everything that must be done before a step with this point can be requested.
  void bring_to(std::string const& point) {
    if (is_early(point)) return;
    ensure_controller();
    prepare_waves();
    if (point.find("mirror") != std::string::npos && percent_ == 0) wave(percent_ = 30);
    if (point.starts_with("finalize")) wave(percent_ = 100);
    if (point.starts_with("repair")) damage();
  }
  bool is_early(std::string const& point) const {
    return point.starts_with("onboard") || point.find("chunk") != std::string::npos ||
           (!ready_ && point == "controller_after_lease");
  }

  std::pair<std::string, std::string> step_of(std::string const& point) const {
    if (point.starts_with("finalize")) return {"finalize", R"({"group": "sales", "approved_by": "test"})"};
    if (point.starts_with("repair")) return {"reconcile", R"({"group": "sales"})"};
    if (is_early(point)) return {"advance", advance_arguments};
    return {};  // under load the streams reach it by themselves
  }

  // A row that differs on a shard, of a table that no service writes.
  void damage() {
    run_on(fleet_->shard(0),
           "BEGIN; SELECT set_config('shardway.writer', 'test', true); UPDATE shop.items SET sku = 'wrong' "
           "WHERE order_id = (SELECT min(order_id) FROM shop.items); COMMIT");
  }

  template <class Again>
  void expect_killed(std::string const& point, Again again, std::int64_t& asked,
                     std::string const& arguments) {
    auto const until = std::chrono::steady_clock::now() +
                       150s;  // on a busy machine waves spend their stall budget and are asked for again
    while (!controller_->ended_within(100ms)) {
      ASSERT_LT(std::chrono::steady_clock::now(), until) << "the stop point was not reached";
      if (asked == 0) continue;
      auto const state = value_of(find_request(*catalog_, asked));
      if (state && (state->state == request_state::failed || state->state == request_state::done))
        asked = enqueue(again(), arguments);
    }
    ASSERT_TRUE(controller_->was_killed());
    ASSERT_EQ(value_of(shardway::testing::wait_for_stop(stop_file(), 1s)), point);
    shardway::testing::release_stop(stop_file());
  }

  std::int64_t advance_asked_{};

  // A wave that was not decided is undone, and a decided wave is completed. The request is repeated if its
  // wave was undone.
  void kill_wave(std::string const& point) {
    static std::vector<std::string> const decided{"wave_after_commit", "wave_after_one_open",
                                                  "wave_after_open", "wave_after_publish"};
    bool const completes = std::find(decided.begin(), decided.end(), point) != decided.end();
    percent_ = std::min(100, percent_ + 10);
    auto const before = owned();
    run_controller(point + ":kill");
    std::unique_ptr<session> sleeper;
    if (point == "wave_after_abort") sleeper = hold_fence();
    auto asked = enqueue("wave", wave_to(percent_));
    ASSERT_NO_FATAL_FAILURE(expect_killed(point, [] { return "wave"; }, asked, wave_to(percent_)));
    sleeper.reset();
    ensure_controller();
    EXPECT_TRUE(soon([&] { return owned().nowhere == 0; })) << "slots stay closed on both sides";
    auto const settled = owned();
    EXPECT_EQ(settled.twice, 0);
    if (completes)
      EXPECT_LT(settled.on_source, before.on_source) << "a decided wave was not completed";
    else
      EXPECT_EQ(settled.on_source, before.on_source) << "an undecided wave was not undone";
    if (!completes) wave(percent_);
    EXPECT_LT(owned().on_source, before.on_source);
  }
  std::unique_ptr<session> hold_fence() {
    auto held = open(fleet_->source(), "app");
    value_of(held->simple("BEGIN; LOCK TABLE shardway.fence_lock_sales IN ROW SHARE MODE"));
    return held;
  }

  void expect_finalized() {
    service_->stop();
    expect_exact(shards());
    EXPECT_EQ(owned().on_source, 0);
    EXPECT_EQ(watch_->breaches(), 0);
    for (auto* shard : shards())
      EXPECT_EQ(run_on(*shard,
                       "SELECT count(*) FROM pg_attribute WHERE attname = '_shardway_version' AND NOT "
                       "attisdropped AND attrelid = 'shop.orders'::regclass")
                    .text(0, 0),
                "0");
  }
};

}  // namespace shardway_test
