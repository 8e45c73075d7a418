// What a proxy on the same host costs: PgBouncer in transaction mode against the library, which adds no hop.
#include "macro/fleet.hpp"
#include "shardway/testing/pooler.hpp"

namespace shardway_bench {
namespace {

std::size_t calls() { return asked().smoke ? 300 : 2000; }

struct set_up {
  fleet servers{{.shards = 1}};
  std::unique_ptr<shardway::testing::pooler> pooler{must(shardway::testing::pooler::launch(
      servers.servers().folder(), servers.source(), {.server_connections = 8}))};
};

set_up& all_servers() {
  static set_up one;
  return one;
}

round_function library_reads(sessions& ours, std::size_t clients) {
  return [&ours, clients] {
    return load(clients, calls() / clients, [&](std::size_t client, std::size_t call) {
      ours.read(client, account(client, call), {.fresh = consistency::primary});
    });
  };
}

round_function bare_reads(std::vector<bare_connection>& on, std::size_t clients) {
  return [&on, clients] {
    return load(clients, calls() / clients, [&](std::size_t client, std::size_t call) {
      auto const id = std::to_string(account(client, call));
      on[client].run_text(read_sql, {id.c_str()});
    });
  };
}

void run(benchmark::State& state, std::size_t clients, bool by_library) {
  auto& on = all_servers();
  sessions ours{on.servers, clients};
  auto direct = bare_connections(clients, on.servers.servers().conninfo(on.servers.source()));
  auto through = bare_connections(clients, on.pooler->conninfo());
  auto const who = std::string(by_library ? "the library, direct" : "libpq, direct, unnamed statements") +
                   (clients == 1 ? ", one client" : ", 8 clients");
  compare(state, "libpq through PgBouncer, unnamed statements",
          {{who, &figures::per_second, "/s"}, {who + ": p50", &figures::p50, "us"}},
          by_library ? library_reads(ours, clients) : bare_reads(direct, clients),
          bare_reads(through, clients));
}

registered const all{[] {
  for (std::size_t const clients : {1, 8})
    for (bool const by_library : {true, false})
      add_benchmark("bouncer/" + std::to_string(clients) + (by_library ? "/library" : "/libpq"),
                    asked().pairs, [=](benchmark::State& state) { run(state, clients, by_library); });
}};

}  // namespace
}  // namespace shardway_bench
