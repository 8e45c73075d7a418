// X6: the controller is killed in mid-step, stopped or blocked. The next controller, or a waiting client,
// completes or undoes the step.
#include <fcntl.h>
#include <gmock/gmock.h>

#include "kill_fixture.hpp"

namespace shardway_test {
namespace {

class step_kill : public kill_walk {
 protected:
  std::unique_ptr<session> idle_in_transaction(std::string const& mode) {
    auto held = value_of(connect({.node = "source",
                                  .conninfo = address(fleet_->source()) + " user=app",
                                  .application_name = "forgotten_report"}));
    value_of(held->simple("BEGIN; LOCK TABLE shardway.fence_lock_sales IN " + mode + " MODE"));
    return held;
  }
  /// Everything that a controller may change, as text.
  std::string state_of_all() {
    std::string text =
        on_source("SELECT coalesce(string_agg(w::text, ';' ORDER BY wave), '') FROM shardway.wave w") +
        on_source(
            "SELECT coalesce(string_agg(w::text, ';' ORDER BY wave), '') FROM shardway.wave_decision w") +
        on_source("SELECT coalesce(string_agg(j::text, ';' ORDER BY id), '') FROM shardway.journal j") +
        on_source("SELECT coalesce(string_agg(a::text, ';' ORDER BY id), '') FROM shardway.audit a");
    for (auto* node : fleet_->all())
      text += run_on(*node,
                     "SELECT (SELECT max(generation) FROM shardway.generation) || (SELECT "
                     "string_agg(t::text, ';') FROM shardway.controller_token t) || "
                     "(SELECT string_agg(f::text, ';' ORDER BY slot_from) FROM shardway.fence_sales f)")
                  .text(0, 0);
    return text;
  }
};

TEST_F(step_kill, at_eight_points_of_one_migration) {
  walk({"onboard_after_publication", "after_chunk_copy", "before_batch_commit", "wave_after_fence",
        "wave_after_drain", "wave_after_commit", "wave_after_one_open", "after_mirror_commit"});
}

TEST_F(step_kill, waiting_clients_take_the_range_back_when_no_controller_comes) {
  begin();
  run_controller("wave_after_drain:kill");
  prepare_waves();
  auto const asked = enqueue("wave", wave_to(100));
  ASSERT_TRUE(controller_->ended_within(60s)) << value_of(find_request(*catalog_, asked))->error_message;
  ASSERT_TRUE(controller_->was_killed());
  ASSERT_EQ(owned(), (ownership{.nowhere = 4096, .twice = 0, .on_source = 0}));
  auto const written = service_->acknowledged().size();
  EXPECT_TRUE(soon([&] { return service_->acknowledged().size() > written + 100; }, 10s))
      << "the writers do not go on";
  EXPECT_EQ(owned(), (ownership{.nowhere = 0, .twice = 0, .on_source = 4096}));
  EXPECT_EQ(on_source("SELECT string_agg(decision, ',') FROM shardway.wave_decision"), "abort");
  ensure_controller();
  wave(100);
  EXPECT_EQ(owned().on_source, 0);
  expect_no_failures();
  expect_whole();
}

/// Sends the standard error of processes that start meanwhile to a file.
class diverted_errors {
 public:
  explicit diverted_errors(std::string const& file) : saved_(dup(2)) {
    int const to = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(to, 2);
    close(to);
  }
  ~diverted_errors() {
    dup2(saved_, 2);
    close(saved_);
  }
  diverted_errors(diverted_errors const&) = delete;
  diverted_errors& operator=(diverted_errors const&) = delete;

 private:
  int saved_;
};

TEST_F(step_kill, a_controller_stopped_for_longer_than_its_lease_changes_nothing_any_more) {  // X2
  begin();
  run_controller();
  prepare_waves();
  controller_->stop();
  std::optional<diverted_errors> errors(file_ + ".errors");
  controller_process old(file_, "wave_after_drain:pause");
  errors.reset();
  std::int64_t asked = enqueue("wave", wave_to(40));
  for (auto reached = shardway::testing::wait_for_stop(stop_file(), 1s); !reached;
       reached = shardway::testing::wait_for_stop(stop_file(), 1s))
    if (value_of(find_request(*catalog_, asked))->state == request_state::failed)
      asked = enqueue("wave", wave_to(40));
  old.freeze();
  ensure_controller();  // waits for the lease, then undoes what was not decided
  EXPECT_TRUE(soon([&] { return owned() == ownership{.nowhere = 0, .twice = 0, .on_source = 4096}; }));
  wave(10);
  service_->stop();
  auto const before = state_of_all();
  shardway::testing::release_stop(stop_file());
  old.thaw();  // its next statement is the decision to commit
  ASSERT_TRUE(old.ended_within(20s));
  EXPECT_EQ(old.exit_status(), 1);
  std::ifstream in(file_ + ".errors");
  std::string const said{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(said, ::testing::HasSubstr("not_leader"));
  EXPECT_EQ(state_of_all(), before);
  expect_no_failures();
  expect_whole();
}

// S17, X2: a frozen controller holds the token's lock, rows and a replication slot on a server. The servers
// would never notice by themselves.
class hanging : public step_kill, public ::testing::WithParamInterface<char const*> {};

TEST_P(hanging, inside_a_transaction_it_does_not_keep_the_next_one_from_working) {
  begin();
  run_controller();
  prepare_waves();
  wave(30);
  controller_->stop();
  controller_process old(file_, std::string(GetParam()) + ":pause");
  ASSERT_EQ(value_of(shardway::testing::wait_for_stop(stop_file())), GetParam());
  old.freeze();
  auto const since = std::chrono::steady_clock::now();
  ensure_controller();
  wave(60);
  EXPECT_LT(std::chrono::steady_clock::now() - since, 30s);
  shardway::testing::release_stop(stop_file());
  old.thaw();
  ASSERT_TRUE(old.ended_within(20s));
  EXPECT_EQ(old.exit_status(), 1);
  expect_whole();
}

INSTANTIATE_TEST_SUITE_P(on, hanging, ::testing::Values("before_batch_commit", "before_mirror_commit"),
                         [](auto const& one) { return std::string(one.param); });

TEST_F(step_kill, a_session_idle_in_transaction_on_the_fence_ends_the_wave_and_is_named) {  // X3, X4
  begin();
  run_controller();
  prepare_waves();
  auto const dump = idle_in_transaction("ACCESS SHARE");  // a dump's lock stands in nobody's way
  wave(10);
  auto const sleeper = idle_in_transaction("ROW SHARE");
  auto const pid = std::string(value_of(sleeper->simple("SELECT pg_backend_pid()")).text(0, 0));
  auto const answer = ask_until_green("wave", wave_to(60));
  EXPECT_EQ(answer.state, request_state::failed);
  EXPECT_EQ(answer.error_code, "stall_budget_spent");
  EXPECT_THAT(answer.error_message, ::testing::HasSubstr("pid " + pid + ", application forgotten_report"));
  auto const written = service_->acknowledged().size();
  EXPECT_TRUE(soon([&] { return service_->acknowledged().size() > written + 50; }, 10s));
  auto const at = owned();
  EXPECT_EQ(at.nowhere, 0);
  EXPECT_GT(at.on_source, 3600);
  require(sleeper->simple("ROLLBACK"));
  wave(60);
  expect_no_failures();
  expect_whole();
}

}  // namespace
}  // namespace shardway_test
