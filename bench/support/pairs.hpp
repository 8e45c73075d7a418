// Interleaved pairs: subject and baseline in turn, in one process, so that what the machine does meanwhile
// meets both.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "support/report.hpp"

namespace shardway_bench {

/// What one round measured; a benchmark fills what it compares.
struct figures {
  double per_operation{};  ///< wall time
  double p50{};
  double p99{};
  double cpu{};  ///< of this process, a call
  double per_second{};
  double count{};  ///< of whatever the row's unit names
};

struct comparison {
  std::string name;
  double figures::* figure{};
  std::string unit;
  goal target{};
};

/// What the command line asked for.
struct settings {
  bool smoke{};
  int pairs{21};  ///< of rounds on servers
};
settings const& asked() noexcept;

using round_function = std::function<figures()>;

/// Runs as many pairs as the state has iterations, the order changing from pair to pair, and adds a row for
/// each comparison. One round of each goes before and is not counted.
void compare(benchmark::State& state, std::string const& baseline, std::vector<comparison> const& wanted,
             round_function const& subject, round_function const& base);
/// The same figures of rounds without a baseline.
void measure(benchmark::State& state, std::vector<comparison> const& wanted, round_function const& subject);

/// Registers a benchmark of that many pairs. Called from static initialisers through `registered`.
void add_benchmark(std::string const& name, int pairs, std::function<void(benchmark::State&)> body);
/// Runs `install` once the command line is known.
struct registered {
  explicit registered(void (*install)());
};

double median(std::vector<double> values);
/// 95 % by resampling, with a fixed seed.
std::array<double, 2> interval_of_median(std::vector<double> const& values);

/// CPU time in nanoseconds: of this thread, or of the whole process.
double thread_cpu() noexcept;
double process_cpu() noexcept;

/// This thread's CPU time for one call, over `count` calls of operation(i): what others do to the machine's
/// cores stays out of it.
template <class Operation>
double cpu_nanoseconds_each(std::size_t count, Operation&& operation) {
  auto const begun = thread_cpu();
  for (std::size_t i = 0; i < count; ++i) operation(i);
  return (thread_cpu() - begun) / static_cast<double>(count);
}

}  // namespace shardway_bench
