#include "support/pairs.hpp"

#include <algorithm>
#include <array>
#include <random>

#include <time.h>

namespace shardway_bench {
namespace {

bool is_added(goal const& target) { return target.kind == goal::kind_type::added_at_most; }

void add(comparison const& one, std::string const& baseline, std::vector<figures> const& subject,
         std::vector<figures> const& base) {
  std::vector<double> values, bases, compared;
  for (std::size_t i = 0; i < subject.size(); ++i) {
    values.push_back(subject[i].*one.figure);
    if (base.empty()) continue;
    bases.push_back(base[i].*one.figure);
    compared.push_back(is_added(one.target) ? values.back() - bases.back() : values.back() / bases.back());
  }
  row made;
  made.name = one.name;
  made.value = median(values);
  made.unit = one.unit;
  made.target = one.target;
  if (!base.empty()) made.baseline = baseline;
  if (!base.empty()) {
    made.baseline_value = median(bases);
    made.ratio = median(compared);
  }
  made.interval = interval_of_median(base.empty() ? values : compared);
  add_row(std::move(made));
}

double read_clock(clockid_t which) noexcept {
  timespec at{};
  clock_gettime(which, &at);
  return static_cast<double>(at.tv_sec) * 1e9 + static_cast<double>(at.tv_nsec);
}

}  // namespace

double thread_cpu() noexcept { return read_clock(CLOCK_THREAD_CPUTIME_ID); }
double process_cpu() noexcept { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  auto const middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::array<double, 2> interval_of_median(std::vector<double> const& values) {
  constexpr std::size_t draws = 2000;
  std::mt19937 random{20240515};
  std::uniform_int_distribution<std::size_t> pick{0, values.size() - 1};
  std::vector<double> medians;
  for (std::size_t i = 0; i < draws; ++i) {
    std::vector<double> drawn(values.size());
    for (auto& one : drawn) one = values[pick(random)];
    medians.push_back(median(std::move(drawn)));
  }
  std::sort(medians.begin(), medians.end());
  return {medians[draws / 40], medians[draws - 1 - draws / 40]};
}

void compare(benchmark::State& state, std::string const& baseline, std::vector<comparison> const& wanted,
             round_function const& subject, round_function const& base) {
  std::vector<figures> subjects, bases;
  (void)base();
  (void)subject();
  for (auto _ : state) {
    bool const base_first = subjects.size() % 2 == 0;
    if (base_first) bases.push_back(base());
    auto const begun = std::chrono::steady_clock::now();
    subjects.push_back(subject());
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
    if (!base_first) bases.push_back(base());
  }
  for (auto const& one : wanted) add(one, baseline, subjects, bases);
}

void measure(benchmark::State& state, std::vector<comparison> const& wanted, round_function const& subject) {
  std::vector<figures> subjects;
  for (auto _ : state) {
    auto const begun = std::chrono::steady_clock::now();
    subjects.push_back(subject());
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  }
  for (auto const& one : wanted) add(one, {}, subjects, {});
}

void add_benchmark(std::string const& name, int pairs, std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(body))
      ->Iterations(pairs)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace shardway_bench
