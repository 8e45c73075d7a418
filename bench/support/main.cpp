// --smoke: small sizes. --rows FILE: the figures, for bench/run. The rest is Google Benchmark's.
#include <cstdio>
#include <cstring>

#include "support/pairs.hpp"

namespace shardway_bench {
namespace {

settings& chosen() {
  static settings one;
  return one;
}
std::vector<void (*)()>& installers() {
  static std::vector<void (*)()> all;
  return all;
}

}  // namespace

settings const& asked() noexcept { return chosen(); }
registered::registered(void (*install)()) { installers().push_back(install); }

}  // namespace shardway_bench

int main(int count, char** arguments) {
  using namespace shardway_bench;
  std::string rows;
  std::vector<char*> rest;
  for (int i = 0; i < count; ++i) {
    if (std::strcmp(arguments[i], "--smoke") == 0)
      chosen() = {.smoke = true, .pairs = 5};
    else if (std::strcmp(arguments[i], "--rows") == 0 && i + 1 < count)
      rows = arguments[++i];
    else
      rest.push_back(arguments[i]);
  }
  int left = static_cast<int>(rest.size());
  benchmark::Initialize(&left, rest.data());
  if (benchmark::ReportUnrecognizedArguments(left, rest.data())) return 2;
  for (auto* install : installers()) install();
  benchmark::RunSpecifiedBenchmarks();
  if (!rows.empty() && !write_rows(rows)) {
    std::fprintf(stderr, "bench: %s can't be written\n", rows.c_str());
    return 1;
  }
  return 0;
}
