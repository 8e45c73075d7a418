// Calls that go straight through: the library against libpq alone, on the same server, statement and prepared
// mode.
#include "macro/fleet.hpp"

namespace shardway_bench {
namespace {

fleet& servers() {
  static fleet one{{.shards = 1, .replicas = 1}};
  return one;
}

std::size_t calls() { return asked().smoke ? 300 : 2000; }

// The library's connections are made before the first round that counts.
void against_libpq(benchmark::State& state, std::string const& name, std::size_t clients, bool observe,
                   bool writes) {
  auto& on = servers();
  sessions ours{on, clients, observe};
  auto const* sql = writes ? update_sql : read_sql;
  auto theirs = bare_connections(clients, on.servers().conninfo(on.source()), "bare", sql);
  auto const share = calls() / clients;
  read_options const primary_copy{.fresh = consistency::primary};
  std::vector<comparison> wanted{
      {name + ": p50", &figures::p50, "us", added_at_most(2)},
      {name + ": CPU of the caller a call", &figures::cpu, "us", ratio_at_most(1.02)}};
  if (clients > 1)
    wanted = {{name + ": calls a second", &figures::per_second, "/s"}, {name + ": p99", &figures::p99, "us"}};
  compare(
      state, "libpq alone", wanted,
      [&] {
        return load(clients, share, [&](std::size_t client, std::size_t call) {
          if (writes)
            ours.update(client, account(client, call));
          else
            ours.read(client, account(client, call), primary_copy);
        });
      },
      [&] {
        return load(clients, share, [&](std::size_t client, std::size_t call) {
          auto const id = std::to_string(account(client, call));
          theirs[client].run("bare", {id.c_str()});
        });
      });
}

// A session that has just written reads from a replica that has caught up, and from one it was told to take
// unseen.
void after_a_write(benchmark::State& state) {
  auto& on = servers();
  sessions ours{on, 1};
  auto const& replica = on.servers().replica(0);
  auto theirs = bare_connections(1, on.servers().conninfo(replica), "bare", read_sql);
  ours.update(0, 1);
  must(on.source().query("SELECT pg_switch_wal()"));
  std::this_thread::sleep_for(std::chrono::seconds{1});
  auto const counted = [&](auto const& one) {
    auto const before = round_trips();
    for (std::size_t i = 0; i < 100; ++i) one(i);
    return static_cast<double>(round_trips() - before) / 100;
  };
  auto const timed = [&](auto const& one) {
    auto made = load(1, calls(), [&](std::size_t, std::size_t call) { one(call); });
    made.count = counted(one);
    return made;
  };
  auto const ours_once = [&](std::size_t call) {
    auto const id = account(0, call);
    auto const answer = must(ours.all[0].read(table, id, read_sql, {std::to_string(id)}));
    if (!answer.from_replica) give_up("a read of a caught-up replica went to the primary");
  };
  auto const theirs_once = [&](std::size_t call) {
    auto const id = std::to_string(account(0, call));
    theirs[0].run("bare", {id.c_str()});
  };
  compare(
      state, "libpq alone, on the replica",
      {{"read your writes, replica caught up: round trips a read", &figures::count, "", ratio_at_most(1.0)},
       {"read your writes, replica caught up: p50", &figures::p50, "us"}},
      [&] { return timed(ours_once); }, [&] { return timed(theirs_once); });
}

registered const all{[] {
  auto const pairs = asked().pairs;
  auto const add = [&](std::string const& name, std::size_t clients, bool observe, bool writes) {
    add_benchmark("requests/" + name, pairs,
                  [=](benchmark::State& state) { against_libpq(state, name, clients, observe, writes); });
  };
  servers().publish(stage::observing);
  add("observing, a read", 1, true, false);
  add("observing, a read, reports off", 1, false, false);
  add("observing, a write", 1, true, true);
  add("observing, a read, 8 clients", 8, true, false);
  add("observing, a write, 8 clients", 8, true, true);
  add_benchmark("requests/read your writes", pairs, after_a_write);
}};

}  // namespace
}  // namespace shardway_bench
