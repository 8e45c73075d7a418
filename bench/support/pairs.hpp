// Interleaved pairs: subject and baseline run in turn, in one process. So whatever else the machine does
// affects both.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "support/report.hpp"

namespace shardway_bench {

/// What one round measured. A benchmark fills the figures that it compares.
struct figures {
  double per_operation{};  ///< wall time
  double p50{};
  double p99{};
  double cpu{};  ///< CPU time per call
  double per_second{};
  double count{};  ///< in the unit that the row names
};

struct comparison {
  std::string name;
  double figures::* figure{};
  std::string unit;
  goal target{};
};

/// The settings of the command line.
struct settings {
  bool smoke{};
  int pairs{21};  ///< pairs of rounds, in benchmarks with servers
};
settings const& asked() noexcept;

using round_function = std::function<figures()>;

/// Runs as many pairs as the state has iterations, and adds a row for each comparison. The order changes from
/// pair to pair. One round of each runs before and is not counted.
void compare(benchmark::State& state, std::string const& baseline, std::vector<comparison> const& wanted,
             round_function const& subject, round_function const& base);

/// The same without a baseline.
void measure(benchmark::State& state, std::vector<comparison> const& wanted, round_function const& subject);

/// Registers a benchmark of that many pairs. Static initialisers call it through `registered`.
void add_benchmark(std::string const& name, int pairs, std::function<void(benchmark::State&)> body);

/// Runs `install` once the command line is known.
struct registered {
  explicit registered(void (*install)());
};

double median(std::vector<double> values);

/// The 95 % interval of the median, by resampling with a fixed seed.
std::array<double, 2> interval_of_median(std::vector<double> const& values);

/// CPU time in nanoseconds: of this thread, or of the whole process.
double thread_cpu() noexcept;
double process_cpu() noexcept;

/// This thread's CPU time for one call, as the mean of `count` calls of operation(i). Other programs on the
/// machine do not count.
template <class Operation>
double cpu_nanoseconds_each(std::size_t count, Operation&& operation) {
  auto const begun = thread_cpu();
  for (std::size_t i = 0; i < count; ++i) operation(i);
  return (thread_cpu() - begun) / static_cast<double>(count);
}

}  // namespace shardway_bench
