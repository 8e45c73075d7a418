// A controller in a process of its own, so that a test can kill it: controller_main MIGRATION_FILE.
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "shardway/manifest/codec.hpp"
#include "shardway/migrate/controller/controller.hpp"

namespace {
std::stop_source stop;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::ifstream in(argv[1]);
  std::string const text{std::istreambuf_iterator<char>(in), {}};
  shardway::controller_options options;
  options.migration = shardway::parse_migration_manifest(text, argv[1]).manifest;
  options.holder = "controller_main";
  options.lease_duration = std::chrono::milliseconds{1000};
  options.rehearsal_age_max = std::chrono::seconds{0};
  options.foreign_quiet = std::chrono::seconds{0};
  std::signal(SIGTERM, [](int) { stop.request_stop(); });
  auto started = shardway::controller::start(std::move(options));
  if (!started) {
    std::fprintf(stderr, "controller: %s | %s\n", started.error().to_string().c_str(),
                 started.error().server_detail().c_str());
    return 1;
  }
  auto const ran = started.value()->run(stop.get_token());
  if (!ran) std::fprintf(stderr, "controller: %s\n", ran.error().to_string().c_str());
  return ran ? 0 : 1;
}
