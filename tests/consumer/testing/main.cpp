// A service's own test: a real server, and a session of the library on it.
#include <cstdio>

#include "shardway/pg/connect.hpp"
#include "shardway/testing/cluster.hpp"

int main() {
  auto const folder = shardway::testing::scratch_folder::make();
  if (!folder) return 1;
  auto const server = shardway::testing::server::launch(folder.value()->path(), {.fast = true});
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().message().c_str());
    return 1;
  }
  auto const session = shardway::connect({.node = "source", .conninfo = server.value()->socket_conninfo()});
  if (!session) return 1;
  auto const answer = session.value()->query({.sql = "SELECT 6 * 7"});
  return answer && answer.value().text(0, 0) == "42" ? 0 : 1;
}
