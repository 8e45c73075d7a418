// The umbrella header in two files of one program, and the code behind it: nothing listens, and the client
// says so.
#include <cstdio>

#include "shardway/pg/interop.hpp"
#include "shardway/shardway.hpp"

char const* version_in_second_file();

int main() {
  shardway::client_options options{.source = {.conninfo = "host=/nonexistent dbname=none connect_timeout=2"}};
  auto const opened = shardway::client::open(std::move(options));
  if (opened || opened.error().code() != shardway::error_code::node_unreachable) return 1;
  std::printf("%s: %s\n", version_in_second_file(), std::string(name(opened.error().code())).c_str());
  return 0;
}
