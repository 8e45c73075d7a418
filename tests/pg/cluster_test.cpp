// Real servers of each version are started, killed, frozen and followed by replicas.
#include "shardway/testing/cluster.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/value_of.hpp"

namespace {

using namespace shardway;
using namespace shardway::testing;
using namespace std::chrono_literals;

using shardway_test::require;
using shardway_test::value_of;

class each_version : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(servers, each_version, ::testing::Values(13, 15, 18),
                         ::testing::PrintToStringParamName());

TEST_P(each_version, survives_kill_9_with_its_rows) {
  auto folder = value_of(scratch_folder::make());
  auto node = value_of(server::launch(folder->path(), {.major = GetParam()}));
  EXPECT_EQ(value_of(node->query("SHOW server_version_num")).substr(0, 2), std::to_string(GetParam()));
  EXPECT_EQ(value_of(node->query("SHOW wal_level")), "logical");
  EXPECT_EQ(value_of(node->query("SHOW fsync")), "on");
  require(node->query("CREATE TABLE kept AS SELECT 7 AS value"));
  auto const before = node->pid();
  require(node->kill_9());
  EXPECT_EQ(node->pid(), 0);
  EXPECT_FALSE(node->query("SELECT 1"));
  require(node->start());
  EXPECT_NE(node->pid(), before);
  EXPECT_EQ(value_of(node->query("SELECT value FROM kept")), "7");
}

TEST_P(each_version, replica_streams_and_takes_over) {
  auto folder = value_of(scratch_folder::make());
  auto primary =
      value_of(server::launch(folder->path(), {.name = "primary", .major = GetParam(), .fast = true}));
  require(primary->query("CREATE TABLE copied AS SELECT 1 AS value"));
  auto replica = value_of(primary->make_replica({.name = "follower"}));
  EXPECT_EQ(value_of(replica->query("SELECT pg_is_in_recovery()")), "t");
  require(primary->query("INSERT INTO copied VALUES (2)"));
  for (int tries = 0; tries < 200 && value_of(replica->query("SELECT count(*) FROM copied")) != "2"; ++tries)
    std::this_thread::sleep_for(20ms);
  require(primary->kill_9());
  require(replica->promote());
  EXPECT_EQ(value_of(replica->query("INSERT INTO copied VALUES (3) RETURNING (SELECT count(*) FROM copied)")),
            "2");
}

TEST(cluster, nodes_are_distinct_and_named) {
  auto started = value_of(
      cluster::start({.source_major = 13, .shards = 2, .replicas = 1, .database = "shop", .fast = true}));
  auto& fleet = *started;
  std::set<std::string> identifiers, names;
  for (auto* node : fleet.all()) {
    identifiers.insert(value_of(node->query("SELECT system_identifier FROM pg_control_system()", "shop")));
    names.insert(node->name());
  }
  EXPECT_EQ(names, (std::set<std::string>{"source", "replica1", "shard1", "shard2"}));
  EXPECT_EQ(identifiers.size(), 3u) << "a replica shares its primary's identifier, nobody else does";
  EXPECT_EQ(fleet.find("shard2"), &fleet.shard(1));
  EXPECT_EQ(fleet.find("shard9"), nullptr);
}

TEST(cluster, lagging_replica_replays_late) {
  auto started = value_of(cluster::start({.shards = 0, .replicas = 1, .replay_delay = 1500ms, .fast = true}));
  auto& fleet = *started;
  auto const begin = std::chrono::steady_clock::now();
  require(fleet.source().query("CREATE TABLE late AS SELECT 1"));
  while (value_of(fleet.replica(0).query("SELECT to_regclass('late') IS NOT NULL")) == "f" &&
         std::chrono::steady_clock::now() - begin < 20s)
    std::this_thread::sleep_for(50ms);
  auto const waited = std::chrono::steady_clock::now() - begin;
  EXPECT_GT(waited, 1400ms);
  EXPECT_LT(waited, 20s);
}

TEST(cluster, a_paused_server_answers_only_after_resume) {
  auto started = value_of(cluster::start({.shards = 0, .fast = true}));
  auto& node = started->source();
  require(node.pause());
  std::atomic<bool> answered{false};
  std::jthread asking([&] {
    require(node.query("SELECT 1"));
    answered = true;
  });
  std::this_thread::sleep_for(500ms);
  EXPECT_FALSE(answered);
  require(node.resume());
  asking.join();
  EXPECT_TRUE(answered);
}

TEST(cluster, nothing_is_left_when_the_test_is_killed) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  pid_t const child = ::fork();
  if (child == 0) {
    auto started = cluster::start({.shards = 0, .fast = true});
    pid_t const postmaster = started ? started.value()->source().pid() : 0;
    [[maybe_unused]] auto const a = ::write(ends[1], &postmaster, sizeof postmaster);
    auto const folder = started ? started.value()->folder().string() : std::string();
    [[maybe_unused]] auto const b = ::write(ends[1], folder.data(), folder.size());
    ::raise(SIGKILL);
  }
  ::close(ends[1]);
  pid_t postmaster = 0;
  ASSERT_EQ(::read(ends[0], &postmaster, sizeof postmaster), static_cast<ssize_t>(sizeof postmaster));
  char text[200] = {};
  ASSERT_GT(::read(ends[0], text, sizeof text - 1), 0);
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  ASSERT_GT(postmaster, 0);
  auto const is_gone = [&] { return ::kill(postmaster, 0) != 0 && !std::filesystem::exists(text); };
  for (int tries = 0; tries < 400 && !is_gone(); ++tries) std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(is_gone()) << text;
}

TEST(cluster, a_missing_postgres_says_what_to_install) {
  auto folder = value_of(scratch_folder::make());
  ::setenv("SHARDWAY_POSTGRES_18", "/nowhere", 1);
  auto const refused = server::launch(folder->path(), {.major = 18});
  ::unsetenv("SHARDWAY_POSTGRES_18");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::precondition_failed);
  EXPECT_THAT(refused.error().hint(), ::testing::HasSubstr("cmake/bootstrap"));
}

}  // namespace
