// The route of one call: table name and key in, node and epoch out. No server.
#include <unordered_map>

#include <absl/container/flat_hash_map.h>

#include "micro/allocations.hpp"
#include "micro/routes.hpp"
#include "support/pairs.hpp"

namespace shardway_bench {
namespace {

key_values const& keys() {
  static key_values const made = some_keys();
  return made;
}

std::size_t calls() { return asked().smoke ? 10'000 : 30'000; }
int pairs() { return asked().smoke ? 31 : 301; }

template <class Operation>
round_function timed(Operation operation) {
  return [operation] { return figures{.per_operation = cpu_nanoseconds_each(calls(), operation)}; };
}

auto by_name(routing_snapshot const& at, std::size_t table, auto const& values) {
  return [&at, &values, name = table_name(table)](std::size_t i) {
    auto way = at.by_key(name, values[i % key_count]);
    benchmark::DoNotOptimize(way);
  };
}

template <class Bytes>
auto xxh32_of(std::vector<Bytes> const& values) {
  return [&values](std::size_t i) {
    auto const& one = values[i % key_count];
    if constexpr (std::is_integral_v<Bytes>)
      benchmark::DoNotOptimize(hash_of(std::as_bytes(std::span{&one, 1})));
    else
      benchmark::DoNotOptimize(hash_of(std::as_bytes(std::span{one.data(), one.size()})));
  };
}

// What a service without the library would write: a map by name, and std::hash of the key.
template <class Map>
auto hand_written(Map const& map, std::size_t table) {
  return [&map, name = table_name(table)](std::size_t i) {
    auto const found = map.find(name);
    auto const slot = std::hash<std::int64_t>{}(keys().integers[i % key_count]) * 0x9E3779B97F4A7C15ULL >> 52;
    benchmark::DoNotOptimize(found->second[slot]);
  };
}

template <template <class...> class Map>
auto map_of(std::size_t tables) {
  Map<std::string, std::vector<std::uint32_t>> made;
  for (std::size_t i = 0; i < tables; ++i)
    made.emplace(table_name(i), std::vector<std::uint32_t>(limits::slot_count));
  return made;
}

void add_route(std::string const& name, double target, std::size_t table, auto const& values) {
  add_benchmark(name, pairs(), [=, &values](benchmark::State& state) {
    auto const at = snapshot_of(64, 8);
    compare(state, "XXH32 of the same bytes", {{name, &figures::per_operation, "ns", at_most(target)}},
            timed(by_name(*at, table, values)), timed(xxh32_of(values)));
  });
}

void add_composite() {
  add_benchmark("route/bigint_and_text", pairs(), [](benchmark::State& state) {
    auto const at = snapshot_of(64, 8);
    auto const route_it = [&at, name = table_name(3)](std::size_t i) {
      auto way =
          at->by_key(name, {keys().integers[i % key_count], std::string_view{keys().texts[i % key_count]}});
      benchmark::DoNotOptimize(way);
    };
    compare(state, "XXH32 of the text alone",
            {{"route/bigint_and_text", &figures::per_operation, "ns", at_most(40)}}, timed(route_it),
            timed(xxh32_of(keys().texts)));
  });
}

void add_lookups() {
  add_benchmark("route/int64_against_unordered_map", pairs(), [](benchmark::State& state) {
    auto const at = snapshot_of(64, 1200);
    auto const map = map_of<std::unordered_map>(1200);
    compare(state, "std::unordered_map and std::hash",
            {{"route/int64, 1,200 tables", &figures::per_operation, "ns"}},
            timed(by_name(*at, 600, keys().integers)), timed(hand_written(map, 600)));
  });
  add_benchmark("route/int64_against_flat_hash_map", pairs(), [](benchmark::State& state) {
    auto const at = snapshot_of(64, 1200);
    auto const map = map_of<absl::flat_hash_map>(1200);
    compare(state, "absl::flat_hash_map and std::hash",
            {{"route/int64, 1,200 tables", &figures::per_operation, "ns"}},
            timed(by_name(*at, 600, keys().integers)), timed(hand_written(map, 600)));
  });
}

void add_flat(std::string const& name, std::string const& baseline,
              std::array<std::size_t, 4> shards_and_tables) {
  add_benchmark("route/" + name, pairs(), [=](benchmark::State& state) {
    auto const [shards, tables, base_shards, base_tables] = shards_and_tables;
    auto const large = snapshot_of(static_cast<std::uint16_t>(shards), tables);
    auto const small = snapshot_of(static_cast<std::uint16_t>(base_shards), base_tables);
    compare(state, baseline, {{"route/int64, " + name, &figures::per_operation, "ns", ratio_at_most(1.10)}},
            timed(by_name(*large, 0, keys().integers)), timed(by_name(*small, 0, keys().integers)));
  });
}

// Every table in turn: also what the caches cost.
void add_all_tables() {
  add_benchmark("route/tables_in_turn", pairs(), [](benchmark::State& state) {
    auto const at = snapshot_of(64, 1200);
    auto const map = map_of<absl::flat_hash_map>(1200);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < 1200; i += 4) names.push_back(table_name(i * 7 % 1200 / 4 * 4));
    auto const ours = [&](std::size_t i) {
      auto way = at->by_key(names[i % names.size()], keys().integers[i % key_count]);
      benchmark::DoNotOptimize(way);
    };
    auto const theirs = [&](std::size_t i) {
      auto const slot =
          std::hash<std::int64_t>{}(keys().integers[i % key_count]) * 0x9E3779B97F4A7C15ULL >> 52;
      benchmark::DoNotOptimize(map.find(names[i % names.size()])->second[slot]);
    };
    compare(state, "absl::flat_hash_map and std::hash",
            {{"route/int64, 300 of 1,200 tables in turn", &figures::per_operation, "ns"}}, timed(ours),
            timed(theirs));
  });
}

void add_counts() {
  add_benchmark("route/allocations", 1, [](benchmark::State& state) {
    auto const at = snapshot_of(64, 8);
    measure(state, {{"route/allocations of 4 x 1,024 routes", &figures::count, "allocations", at_most(0)}},
            [&] {
              auto const names = std::array{table_name(0), table_name(1), table_name(2), table_name(3)};
              auto const before = allocations();
              for (std::size_t i = 0; i < key_count; ++i) {
                auto a = at->by_key(names[0], keys().integers[i]);
                auto b = at->by_key(names[1], keys().uuids[i]);
                auto c = at->by_key(names[2], std::string_view{keys().texts[i]});
                auto d = at->by_key(names[3], {keys().integers[i], std::string_view{keys().texts[i]}});
                if (!a || !b || !c || !d) std::abort();
              }
              return figures{.count = static_cast<double>(allocations() - before)};
            });
  });
  add_benchmark("route/snapshot_bytes", 1, [](benchmark::State& state) {
    auto const from = generation_of(64, 1200);
    measure(state,
            {{"route/snapshot of 1,200 tables x 4,096 slots x 64 shards, no two alike", &figures::count,
              "MiB", at_most(16)}},
            [&] {
              auto const before = live_bytes();
              auto const made = routes_of(from);
              return figures{.count = made ? static_cast<double>(live_bytes() - before) / (1 << 20) : -1};
            });
  });
}

registered const all{[] {
  add_route("route/int64", 10, 0, keys().integers);
  add_route("route/uuid", 20, 1, keys().uuids);
  add_route("route/text of 16 bytes", 20, 2, keys().texts);
  add_composite();
  add_lookups();
  add_flat("1,024 shards", "4 shards", {1024, 8, 4, 8});
  add_flat("one of 1,200 tables", "one table", {64, 1200, 64, 1});
  add_all_tables();
  add_counts();
}};

}  // namespace
}  // namespace shardway_bench
