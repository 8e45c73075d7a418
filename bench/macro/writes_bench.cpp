// Fenced and dual writes against the plain write of one row, on the same source.
#include "macro/fleet.hpp"
#include "shardway/pg/connect.hpp"

namespace shardway_bench {
namespace {

constexpr std::size_t clients = 8;
std::size_t calls() { return asked().smoke ? 300 : 2000; }

// One fleet a version; the last one asked for is alive.
fleet& servers(int major) {
  static std::unique_ptr<fleet> one;
  static int made_for = 0;
  if (made_for != major) {
    one.reset();
    one = std::make_unique<fleet>(shardway::testing::cluster_options{.source_major = major, .shards = 2});
    made_for = major;
  }
  return *one;
}

std::string named(int major, std::string const& name) {
  return major == 15 ? name : name + " (PostgreSQL " + std::to_string(major) + ")";
}

round_function plain_writes(std::vector<bare_connection>& on, std::size_t count) {
  return [&on, count] {
    return load(count, calls() / count, [&](std::size_t client, std::size_t call) {
      auto const id = std::to_string(account(client + 8, call));
      on[client].run("bare", {id.c_str()});
    });
  };
}

round_function library_writes(sessions& on, std::size_t count) {
  return [&on, count] {
    return load(count, calls() / count,
                [&](std::size_t client, std::size_t call) { on.update(client, account(client, call)); });
  };
}

void against_plain(benchmark::State& state, fleet& on, std::size_t count,
                   std::vector<comparison> const& wanted) {
  sessions ours{on, count};
  auto theirs = bare_connections(count, on.servers().conninfo(on.source()), "bare", update_sql);
  compare(state, "the plain write", wanted, library_writes(ours, count), plain_writes(theirs, count));
}

// BEGIN, the statement and COMMIT in one flush, by the library's own session: what the fence adds to it.
void fence_alone(benchmark::State& state, int major) {
  auto& on = servers(major);
  on.publish(stage::replicating);
  sessions ours{on, clients};
  std::vector<std::unique_ptr<session>> theirs;
  for (std::size_t i = 0; i < clients; ++i)
    theirs.push_back(must(connect({.node = "source", .conninfo = on.servers().conninfo(on.source())})));
  auto const base = [&] {
    return load(clients, calls() / clients, [&](std::size_t client, std::size_t call) {
      std::vector<statement> const frame{
          {.sql = "BEGIN ISOLATION LEVEL READ COMMITTED"},
          {.sql = update_sql, .parameters = {std::to_string(account(client + 8, call))}, .name = "bare"},
          {.sql = "COMMIT"}};
      for (auto const& one : must(theirs[client]->flush(frame))) must(one);
    });
  };
  compare(state, "BEGIN, statement, COMMIT in one flush",
          {{named(major, "fenced write, 8 clients"), &figures::per_second, "/s", ratio_at_least(0.90)},
           {named(major, "fenced write, 8 clients: p50"), &figures::p50, "us"}},
          library_writes(ours, clients), base);
}

// The source's half alone: the shards are stopped, so that their breakers are open and nothing is sent to
// them.
void outbox(benchmark::State& state, int major) {
  auto& on = servers(major);
  on.publish(stage::dual_writing, dual_write_mode::async);
  for (std::size_t i = 0; i < on.servers().shard_count(); ++i) must(on.servers().shard(i).stop());
  against_plain(state, on, clients,
                {{named(major, "fence, outbox, RETURNING, 8 clients"), &figures::per_second, "/s",
                  ratio_at_least(0.78)}});
  for (std::size_t i = 0; i < on.servers().shard_count(); ++i) must(on.servers().shard(i).start());
}

void dual_async(benchmark::State& state, int major) {
  auto& on = servers(major);
  on.publish(stage::dual_writing, dual_write_mode::async);
  against_plain(
      state, on, 1,
      {{named(major, "async dual write, one client: p50"), &figures::p50, "us", ratio_at_most(1.15)}});
}

void dual_async_all(benchmark::State& state, int major) {
  auto& on = servers(major);
  on.publish(stage::dual_writing, dual_write_mode::async);
  against_plain(state, on, clients,
                {{named(major, "async dual write, 8 clients: p50"), &figures::p50, "us", ratio_at_most(1.15)},
                 {named(major, "async dual write, 8 clients"), &figures::per_second, "/s"}});
}

void dual_sync(benchmark::State& state, int major) {
  auto& on = servers(major);
  on.publish(stage::dual_writing);
  against_plain(
      state, on, clients,
      {{named(major, "sync dual write, 8 clients"), &figures::per_second, "/s", ratio_at_least(0.40)}});
}

void dual_sync_alone(benchmark::State& state, int major) {
  auto& on = servers(major);
  on.publish(stage::dual_writing);
  against_plain(
      state, on, 1,
      {{named(major, "sync dual write, one client: p50"), &figures::p50, "us", ratio_at_most(2.0)}});
}

registered const all{[] {
  auto const add = [](int major, std::string const& name, void (*body)(benchmark::State&, int)) {
    add_benchmark("writes/" + named(major, name), asked().pairs,
                  [=](benchmark::State& state) { body(state, major); });
  };
  for (int const major : {15, 13}) {
    if (major != 15 && asked().smoke) continue;
    add(major, "fence", fence_alone);
    add(major, "outbox", outbox);
    add(major, "async, one client", dual_async);
    add(major, "async", dual_async_all);
    add(major, "sync", dual_sync);
    add(major, "sync, one client", dual_sync_alone);
  }
}};

}  // namespace
}  // namespace shardway_bench
