// Routers while snapshots are swapped under them, against routers that are left alone.
#include <algorithm>
#include <atomic>
#include <thread>

#include <sys/resource.h>

#include "micro/routes.hpp"
#include "support/pairs.hpp"

namespace shardway_bench {
namespace {

constexpr std::size_t router_threads = 8;

struct seen {
  std::vector<double> nanoseconds;
  long waits{};  // voluntary context switches: the thread gave its core away
};

// Each sample is ten routes: the clock costs more than one.
seen route_until(router const& from, std::atomic<bool> const& stop) {
  constexpr std::int64_t routes = 10;
  seen made;
  made.nanoseconds.reserve(1 << 20);
  auto const name = table_name(0);
  router::reader reader{from};
  (void)reader.current();
  rusage before{}, after{};
  getrusage(RUSAGE_THREAD, &before);
  for (std::int64_t key = 1; !stop.load(std::memory_order_relaxed); key += routes) {
    auto const begun = std::chrono::steady_clock::now();
    for (std::int64_t i = 0; i < routes; ++i) {
      auto way = reader.current().by_key(name, key + i);
      benchmark::DoNotOptimize(way);
    }
    auto const took =
        std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begun).count() / routes;
    if (made.nanoseconds.size() < made.nanoseconds.capacity()) made.nanoseconds.push_back(took);
  }
  getrusage(RUSAGE_THREAD, &after);
  made.waits = after.ru_nvcsw - before.ru_nvcsw;
  return made;
}

figures round(bool swapping) {
  std::vector<std::shared_ptr<routing_snapshot const>> fresh;
  for (std::uint64_t i = 1; i <= 100; ++i) fresh.push_back(snapshot_of(64, 8, i));
  router at{fresh.front()};
  std::atomic<bool> stop{false};
  std::vector<seen> all(router_threads);
  std::vector<std::thread> running;
  for (auto& one : all) running.emplace_back([&at, &stop, &one] { one = route_until(at, stop); });
  auto const length = std::chrono::milliseconds{asked().smoke ? 100 : 500};
  auto const begun = std::chrono::steady_clock::now();
  for (std::size_t i = 1; std::chrono::steady_clock::now() < begun + length; ++i) {
    if (swapping && i < fresh.size()) at.publish(std::move(fresh[i]));
    std::this_thread::sleep_for(length / 100);
  }
  stop = true;
  for (auto& one : running) one.join();
  std::vector<double> samples;
  figures made;
  for (auto& one : all) {
    samples.insert(samples.end(), one.nanoseconds.begin(), one.nanoseconds.end());
    made.count += static_cast<double>(one.waits);
  }
  std::sort(samples.begin(), samples.end());
  made.p50 = samples[samples.size() / 2];
  made.p99 = samples[samples.size() - 1 - samples.size() / 1000];
  made.per_operation = samples.back() / 1e6 * 10;
  return made;
}

registered const all{[] {
  add_benchmark("route/swaps", asked().smoke ? 3 : 9, [](benchmark::State& state) {
    compare(
        state, "the same without swaps",
        {{"route/8 threads, 99 swaps: p50", &figures::p50, "ns"},
         {"route/8 threads, 99 swaps: p99.9", &figures::p99, "ns"},
         {"route/8 threads, 99 swaps: longest ten routes", &figures::per_operation, "ms"},
         {"route/8 threads, 99 swaps: times a router gave its core away", &figures::count, "waits",
          at_most(0)}},
        [] { return round(true); }, [] { return round(false); });
  });
}};

}  // namespace
}  // namespace shardway_bench
